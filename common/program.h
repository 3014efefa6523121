/* The start and the end of every program. `main` reads its settings with ir_program_begin, does its
 * work, and always frees them with ir_settings_free. */
#ifndef IR_COMMON_PROGRAM_H
#define IR_COMMON_PROGRAM_H

#include "common/fault_list.h"
#include "common/settings.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { IR_EXIT_DONE = 0, IR_EXIT_FAILED = 1, IR_EXIT_USAGE = 2 };

#define IR_CORE_DUMPS "core-dumps"

/* The setting that every program has (common/settings.h). */
/* clang-format off */
#define IR_PROGRAM_SETTINGS(SETTING, member) \
    SETTING(FLAG, member, IR_CORE_DUMPS, 0, NULL, NULL, 0, 0, NULL, \
        "Allow core dumps and debuggers of the same user; the program's memory contains " \
        "passwords.")
/* clang-format on */

/* The exit code for the status with which the program's work ended. */
int ir_program_exit(ir_status_t status);

/* Like ir_program_exit, but first prints the error on standard error. */
int ir_program_refuse(const ir_program_t *program, const ir_error_t *error);

/* Prints each line on standard error. */
extern const ir_teller_t ir_program_teller;

/* Call when the event loop has ended and no longer handles SIGHUP, SIGINT and SIGTERM: from now on
 * these signals are blocked, so that they cannot change the exit code. Call in the thread that
 * handles signals. */
void ir_program_ends(void);

/* Flushes `out`. IR_ERR_IO when anything written to it was lost. */
ir_status_t ir_program_flush(FILE *out, ir_error_t *error);

/* Fills `options` (the program's struct, zeroed) with ir_settings_load. Returns true when the
 * program shall run; argv[*first_argument] is then the first argument that is not an option. A
 * program without `usage` accepts no such argument. Returns false when an option such as --help was
 * served, or after printing what is wrong; *exit_status is then the exit code.
 *
 * Unless core-dumps is set, the process can be neither dumped nor traced (PR_SET_DUMPABLE,
 * prctl(2)), from before the first password is read. This is done for the whole process because
 * libraries keep copies of passwords, which our madvise(2) would not cover, and because a limit on
 * core files has no effect when core_pattern is a pipe (core(5)).
 *
 * The limit on open files is raised to the hard one. */
bool ir_program_begin(const ir_program_t *program, int argc, char **argv, void *options,
                      int *first_argument, int *exit_status);

#endif
