/* The settings of every program that talks to RabbitMQ. */
#ifndef IR_BROKER_SETTINGS_H
#define IR_BROKER_SETTINGS_H

#include "broker/connection.h"
#include "common/settings.h"
#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

/* `in` is the path to these settings in a program's struct, for example `broker.`. */
/* clang-format off */
#define IR_BROKER_SETTINGS(SETTING, in) \
    SETTING(URI, in uri, "amqp", 'a', "URI", NULL, 0, 0, "amqp://localhost", \
        "RabbitMQ: amqp(s)://[USER@]HOST[:PORT][/VHOST]; several, separated by commas, are " \
        "tried in turn.") \
    SETTING(SECRET, in password, "amqp-password", 0, "TEXT", NULL, 0, 0, NULL, \
        "RabbitMQ's password.") \
    SETTING(TEXT, in ca, "amqp-ca", 0, "FILE", NULL, 0, 0, NULL, \
        "Certificate authority for amqps.") \
    SETTING(SIZE, in publish_bytes, "publish-bytes", 0, "BYTES", NULL, IR_KIB, 512 * IR_MIB, \
        "16Mi", \
        "Larger messages are refused, not published; RabbitMQ 4 accepts 16 MiB.") \
    SETTING(DURATION, in heartbeat_ns, "heartbeat", 0, "TIME", NULL, 2e9, 600e9, "20s", \
        "AMQP heartbeat interval.")

/* `initial`: the default; `peer`: who answers. */
#define IR_TIMEOUT_SETTING(SETTING, member, initial, peer) \
    SETTING(DURATION, member, "timeout", 0, "TIME", NULL, 0.1 * IR_SECOND, 3600 * IR_SECOND, initial, \
        "Maximum time to wait for an answer from " peer ".")

#define IR_TRUSTED_USERS_SETTING(SETTING, member) \
    SETTING(TEXT, member, "trusted-users", 0, "LIST", NULL, 0, 0, "gateway,operator", \
        "RabbitMQ users, separated by commas, whose header ir-arrival workers trust: those of " \
        "gateways, and the one that replays dead letters. For other users the broker's stamp " \
        "counts.")
/* clang-format on */

/* Filled by common/settings.h. The program's struct owns the texts. */
typedef struct ir_broker_settings {
    IR_BROKER_SETTINGS(IR_SETTING_MEMBER, )
} ir_broker_settings_t;

/* Derives options from the settings. Texts are not copied, so the settings must outlive them.
 * `role` becomes the connection's name. */
void ir_broker_settings_options(const ir_broker_settings_t *settings, const char *role,
                                int64_t timeout_ns, ir_broker_options_t *broker);

/* Checks rules that involve more than one setting. */
ir_status_t ir_broker_settings_check(const ir_broker_settings_t *settings, ir_error_t *error);

#endif
