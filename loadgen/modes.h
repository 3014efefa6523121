/* Says which settings of ir-loadgen apply in which mode. A setting that would have no effect is
 * refused. */
#ifndef IR_LOADGEN_MODES_H
#define IR_LOADGEN_MODES_H

#include "common/status.h"

/* For ir_program_t's `applies`; `options` is a checked ir_loadgen_options_t. */
ir_status_t ir_modes_check(const void *options, const char *setting, ir_error_t *error);

#endif
