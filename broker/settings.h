/* The settings of every program that talks to RabbitMQ. */
#ifndef IR_BROKER_SETTINGS_H
#define IR_BROKER_SETTINGS_H

#include "broker/connection.h"
#include "common/settings.h"
#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

/* Filled by common/settings.h. The program's struct owns the texts. */
typedef struct ir_broker_settings {
    char *uri, *password, *ca;
    int64_t heartbeat_ns;
    int64_t publish_bytes;
} ir_broker_settings_t;

/* Rows for a program's settings table. `type` is its struct, `member` the ir_broker_settings_t in
 * it. */
/* clang-format off */
#define IR_BROKER_SETTINGS(type, member) \
    {"amqp", 'a', IR_SETTING_URI, "URI", NULL, 0, 0, "amqp://localhost", offsetof(type, member.uri), \
     "RabbitMQ: amqp(s)://[USER@]HOST[:PORT][/VHOST]; several, separated by commas, are tried in " \
     "turn."}, \
    {"amqp-password", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL, offsetof(type, member.password), \
     "RabbitMQ's password."}, \
    {"amqp-ca", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, offsetof(type, member.ca), \
     "Certificate authority for amqps."}, \
    {"publish-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, IR_KIB, 512 * IR_MIB, "16Mi", \
     offsetof(type, member.publish_bytes), \
     "Larger messages are refused, not published; RabbitMQ 4 accepts 16 MiB."}, \
    {"heartbeat", 0, IR_SETTING_DURATION, "TIME", NULL, 2e9, 600e9, "20s", offsetof(type, member.heartbeat_ns), \
     "AMQP heartbeat interval."}
/* clang-format on */

/* Derives options from the settings. Texts are not copied, so the settings must outlive them.
 * `role` becomes the connection's name. */
void ir_broker_settings_options(const ir_broker_settings_t *settings, const char *role,
                                int64_t timeout_ns, ir_broker_options_t *broker);

/* Checks rules that involve more than one setting. */
ir_status_t ir_broker_settings_check(const ir_broker_settings_t *settings, ir_error_t *error);

#endif
