/* Subscribes on one connection and shows messages until a signal or the limit. */
#ifndef IR_TAP_TAP_H
#define IR_TAP_TAP_H

#include "common/status.h"
#include "tap/options.h"

/* Reconnects with back-off when the connection breaks, and logs it. IR_ERR_AUTH, IR_ERR_NOT_FOUND,
 * IR_ERR_USAGE: errors for which retrying would not help. */
ir_status_t ir_tap_run(const ir_tap_options_t *options, ir_error_t *error);

#endif
