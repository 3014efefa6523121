/* Opens the source that the options describe. */
#ifndef IR_LOADGEN_SOURCE_SOURCE_OPEN_H
#define IR_LOADGEN_SOURCE_SOURCE_OPEN_H

#include "common/status.h"
#include "loadgen/source/source.h"

/* The options need not outlive the source. `error` describes the fault in a file or a setting. On
 * failure, `source` is unchanged. */
ir_status_t ir_source_open(const ir_source_options_t *options, ir_source_t *source,
                           ir_error_t *error);

#endif
