#include "common/settings_load.h"

#include "common/ini.h"
#include "common/messages.h"
#include "common/nearest.h"
#include "common/secret_file.h"
#include "common/settings_print.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRONMENT_NAME_SIZE 80
#define FIRST_LONG_VALUE 1000

/* ---- sources ---- */

static ir_status_t load_defaults(const ir_program_t *program, void *target, ir_error_t *error) {
    for (size_t i = 0; i < program->n_settings; i++) {
        const ir_setting_t *setting = &program->settings[i];
        const char *initial = setting->initial;
        if (initial == NULL && !ir_setting_is_text(setting)) {
            continue;
        }
        const ir_status_t status =
            ir_setting_set(setting, target, initial != NULL ? initial : "", error);
        if (status != IR_OK) {
            return status;
        }
    }
    return IR_OK;
}

/* Sort keys of faults that are not in the file, so that they come after the faults of the file. */
#define PLACE_ENVIRONMENT ((uint64_t)1 << 32)
#define PLACE_COMMAND_LINE ((uint64_t)2 << 32)

typedef struct ir_file_context {
    const ir_program_t *program;
    void *target;
    bool *given; /* one flag per setting */
    bool secret; /* it contains a password */
} ir_file_context_t;

static bool has_password(const ir_setting_t *setting, const char *value) {
    return setting->type == IR_SETTING_SECRET ? value[0] != '\0'
           : setting->type == IR_SETTING_URI  ? ir_uri_has_password(value)
                                              : false;
}

/* The names of all programs, which are also the sections of a file; ends with NULL. */
static const char *const all_settings[] = {
#include "common/setting_names.inc"
    NULL};
static const char *const all_sections[] = {"common",
#include "common/program_names.inc"
                                           NULL};

/* Returns whether the name is in the list. If not, finds the most similar one. */
static bool is_one_of(const char *const *names, const char *name, ir_nearest_t *nearest) {
    *nearest = ir_nearest(ir_view_text(name));
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
        ir_nearest_try(nearest, *names);
    }
    return false;
}

static ir_status_t check_section(const ir_file_context_t *context, const char *section,
                                 const char *name, ir_error_t *error) {
    ir_nearest_t nearest;
    char like[IR_NEAREST_TEXT_SIZE];
    return strcmp(section, context->program->name) == 0 ||
                   is_one_of(all_sections, section, &nearest)
               ? IR_OK
               : ir_error_set(error, IR_ERR_NOT_FOUND,
                              "%s is in section '%.40s', which no program reads%s; move it to [%s] "
                              "or [common]",
                              name, section, ir_nearest_text(&nearest, "", like),
                              context->program->name);
}

static ir_status_t take_from_file(void *user, const char *section, const char *name,
                                  const char *value, ir_error_t *error) {
    ir_file_context_t *context = user;
    const bool mine = strcmp(section, context->program->name) == 0;
    const bool common = strcmp(section, "common") == 0;
    ir_nearest_t nearest;
    char like[IR_NEAREST_TEXT_SIZE];
    const ir_status_t status = check_section(context, section, name, error);
    if (status != IR_OK || (!mine && !common)) {
        return status; /* IR_OK: another program's */
    }
    const ir_setting_t *setting = ir_settings_find(context->program, name);
    if (setting != NULL) {
        bool *given = &context->given[setting - context->program->settings];
        context->secret = context->secret || has_password(setting, value);
        *given = *given || mine;
        return ir_setting_set(setting, context->target, value, error);
    }
    if (!common) {
        return ir_error_set(error, IR_ERR_USAGE, "%s: no such setting%s", name,
                            ir_settings_like(context->program, name, like));
    }
    return is_one_of(all_settings, name, &nearest)
               ? IR_OK /* settings that only other programs have */
               : ir_error_set(error, IR_ERR_USAGE, "%s: no such setting of any program%s", name,
                              ir_nearest_text(&nearest, "", like));
}

