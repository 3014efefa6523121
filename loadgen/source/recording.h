/* The rows of a replay as messages: one for each station and time, or one for each row, repeated as
 * often as requested. Everything except the time is rendered once, when the recording is opened.
 * After that, a message only costs a copy and the computation of its ids. */
#ifndef IR_LOADGEN_SOURCE_RECORDING_H
#define IR_LOADGEN_SOURCE_RECORDING_H

#include "loadgen/source/source.h"

/* Loads options->replay. IR_ERR_USAGE when it cannot be repeated that often. Otherwise like
 * ir_source_open. */
ir_status_t ir_recording_open(const ir_source_options_t *options, ir_source_t *source,
                              ir_error_t *error);

#endif
