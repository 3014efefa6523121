/* Settings: one table drives the file, the environment, the command line, --help and the manual.
 *
 * Precedence, lowest first: default; file (INI, section [common] or the program's name);
 * environment (IR_NAME: upper case, '-' becomes '_'); command line (--name=value or --name value).
 * A secret is accepted only from the file, which nobody else may be able to read
 * (common/secret_file.h), or from the environment, from which it is then erased. The command line
 * is not allowed, because other users can read it in the process list. A secret is printed as
 * "(set)". */
#ifndef IR_COMMON_SETTINGS_H
#define IR_COMMON_SETTINGS_H

#include "common/nearest.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ir_setting_type {
    IR_SETTING_TEXT,
    IR_SETTING_SECRET,   /* text; not allowed on the command line, never logged */
    IR_SETTING_URI,      /* text; a password in it is refused on the command line and masked */
    IR_SETTING_INTEGER,  /* int64_t; suffixes k, M, G (decimal) or Ki, Mi, Gi are allowed */
    IR_SETTING_SIZE,     /* int64_t bytes; the same suffixes */
    IR_SETTING_DURATION, /* int64_t ns; needs a unit: ns us ms s min h d */
    IR_SETTING_NUMBER,   /* double */
    IR_SETTING_FLAG,     /* bool: true/false/yes/no/on/off/1/0; a bare option means true */
    IR_SETTING_CHOICE    /* int: index into the '|'-separated words of `choices` */
} ir_setting_type_t;

typedef struct ir_setting {
    const char *name; /* its name on the command line, without "--" */
    char letter;      /* short option, or 0 */
    ir_setting_type_t type;
    const char *unit;    /* placeholder in --help: "URI", "FILE", "BYTES", … */
    const char *choices; /* for IR_SETTING_CHOICE */
    double min, max;     /* bounds of numbers, in the base unit (bytes, ns); both 0: no bounds */
    const char *initial; /* default as text; NULL: empty text, or 0 */
    size_t offset;       /* offsetof() the field in the program's struct; texts are char * */
    const char *help;    /* one sentence */
} ir_setting_t;

/* A program lists its settings in one macro. Its struct and its table follow from it, so the type
 * of a member always fits its setting. */
/* clang-format off */
/*   #define IR_X_SETTINGS(SETTING, GROUP) \
 *       SETTING(TEXT, name, "name", 'n', "NAME", NULL, 0, 0, NULL, "Name of this program.") \
 *       GROUP(ir_broker_settings_t, broker, IR_BROKER_SETTINGS)
 *   typedef struct ir_x_options {
 *       IR_X_SETTINGS(IR_SETTING_MEMBER, IR_SETTING_MEMBERS)
 *   } ir_x_options_t;
 *   #define IR_OPTIONS ir_x_options_t
 *   static const ir_setting_t settings[] = {IR_X_SETTINGS(IR_SETTING_ROW, IR_SETTING_ROWS)};
 *
 * SETTING takes the type (IR_SETTING_…), the member, and then the fields of ir_setting_t from name to
 * help. GROUP takes a struct, the member, and a list of settings that several programs have. */
#define IR_SETTING_MEMBER(type, member, ...) IR_SETTING_C_##type member;
#define IR_SETTING_MEMBERS(type, member, list) type member;
#define IR_SETTING_ROW(type, member, name, letter, unit, choices, min, max, initial, help) \
    {name, letter, IR_SETTING_##type, unit, choices, min, max, initial, offsetof(IR_OPTIONS, member), help},
#define IR_SETTING_ROWS(type, member, list) list(IR_SETTING_ROW, member.)
/* clang-format on */

#define IR_SETTING_C_TEXT char *
#define IR_SETTING_C_SECRET char *
#define IR_SETTING_C_URI char *
#define IR_SETTING_C_INTEGER int64_t
#define IR_SETTING_C_SIZE int64_t
#define IR_SETTING_C_DURATION int64_t
#define IR_SETTING_C_NUMBER double
#define IR_SETTING_C_FLAG bool
#define IR_SETTING_C_CHOICE int

typedef struct ir_program {
    const char *name;    /* "ir-worker" */
    const char *purpose; /* one line */
    const char *usage;   /* what follows the options: "[FILE…]", or "" */
    const char *notes;   /* printed after the options by --help, or NULL: examples, exit status */
    const ir_setting_t *settings;
    size_t n_settings;
    /* Checks rules that involve more than one setting. Returns IR_ERR_USAGE and the reason.
     * `options` is the program's struct. NULL: nothing to check. */
    ir_status_t (*check)(const void *options, ir_error_t *error);
    /* Checks that a setting has an effect with these options. Returns IR_ERR_USAGE and what it
     * requires. Called after `check` for each setting on the command line or in the program's own
     * section whose value is not 0, false or empty. NULL: all settings apply. */
    ir_status_t (*applies)(const void *options, const char *setting, ir_error_t *error);
} ir_program_t;

/* The setting of that name, or NULL. */
const ir_setting_t *ir_settings_find(const ir_program_t *program, const char *name);

/* "; did you mean NAME?" when a setting is like `name`, else nothing; for the end of a message.
 * Returns `out`. */
const char *ir_settings_like(const ir_program_t *program, const char *name,
                             char out[static IR_NEAREST_TEXT_SIZE]);

/* Sets the field of a setting from text. IR_ERR_USAGE: `error` names the setting and what is
 * allowed. */
ir_status_t ir_setting_set(const ir_setting_t *setting, void *target, const char *value,
                           ir_error_t *error);

/* Sets the field of the setting with this name. */
ir_status_t ir_settings_set(const ir_program_t *program, void *target, const char *name,
                            const char *value, ir_error_t *error);

void ir_settings_free(const ir_program_t *program, void *target);

#define IR_SETTING_TEXT_MAX 65536 /* bytes of a text, such as a list of a thousand files */

/* Whether its field is a char *. */
static inline bool ir_setting_is_text(const ir_setting_t *setting) {
    return setting->type == IR_SETTING_TEXT || setting->type == IR_SETTING_SECRET ||
           setting->type == IR_SETTING_URI;
}

/* The word of that index, which must exist, among the words of an IR_SETTING_CHOICE. It points into
 * `choices`. */
ir_view_t ir_setting_word(const char *choices, int index);

/* A text setting in the form libraries expect: NULL when it is empty. */
static inline const char *ir_setting_text(const char *text) {
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Whether the URI, or any in a list of URIs, contains a password. */
bool ir_uri_has_password(const char *uri);

/* The password for `uri` from its separate setting. NULL if there is none, or if the URI has a
 * password, which takes precedence. */
const char *ir_uri_password_apart(const char *uri, const char *apart);

/* Logs a warning if the URI's password and the separate setting both exist and differ. `setting` is
 * the name of the URI's setting; the other one is `setting`-password. */
void ir_uri_warn_of_passwords(const char *setting, const char *uri, const char *apart);

/* `uri` with its password replaced by "***", cut to `size`; for messages. Returns `out`. */
const char *ir_uri_masked(const char *uri, char *out, size_t size);

/* Units for the bounds in a settings table. */
#define IR_KIB 1024.0
#define IR_MIB (1024.0 * IR_KIB)
#define IR_GIB (1024.0 * IR_MIB)
#define IR_SECOND 1e9
#define IR_HOUR (3600.0 * IR_SECOND)
#define IR_DAY (24.0 * IR_HOUR)

/* Defined by the Makefile, from the file VERSION. */
#ifndef IR_VERSION
#error "compile with -DIR_VERSION='\"1.2.3\"'"
#endif

#endif
