/* Prints a program's settings: --help, --print-settings, --print-example, --print-manual and
 * --print-json. The caller checks `out` for errors (ir_program_flush). */
#ifndef IR_COMMON_SETTINGS_PRINT_H
#define IR_COMMON_SETTINGS_PRINT_H

#include "common/settings.h"

#include <stdio.h>

/* The options that every program has besides its settings, in the order of --help. */
typedef enum ir_built_in {
    IR_BUILT_IN_SETTINGS,
    IR_BUILT_IN_PRINT_SETTINGS,
    IR_BUILT_IN_PRINT_EXAMPLE,
    IR_BUILT_IN_PRINT_MANUAL,
    IR_BUILT_IN_PRINT_JSON,
    IR_BUILT_IN_HELP,
    IR_BUILT_IN_VERSION,
    IR_BUILT_INS /* how many */
} ir_built_in_t;

typedef struct ir_built_in_option {
    const char *name;
    char letter;      /* short option, or 0 */
    const char *unit; /* placeholder of its value; NULL: it has none */
    const char *help; /* one sentence */
} ir_built_in_option_t;

extern const ir_built_in_option_t ir_built_in_options[IR_BUILT_INS];

/* The manual's table as Markdown, and a commented example as INI. */
void ir_settings_print_markdown(const ir_program_t *program, FILE *out);
void ir_settings_print_example(const ir_program_t *program, FILE *out);

void ir_settings_print_help(const ir_program_t *program, FILE *out);

/* The values in `target`, as INI; passwords are masked. */
void ir_settings_print_effective(const ir_program_t *program, const void *target, FILE *out);

/* One JSON object on one line: name, purpose, usage, notes and version of the program; `settings`,
 * a list with name, letter, type, unit, choices, min, max, default and help of each; `built_in`, a
 * list with name, letter, unit and help of each. A key without a value is left out. Manual pages
 * and shell completions are generated from it. */
void ir_settings_print_json(const ir_program_t *program, FILE *out);

#endif
