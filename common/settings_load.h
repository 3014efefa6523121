/* Fills a program's settings from all sources: defaults, file, environment, command line. */
#ifndef IR_COMMON_SETTINGS_LOAD_H
#define IR_COMMON_SETTINGS_LOAD_H

#include "common/fault_list.h"
#include "common/settings.h"

typedef enum ir_settings_verdict {
    IR_SETTINGS_RUN,  /* continue */
    IR_SETTINGS_EXIT, /* --help, --version or --print-… was served: exit 0 */
    IR_SETTINGS_WRONG /* `error` names the setting, its source and what is allowed: exit 2. All
                         faults are reported (see ir_fault_list_conclude): those of the file by
                         their lines, then those of the environment and the command line */
} ir_settings_verdict_t;

/* Fills `target` (the program's struct, zeroed by the caller) from all sources. These options are
 * built in: --settings FILE, --help, --version, --print-settings (effective values as INI, secrets
 * masked), --print-example, --print-manual and --print-json. *first_argument is the index of the
 * first non-option argument in argv. An unknown setting in the file is an error. Ignored are the
 * sections of other programs, and settings in [common] that only other programs have (they are
 * listed in common/setting_names.inc, which `make river.conf` writes). --print-settings prints only
 * after all checks have passed. `target` owns its texts; free them with ir_settings_free. Call
 * before any thread is started. */
ir_settings_verdict_t ir_settings_load(const ir_program_t *program, int argc, char **argv,
                                       void *target, int *first_argument, const ir_teller_t *teller,
                                       ir_error_t *error);

#endif
