/* How every program begins and ends. `main` reads its settings with ir_program_begin, does its
 * work, and frees them with ir_settings_free, whatever came. */
#ifndef IR_COMMON_PROGRAM_H
#define IR_COMMON_PROGRAM_H

#include "common/settings.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { IR_EXIT_DONE = 0, IR_EXIT_FAILED = 1, IR_EXIT_USAGE = 2 };

#define IR_CORE_DUMPS "core-dumps"

/* The row for a program's table (common/settings.h): `type` is its struct, `member` a bool. */
#define IR_PROGRAM_SETTINGS(type, member)                                                          \
    {                                                                                              \
        IR_CORE_DUMPS, 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, offsetof(type, member),         \
            "Let a crash leave a core dump, and its user's debuggers look into the program; "      \
            "passwords are in its memory."                                                         \
    }

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
 * says which. Unless core-dumps is set, the process cannot be dumped or traced (PR_SET_DUMPABLE,
 * prctl(2)) from before the first password is read: libraries keep copies of passwords where no
 * madvise(2) of ours would reach, and a limit on cores does not hold for a core_pattern that is a
 * pipe (core(5)). */
bool ir_program_begin(const ir_program_t *program, int argc, char **argv, void *options,
                      int *first_argument, int *exit_status);

#endif