static void load_file(const ir_program_t *program, void *target, const char *path, bool *given,
                      ir_fault_list_t *faults) {
    ir_error_t fault;
    ir_file_context_t context = {program, target, given, false};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        ir_error_set(&fault, IR_ERR_USAGE, "%s: cannot read the settings file: %s", path,
                     strerror(errno));
        ir_fault_list_add(faults, 0, &fault);
        return;
    }
    ir_ini_read(file, path, take_from_file, &context, faults);
    if (context.secret && ir_secret_file_check(file, path, &fault) != IR_OK) {
        ir_fault_list_add(faults, 0, &fault);
    }
    (void)fclose(file);
}

static void environment_name(const char *name, char out[static ENVIRONMENT_NAME_SIZE]) {
    int length = snprintf(out, ENVIRONMENT_NAME_SIZE, "IR_%s", name);
    for (int i = 0; i < length && i < ENVIRONMENT_NAME_SIZE - 1; i++) {
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
    }
}

/* Erases a password from the environment once it is read, so that neither /proc/PID/environ nor
 * child processes have it. */
static void forget_password(const ir_setting_t *setting, const char *name, char *value) {
    if (has_password(setting, value)) {
        explicit_bzero(value, strlen(value));
        unsetenv(name);
    }
}

/* IR_CACHE looks like a setting, but is a variable of the project's scripts. */
static const char OF_THE_SCRIPTS[] = "cache";

/* Reports a variable that is not a setting of any program but so similar to one that it is probably
 * misspelt. Other variables that begin with IR_ are ignored. */
static void check_environment(const ir_program_t *program, ir_fault_list_t *faults) {
    for (char **entry = environ; *entry != NULL; entry++) {
        char name[ENVIRONMENT_NAME_SIZE];
        char meant[ENVIRONMENT_NAME_SIZE];
        const size_t size = strcspn(*entry, "=");
        if (strncmp(*entry, "IR_", 3) != 0 || size >= sizeof name) {
            continue;
        }
        for (size_t i = 3; i <= size; i++) {
            const char c = (*entry)[i];
            name[i - 3] = i == size ? '\0' : c == '_' ? '-' : (char)tolower((unsigned char)c);
        }
        ir_nearest_t nearest;
        if (ir_settings_find(program, name) == NULL && !is_one_of(all_settings, name, &nearest) &&
            nearest.name != NULL && strcmp(name, OF_THE_SCRIPTS) != 0) {
            ir_error_t fault;
            environment_name(nearest.name, meant);
            ir_error_set(&fault, IR_ERR_USAGE,
                         "environment %.*s: no such setting; did you mean %s?", (int)size, *entry,
                         meant);
            ir_fault_list_add(faults, PLACE_ENVIRONMENT, &fault);
        }
    }
}

static void load_environment(const ir_program_t *program, void *target, ir_fault_list_t *faults) {
    for (size_t i = 0; i < program->n_settings; i++) {
        const ir_setting_t *setting = &program->settings[i];
        char name[ENVIRONMENT_NAME_SIZE];
        environment_name(setting->name, name);
        char *value = getenv(name);
        ir_error_t inner;
        ir_error_t fault;
        if (value != NULL && ir_setting_set(setting, target, value, &inner) != IR_OK) {
            ir_error_set(&fault, IR_ERR_USAGE, "environment %s: %s", name, inner.text);
            ir_fault_list_add(faults, PLACE_ENVIRONMENT, &fault);
        } else if (value != NULL) {
            forget_password(setting, name, value);
        }
    }
    check_environment(program, faults);
}

/* ---- the command line ---- */

/* Values that getopt_long returns: for a built-in option this plus its ir_built_in_t, then the
 * settings. */
enum { OPTION_BUILT_IN = FIRST_LONG_VALUE, OPTION_FIRST_SETTING = OPTION_BUILT_IN + IR_BUILT_INS };

typedef struct ir_command_line {
    struct option *options; /* built-in ones first */
    char *letters;
    bool *given; /* settings on the command line, or in the program's own section of the file */
    const char *file;
    int asked; /* the built-in option to serve (ir_built_in_t), or 0 */
} ir_command_line_t;

