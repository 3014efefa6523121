#include "common/settings_print.h"

#include "common/clock.h"

#include <string.h>

const ir_built_in_option_t ir_built_in_options[IR_BUILT_INS] = {
    [IR_BUILT_IN_SETTINGS] =
        {"settings", 0, "FILE",
         "Settings file (INI) with the sections [common] and one named after the program."},
    [IR_BUILT_IN_PRINT_SETTINGS] = {"print-settings", 0, NULL,
                                    "Print the settings in effect and exit."},
    [IR_BUILT_IN_PRINT_EXAMPLE] = {"print-example", 0, NULL,
                                   "Print a commented settings file and exit."},
    [IR_BUILT_IN_PRINT_MANUAL] = {"print-manual", 0, NULL,
                                  "Print the table of settings as Markdown and exit."},
    [IR_BUILT_IN_PRINT_JSON] = {"print-json", 0, NULL,
                                "Print the table of settings as JSON and exit."},
    [IR_BUILT_IN_HELP] = {"help", 'h', NULL, "Print this help and exit."},
    [IR_BUILT_IN_VERSION] = {"version", 0, NULL, "Print the version and exit."},
};

/* ---- help ---- */

static void print_option(char letter, const char *name, const char *unit, FILE *out) {
    char short_form[8] = "    ";
    if (letter != 0) {
        snprintf(short_form, sizeof short_form, "-%c, ", letter);
    }
    fprintf(out, "  %s--%s%s%s\n", short_form, name, unit != NULL ? " " : "",
            unit != NULL ? unit : "");
}

void ir_settings_print_help(const ir_program_t *program, FILE *out) {
    fprintf(out, "%s: %s\n\nUsage: %s [OPTION…]%s%s\n\n", program->name, program->purpose,
            program->name, program->usage[0] != '\0' ? " " : "", program->usage);
    for (size_t i = 0; i < program->n_settings; i++) {
        const ir_setting_t *s = &program->settings[i];
        print_option(s->letter, s->name, s->type == IR_SETTING_CHOICE ? s->choices : s->unit, out);
        fprintf(out, "        %s", s->help);
        if (s->initial != NULL) {
            fprintf(out, " Default: %s.", s->initial);
        }
        fputs(s->type == IR_SETTING_SECRET ? " Not on the command line.\n" : "\n", out);
    }
    for (size_t i = 0; i < IR_BUILT_INS; i++) {
        const ir_built_in_option_t *option = &ir_built_in_options[i];
        print_option(option->letter, option->name, option->unit, out);
        fprintf(out, "        %s\n", option->help);
    }
    fputs("\n"
          "Every setting can also be given in the file, or in the environment as IR_NAME.\n"
          "The command line overrides the environment, which overrides the file.\n",
          out);
    if (program->notes != NULL) {
        fprintf(out, "\n%s", program->notes);
    }
}

/* ---- values ---- */

static void print_duration(int64_t ns, FILE *out) {
    static const struct {
        const char *text;
        double ns;
    } units[] = {{"d", 864e11}, {"h", 36e11}, {"min", 60e9}, {"s", 1e9},
                 {"ms", 1e6},   {"us", 1e3},  {"ns", 1}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        const int64_t unit = (int64_t)units[i].ns;
        if (ns % unit == 0 && (ns != 0 || unit == IR_SECOND_NS)) {
            fprintf(out, "%lld%s", (long long)(ns / unit), units[i].text);
            return;
        }
    }
}

static void print_value(const ir_setting_t *setting, const void *target, FILE *out) {
    const void *value = (const char *)target + setting->offset;
    const char *text = ir_setting_is_text(setting) ? *(char *const *)value : NULL;
    char masked[IR_SETTING_TEXT_MAX];
    switch (setting->type) {
    case IR_SETTING_TEXT:
        fputs(text, out);
        break;
    case IR_SETTING_SECRET:
        fputs(text[0] != '\0' ? "(set)" : "", out);
        break;
    case IR_SETTING_URI:
        fputs(ir_uri_masked(text, masked, sizeof masked), out);
        break;
    case IR_SETTING_INTEGER:
    case IR_SETTING_SIZE:
        fprintf(out, "%lld", (long long)*(const int64_t *)value);
        break;
    case IR_SETTING_DURATION:
        print_duration(*(const int64_t *)value, out);
        break;
    case IR_SETTING_NUMBER:
        fprintf(out, "%.15g", *(const double *)value);
        break;
    case IR_SETTING_FLAG:
        fputs(*(const bool *)value ? "true" : "false", out);
        break;
    case IR_SETTING_CHOICE:
        fprintf(out, "%.*s", IR_VIEW_ARG(ir_setting_word(setting->choices, *(const int *)value)));
        break;
    }
}

