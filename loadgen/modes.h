/* Which setting of ir-loadgen goes with which mode: one that would do nothing is refused. */
#ifndef IR_LOADGEN_MODES_H
#define IR_LOADGEN_MODES_H

#include "common/status.h"

/* As ir_program_t's `applies`; `options` is an ir_loadgen_options_t that was checked. */
ir_status_t ir_modes_check(const void *options, const char *setting, ir_error_t *error);

#endif
