/* Runs ir-feed: the rounds of all positions, their delivery, and the subscriptions. */
#ifndef IR_FEED_RUN_H
#define IR_FEED_RUN_H

#include "common/status.h"
#include "feed/map.h"
#include "feed/options.h"

#include <stdbool.h>

/* Sends everything available, and with `follow` continues until a signal. `*good`: everything read
 * was usable and is confirmed. */
ir_status_t ir_feed_run(const ir_feed_options_t *options, const ir_map_t *map, bool *good,
                        ir_error_t *error);

#endif