static bool open_command_line(const ir_program_t *program, ir_command_line_t *line) {
    line->options = calloc(program->n_settings + IR_BUILT_INS + 1, sizeof *line->options);
    line->letters = calloc(program->n_settings * 2 + 8, 1);
    line->given = calloc(program->n_settings, sizeof *line->given);
    if (line->options == NULL || line->letters == NULL || line->given == NULL) {
        return false;
    }
    for (int i = 0; i < IR_BUILT_INS; i++) {
        const ir_built_in_option_t *option = &ir_built_in_options[i];
        line->options[i] =
            (struct option){option->name, option->unit != NULL ? required_argument : no_argument,
                            NULL, OPTION_BUILT_IN + i};
    }
    char *letter = line->letters;
    *letter++ = ':';
    *letter++ = 'h';
    for (size_t i = 0; i < program->n_settings; i++) {
        const ir_setting_t *setting = &program->settings[i];
        const bool flag = setting->type == IR_SETTING_FLAG;
        line->options[IR_BUILT_INS + i] =
            (struct option){setting->name, flag ? optional_argument : required_argument, NULL,
                            OPTION_FIRST_SETTING + (int)i};
        if (setting->letter != 0) {
            *letter++ = setting->letter;
            if (!flag) {
                *letter++ = ':';
            }
        }
    }
    return true;
}

static void close_command_line(ir_command_line_t *line) {
    free(line->options);
    free(line->letters);
    free(line->given);
}

static const ir_setting_t *setting_of_option(const ir_program_t *program, int value) {
    if (value >= OPTION_FIRST_SETTING) {
        return &program->settings[value - OPTION_FIRST_SETTING];
    }
    for (size_t i = 0; i < program->n_settings; i++) {
        if (program->settings[i].letter == value) {
            return &program->settings[i];
        }
    }
    return NULL;
}

static ir_status_t set_from_command_line(const ir_setting_t *setting, void *target,
                                         const char *value, ir_error_t *error) {
    char name[ENVIRONMENT_NAME_SIZE];
    environment_name(setting->name, name);
    if (setting->type == IR_SETTING_SECRET) {
        return ir_error_set(error, IR_ERR_USAGE, IR_TEXT_SECRET_ON_COMMAND_LINE, setting->name,
                            name, setting->name);
    }
    if (setting->type == IR_SETTING_URI && ir_uri_has_password(value)) {
        return ir_error_set(error, IR_ERR_USAGE, IR_TEXT_URI_ON_COMMAND_LINE, setting->name, name);
    }
    return ir_setting_set(setting, target, value, error);
}

static ir_status_t bad_option(const ir_program_t *program, int value, char **argv,
                              ir_error_t *error) {
    const char *what = argv[optind - 1];
    char name[IR_NEAREST_SIZE] = "";
    char like[IR_NEAREST_TEXT_SIZE];
    if (value == ':') {
        return ir_error_set(error, IR_ERR_USAGE, "%.80s: wants a value", what);
    }
    if (strncmp(what, "--", 2) == 0) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(what + 2, "="), what + 2);
    }
    return ir_error_set(error, IR_ERR_USAGE, "%.80s: no such option%s; see --help", what,
                        ir_settings_like(program, name, like));
}

/* Handles the next option. In the first pass `target` is NULL: only built-in options, such as
 * --settings FILE, and unknown ones are handled. */
static ir_status_t take_option(const ir_program_t *program, int value, char **argv,
                               ir_command_line_t *line, void *target, ir_error_t *error) {
    const ir_setting_t *setting = setting_of_option(program, value);
    if (value == OPTION_BUILT_IN + IR_BUILT_IN_SETTINGS) {
        line->file = optarg;
    } else if (value == 'h' && setting == NULL) {
        line->asked = IR_BUILT_IN_HELP;
    } else if (value >= OPTION_BUILT_IN && value < OPTION_FIRST_SETTING) {
        line->asked = value - OPTION_BUILT_IN;
    } else if (setting == NULL) {
        return target == NULL ? bad_option(program, value, argv, error) : IR_OK;
    } else if (target != NULL) {
        line->given[setting - program->settings] = true;
        return set_from_command_line(setting, target, optarg != NULL ? optarg : "true", error);
    }
    return IR_OK;
}