void ir_settings_print_effective(const ir_program_t *program, const void *target, FILE *out) {
    fprintf(out, "[%s]\n", program->name);
    for (size_t i = 0; i < program->n_settings; i++) {
        fprintf(out, "%s = ", program->settings[i].name);
        print_value(&program->settings[i], target, out);
        fputc('\n', out);
    }
}

void ir_settings_print_markdown(const ir_program_t *program, FILE *out) {
    fprintf(out, "| setting | default | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < program->n_settings; i++) {
        const ir_setting_t *s = &program->settings[i];
        fprintf(out, "| `%s` | %s%s%s | %s |\n", s->name, s->initial != NULL ? "`" : "",
                s->initial != NULL ? s->initial : "", s->initial != NULL ? "`" : "", s->help);
    }
}

void ir_settings_print_example(const ir_program_t *program, FILE *out) {
    fprintf(out, "[%s]\n; %s\n", program->name, program->purpose);
    for (size_t i = 0; i < program->n_settings; i++) {
        const ir_setting_t *s = &program->settings[i];
        fprintf(out, "\n; %s\n", s->help);
        if (s->type == IR_SETTING_CHOICE) {
            fprintf(out, "; One of %s.\n", s->choices);
        }
        fprintf(out, ";%s =%s%s\n", s->name, s->initial != NULL ? " " : "",
                s->initial != NULL ? s->initial : "");
    }
}

/* ---- JSON ---- */

static const char *const type_names[] = {
    [IR_SETTING_TEXT] = "text",     [IR_SETTING_SECRET] = "secret",
    [IR_SETTING_URI] = "uri",       [IR_SETTING_INTEGER] = "integer",
    [IR_SETTING_SIZE] = "size",     [IR_SETTING_DURATION] = "duration",
    [IR_SETTING_NUMBER] = "number", [IR_SETTING_FLAG] = "flag",
    [IR_SETTING_CHOICE] = "choice",
};

static void print_string(const char *text, FILE *out) {
    fputc('"', out);
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < ' ') {
            fprintf(out, "\\u%04x", c);
        } else {
            fprintf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
        }
    }
    fputc('"', out);
}

/* `,"key":"text"`, or nothing without a text. */
static void print_member(const char *key, const char *text, FILE *out) {
    if (text != NULL) {
        fprintf(out, ",\"%s\":", key);
        print_string(text, out);
    }
}

/* Prints the members that settings and built-in options share; the object stays open. */
static void print_common(size_t i, const char *name, char letter, const char *unit,
                         const char *help, FILE *out) {
    const char letters[2] = {letter, '\0'};
    fputs(i > 0 ? ",{\"name\":" : "{\"name\":", out);
    print_string(name, out);
    print_member("letter", ir_setting_text(letters), out);
    print_member("unit", unit, out);
    print_member("help", help, out);
}

void ir_settings_print_json(const ir_program_t *program, FILE *out) {
    fputs("{\"name\":", out);
    print_string(program->name, out);
    print_member("version", IR_VERSION, out);
    print_member("purpose", program->purpose, out);
    print_member("usage", program->usage, out);
    print_member("notes", program->notes, out);
    fputs(",\"settings\":[", out);
    for (size_t i = 0; i < program->n_settings; i++) {
        const ir_setting_t *s = &program->settings[i];
        print_common(i, s->name, s->letter, s->unit, s->help, out);
        print_member("type", type_names[s->type], out);
        print_member("choices", s->choices, out);
        print_member("default", s->initial, out);
        if (s->min != 0 || s->max != 0) {
            fprintf(out, ",\"min\":%.17g,\"max\":%.17g", s->min, s->max);
        }
        fputc('}', out);
    }
    fputs("],\"built_in\":[", out);
    for (size_t i = 0; i < IR_BUILT_INS; i++) {
        const ir_built_in_option_t *option = &ir_built_in_options[i];
        print_common(i, option->name, option->letter, option->unit, option->help, out);
        fputc('}', out);
    }
    fputs("]}\n", out);
}
