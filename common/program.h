/* How every program begins and ends. `main` reads its settings with ir_program_begin, does its
 * work, and frees them with ir_settings_free, whatever came. */
#ifndef IR_COMMON_PROGRAM_H
#define IR_COMMON_PROGRAM_H

#include "common/settings.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdio.h>

enum { IR_EXIT_DONE = 0, IR_EXIT_FAILED = 1, IR_EXIT_USAGE = 2 };

/* The exit status of a program whose work ended so. */
int ir_program_exit(ir_status_t status);

/* The same, after saying on standard error why it ended so. */
int ir_program_refuse(const ir_program_t *program, const ir_error_t *error);

/* For a program whose event loop is over: from now on SIGHUP, SIGINT and SIGTERM, which the loop no
 * longer handles, change nothing about how it ends. By the thread that takes signals. */
void ir_program_ends(void);

/* IR_ERR_IO when not all that was written to `out` got through. */
ir_status_t ir_program_flush(FILE *out, ir_error_t *error);

/* Fills `options` (the program's struct, zeroed) as ir_settings_load does. True: go on; the
 * arguments that are no options begin at argv[*first_argument], and a program without `usage` has
 * none. False: an option like --help was served, or something is wrong and was said; *exit_status
 * says which. */
bool ir_program_begin(const ir_program_t *program, int argc, char **argv, void *options,
                      int *first_argument, int *exit_status);

#endif
