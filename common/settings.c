#include "common/settings.h"

#include "common/log.h"
#include "common/messages.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static void *field(const ir_setting_t *setting, void *target) {
    return (char *)target + setting->offset;
}

const ir_setting_t *ir_settings_find(const ir_program_t *program, const char *name) {
    for (size_t i = 0; i < program->n_settings; i++) {
        if (strcmp(program->settings[i].name, name) == 0) {
            return &program->settings[i];
        }
    }
    return NULL;
}

const char *ir_settings_like(const ir_program_t *program, const char *name,
                             char out[static IR_NEAREST_TEXT_SIZE]) {
    ir_nearest_t nearest = ir_nearest(ir_view_text(name));
    for (size_t i = 0; i < program->n_settings; i++) {
        ir_nearest_try(&nearest, program->settings[i].name);
    }
    return ir_nearest_text(&nearest, "", out);
}

typedef struct ir_suffix {
    const char *text;
    double factor;
} ir_suffix_t;

static const ir_suffix_t size_suffixes[] = {
    {"", 1},         {"k", 1e3},      {"M", 1e6},      {"G", 1e9},
    {"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {NULL, 0},
};
static const ir_suffix_t duration_suffixes[] = {
    {"ns", 1},     {"us", 1e3},  {"ms", 1e6},   {"s", 1e9},
    {"min", 60e9}, {"h", 36e11}, {"d", 864e11}, {NULL, 0},
};

/* Parses a decimal number with an optional suffix from `suffixes`. Returns false for any other
 * text. */
static bool parse_scaled(const char *text, const ir_suffix_t *suffixes, double *value) {
    if (!isdigit((unsigned char)text[0]) && text[0] != '-') {
        return false;
    }
    char *end = NULL;
    const double number = strtod(text, &end);
    for (const ir_suffix_t *suffix = suffixes; suffix->text != NULL; suffix++) {
        if (strcmp(end, suffix->text) == 0) {
            *value = number * suffix->factor;
            return isfinite(*value) && fabs(*value) < 9.2e18;
        }
    }
    return false;
}

static bool parse_flag(const char *text, bool *value) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *text, const char *choices, int *value) {
    const size_t size = strlen(text);
    int index = 0;
    for (const char *word = choices;; index++) {
        const size_t length = strcspn(word, "|");
        if (length == size && memcmp(word, text, size) == 0) {
            *value = index;
            return true;
        }
        if (word[length] == '\0') {
            return false;
        }
        word += length + 1;
    }
}

ir_view_t ir_setting_word(const char *choices, int index) {
    for (; index > 0; index--) {
        choices += strcspn(choices, "|") + 1;
    }
    return ir_view(choices, strcspn(choices, "|"));
}

static ir_status_t wrong_value(const ir_setting_t *setting, const char *value, const char *wanted,
                               ir_error_t *error) {
    const bool hidden = setting->type == IR_SETTING_SECRET;
    return ir_error_set(error, IR_ERR_USAGE, "%s: '%.80s' is not %s", setting->name,
                        hidden ? "***" : value, wanted);
}

static ir_status_t check_bounds(const ir_setting_t *setting, const char *value, double number,
                                ir_error_t *error) {
    if ((setting->min == 0 && setting->max == 0) ||
        (number >= setting->min && number <= setting->max)) {
        return IR_OK;
    }
    const bool time = setting->type == IR_SETTING_DURATION;
    return ir_error_set(error, IR_ERR_USAGE, "%s: %.80s is outside %.15g … %.15g%s", setting->name,
                        value, setting->min / (time ? 1e9 : 1), setting->max / (time ? 1e9 : 1),
                        time ? " seconds" : "");
}

static ir_status_t set_number(const ir_setting_t *setting, const char *value, double *number,
                              ir_error_t *error) {
    static const ir_suffix_t plain[] = {{"", 1}, {NULL, 0}};
    const bool time = setting->type == IR_SETTING_DURATION;
    const bool real = setting->type == IR_SETTING_NUMBER;
    if (!parse_scaled(value, time ? duration_suffixes : real ? plain : size_suffixes, number)) {
        return wrong_value(setting, value,
                           time   ? "a duration with a unit (ns us ms s min h d)"
                           : real ? "a number"
                                  : "a whole number (k M G Ki Mi Gi may follow)",
                           error);
    }
    if (!real && *number != floor(*number)) {
        return wrong_value(setting, value, "a whole number", error);
    }
    return check_bounds(setting, value, *number, error);
}