static void walk_command_line(const ir_program_t *program, int argc, char **argv,
                              ir_command_line_t *line, void *target, ir_fault_list_t *faults) {
    optind = 0;
    opterr = 0;
    int value = 0;
    while ((value = getopt_long(argc, argv, line->letters, line->options, NULL)) != -1) {
        ir_error_t fault = {.status = IR_OK};
        if (take_option(program, value, argv, line, target, &fault) != IR_OK) {
            ir_fault_list_add(faults, PLACE_COMMAND_LINE, &fault);
        }
    }
}

/* ---- all together ---- */

static bool is_off(const ir_setting_t *setting, const void *target) {
    const char *value = (const char *)target + setting->offset;
    switch (setting->type) {
    case IR_SETTING_NUMBER:
        return *(const double *)(const void *)value == 0;
    case IR_SETTING_FLAG:
        return !*(const bool *)(const void *)value;
    case IR_SETTING_CHOICE:
        return *(const int *)(const void *)value == 0;
    case IR_SETTING_INTEGER:
    case IR_SETTING_SIZE:
    case IR_SETTING_DURATION:
        return *(const int64_t *)(const void *)value == 0;
    default:
        return ir_setting_text(*(char *const *)(const void *)value) == NULL;
    }
}

/* Refuses a setting that was given but would have no effect. */
static ir_status_t check_given(const ir_program_t *program, const void *target,
                               const ir_command_line_t *line, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; program->applies != NULL && i < program->n_settings && status == IR_OK;
         i++) {
        if (line->given[i] && !is_off(&program->settings[i], target)) {
            status = program->applies(target, program->settings[i].name, error);
        }
    }
    return status;
}

static ir_status_t load_all(const ir_program_t *program, int argc, char **argv,
                            ir_command_line_t *line, void *target, const ir_teller_t *teller,
                            ir_error_t *error) {
    ir_fault_list_t faults = {.count = 0};
    ir_status_t status = load_defaults(program, target, error);
    if (status != IR_OK) {
        return status;
    }
    walk_command_line(program, argc, argv, line, NULL, &faults);
    if (faults.count == 0 && line->asked != 0 && line->asked != IR_BUILT_IN_PRINT_SETTINGS) {
        return IR_OK;
    }
    if (line->file != NULL) {
        load_file(program, target, line->file, line->given, &faults);
    }
    load_environment(program, target, &faults);
    walk_command_line(program, argc, argv, line, target, &faults);
    status = ir_fault_list_conclude(&faults, "the settings", teller, error);
    if (status == IR_OK && program->check != NULL) {
        status = program->check(target, error);
    }
    return status == IR_OK ? check_given(program, target, line, error) : status;
}

static ir_settings_verdict_t answer(const ir_program_t *program, const ir_command_line_t *line,
                                    const void *target) {
    switch (line->asked) {
    case IR_BUILT_IN_PRINT_SETTINGS:
        ir_settings_print_effective(program, target, stdout);
        break;
    case IR_BUILT_IN_PRINT_EXAMPLE:
        ir_settings_print_example(program, stdout);
        break;
    case IR_BUILT_IN_PRINT_MANUAL:
        ir_settings_print_markdown(program, stdout);
        break;
    case IR_BUILT_IN_PRINT_JSON:
        ir_settings_print_json(program, stdout);
        break;
    case IR_BUILT_IN_HELP:
        ir_settings_print_help(program, stdout);
        break;
    case IR_BUILT_IN_VERSION:
        printf("%s %s\n", program->name, IR_VERSION);
        break;
    default:
        return IR_SETTINGS_RUN;
    }
    return IR_SETTINGS_EXIT;
}

ir_settings_verdict_t ir_settings_load(const ir_program_t *program, int argc, char **argv,
                                       void *target, int *first_argument, const ir_teller_t *teller,
                                       ir_error_t *error) {
    ir_command_line_t line = {.options = NULL};
    ir_settings_verdict_t verdict = IR_SETTINGS_WRONG;
    if (!open_command_line(program, &line)) {
        ir_error_set(error, IR_ERR_MEMORY, "out of memory for the settings");
    } else if (load_all(program, argc, argv, &line, target, teller, error) == IR_OK) {
        *first_argument = optind;
        verdict = answer(program, &line, target);
    }
    close_command_line(&line);
    return verdict;
}
