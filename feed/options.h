/* The settings of ir-feed. */
#ifndef IR_FEED_OPTIONS_H
#define IR_FEED_OPTIONS_H

#include "broker/settings.h"
#include "common/log.h"
#include "common/program.h"
#include "common/settings.h"
#include "send/mote_tokens.h"
#include "send/settings.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define IR_FEED_SETTINGS(SETTING, GROUP) \
    SETTING(TEXT, map, "map", 'm', "FILE", NULL, 0, 0, NULL, \
        "The mapping file: where the data files are, and which column is which sensor.") \
    SETTING(TEXT, state, "state", 's', "DIR", NULL, 0, 0, NULL, \
        "Directory that records how far each file is confirmed, and holds uplinks; empty: " \
        "files are read from their start.") \
    SETTING(URI, target, "target", 't', "URI", NULL, 0, 0, NULL, \
        "Where to send: http(s)://HOST:PORT, mqtt(s)://, amqp(s)://, or null: (nowhere). " \
        "Empty: the broker of 'amqp'.") \
    SETTING(FLAG, follow, "follow", 'f', NULL, NULL, 0, 0, NULL, \
        "Continue after everything is sent: look for new rows, and subscribe to uplinks.") \
    SETTING(FLAG, check, "check", 0, NULL, NULL, 0, 0, NULL, \
        "Send nothing; show the columns, the unusable rows, and the first packs.") \
    SETTING(TEXT, registry, "registry", 0, "FILE", NULL, 0, 0, NULL, \
        "With --check: also check that the sensors are registered, with their mote and unit.") \
    SETTING(DURATION, poll_ns, "poll", 0, "TIME", NULL, 0.1 * IR_SECOND, IR_DAY, "5s", \
        "With --follow: interval at which a position's files are checked for new rows.") \
    SETTING(INTEGER, round_packs, "round", 0, "N", NULL, 1, ROUND_PACKS_MAX, "20000", \
        "Maximum number of a position's packs that are read, sorted by time and confirmed " \
        "together; about 300 bytes of memory each.") \
    SETTING(INTEGER, window, "window", 'w', "N", NULL, 1, IR_SENDER_OPEN_MAX, "2000", \
        "Maximum number of unconfirmed packs.") \
    SETTING(INTEGER, connections, "connections", 'c', "N", NULL, 0, 1024, "0", \
        "Connections for HTTP; 0: 16.") \
    SETTING(SIZE, spool_bytes, "spool-bytes", 0, "BYTES", NULL, IR_MIB, 1024 * IR_GIB, "64Mi", \
        "Maximum size on disk of a position's waiting uplinks; beyond that the program " \
        "disconnects from their broker.") \
    SETTING(DURATION, retry_for_ns, "retry-for", 0, "TIME", NULL, 0, 365 * IR_DAY, "0s", \
        "Exit if the target is away for this long; 0: never.") \
    GROUP(ir_send_settings_t, send, IR_SEND_SETTINGS) \
    GROUP(ir_broker_settings_t, broker, IR_BROKER_SETTINGS) \
    IR_TIMEOUT_SETTING(SETTING, timeout_ns, "30s", "a server") \
    IR_LOG_SETTINGS(SETTING, log_level) \
    IR_PROGRAM_SETTINGS(SETTING, core_dumps)
/* clang-format on */

/* Filled by common/settings.h. */
typedef struct ir_feed_options {
    IR_FEED_SETTINGS(IR_SETTING_MEMBER, IR_SETTING_MEMBERS)
} ir_feed_options_t;

extern const ir_program_t ir_feed_program;

/* Makes the one target: the given one, or the broker. `tokens` may be NULL. The tokens and the
 * options must outlive the target. Free it with ir_targets_free. */
ir_status_t ir_feed_target(const ir_feed_options_t *options, const ir_mote_tokens_t *tokens,
                           ir_targets_t *targets, ir_error_t *error);

#endif