static ir_status_t set_text(const ir_setting_t *setting, void *target, const char *value,
                            ir_error_t *error) {
    if (strlen(value) > IR_SETTING_TEXT_MAX) {
        return ir_error_set(error, IR_ERR_USAGE, "%s: longer than %d characters", setting->name,
                            IR_SETTING_TEXT_MAX);
    }
    char *copy = strdup(value);
    if (copy == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory", setting->name);
    }
    char **text = field(setting, target);
    free(*text);
    *text = copy;
    return IR_OK;
}

ir_status_t ir_setting_set(const ir_setting_t *setting, void *target, const char *value,
                           ir_error_t *error) {
    double number = 0;
    ir_status_t status = IR_OK;
    switch (setting->type) {
    case IR_SETTING_TEXT:
    case IR_SETTING_SECRET:
    case IR_SETTING_URI:
        return set_text(setting, target, value, error);
    case IR_SETTING_FLAG:
        return parse_flag(value, field(setting, target))
                   ? IR_OK
                   : wrong_value(setting, value, "true or false", error);
    case IR_SETTING_CHOICE:
        return parse_choice(value, setting->choices, field(setting, target))
                   ? IR_OK
                   : wrong_value(setting, value, setting->choices, error);
    case IR_SETTING_INTEGER:
    case IR_SETTING_SIZE:
    case IR_SETTING_DURATION:
        status = set_number(setting, value, &number, error);
        if (status == IR_OK) {
            *(int64_t *)field(setting, target) = (int64_t)number;
        }
        return status;
    case IR_SETTING_NUMBER:
        status = set_number(setting, value, &number, error);
        if (status == IR_OK) {
            *(double *)field(setting, target) = number;
        }
        return status;
    }
    return ir_error_set(error, IR_ERR_USAGE, "%s: unknown type", setting->name);
}

ir_status_t ir_settings_set(const ir_program_t *program, void *target, const char *name,
                            const char *value, ir_error_t *error) {
    const ir_setting_t *setting = ir_settings_find(program, name);
    char like[IR_NEAREST_TEXT_SIZE];
    if (setting == NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "%s: no such setting%s", name,
                            ir_settings_like(program, name, like));
    }
    return ir_setting_set(setting, target, value, error);
}

void ir_settings_free(const ir_program_t *program, void *target) {
    for (size_t i = 0; i < program->n_settings; i++) {
        if (ir_setting_is_text(&program->settings[i])) {
            char **text = field(&program->settings[i], target);
            free(*text);
            *text = NULL;
        }
    }
}

/* ---- URIs ---- */

/* Finds the password of the first "scheme://user:password@" after `from`. */
static bool find_password(const char *from, const char **begin, const char **end) {
    for (const char *mark = strstr(from, "://"); mark != NULL; mark = strstr(mark + 3, "://")) {
        const char *authority = mark + 3;
        const size_t size = strcspn(authority, "/?#, ");
        const char *at = NULL;
        for (size_t i = 0; i < size; i++) {
            if (authority[i] == '@') {
                at = authority + i;
            }
        }
        const char *colon = at != NULL ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
        if (colon != NULL) {
            *begin = colon + 1;
            *end = at;
            return true;
        }
    }
    return false;
}

bool ir_uri_has_password(const char *uri) {
    const char *begin = NULL;
    const char *end = NULL;
    return find_password(uri, &begin, &end);
}

const char *ir_uri_password_apart(const char *uri, const char *apart) {
    return ir_uri_has_password(uri) ? NULL : ir_setting_text(apart);
}

void ir_uri_warn_of_passwords(const char *setting, const char *uri, const char *apart) {
    const char *begin = NULL;
    const char *end = NULL;
    if (ir_setting_text(apart) != NULL && find_password(uri, &begin, &end) &&
        (strlen(apart) != (size_t)(end - begin) || memcmp(apart, begin, strlen(apart)) != 0)) {
        ir_log(IR_LOG_WARN, IR_TEXT_TWO_PASSWORDS, setting, setting);
    }
}

const char *ir_uri_masked(const char *uri, char *out, size_t size) {
    size_t length = 0;
    const char *begin = NULL;
    const char *end = NULL;
    out[0] = '\0';
    while (find_password(uri, &begin, &end) && length < size) {
        length += (size_t)snprintf(out + length, size - length, "%.*s***", (int)(begin - uri), uri);
        uri = end;
    }
    if (length < size) {
        snprintf(out + length, size - length, "%s", uri);
    }
    return out;
}
