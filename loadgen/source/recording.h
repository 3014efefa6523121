/* The rows of a replay as messages: one for each station and time, or one for each row, the whole
 * as often as it is to be repeated. Everything but the time is rendered once, when it is opened, so
 * that a message costs a copy and its ids. */
#ifndef IR_LOADGEN_SOURCE_RECORDING_H
#define IR_LOADGEN_SOURCE_RECORDING_H

#include "loadgen/source/source.h"

/* Loads options->replay. IR_ERR_USAGE when it cannot be repeated so often. As ir_source_open. */
ir_status_t ir_recording_open(const ir_source_options_t *options, ir_source_t *source,
                              ir_error_t *error);

#endif
