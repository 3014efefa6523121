/* The settings of ir-feed. */
#ifndef IR_FEED_OPTIONS_H
#define IR_FEED_OPTIONS_H

#include "broker/settings.h"
#include "common/settings.h"
#include "send/mote_tokens.h"
#include "send/settings.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

/* Filled by common/settings.h. */
typedef struct ir_feed_options {
    char *map, *state, *target, *registry;
    bool check, follow;
    int64_t poll_ns, window, round_packs, connections, spool_bytes;
    int64_t retry_for_ns, timeout_ns;
    ir_send_settings_t send;
    ir_broker_settings_t broker;
    int log_level;
    bool core_dumps;
} ir_feed_options_t;

extern const ir_program_t ir_feed_program;

/* Makes the one target: the given one, or the broker. `tokens` may be NULL. The tokens and the
 * options must outlive the target. Free it with ir_targets_free. */
ir_status_t ir_feed_target(const ir_feed_options_t *options, const ir_mote_tokens_t *tokens,
                           ir_targets_t *targets, ir_error_t *error);

#endif
