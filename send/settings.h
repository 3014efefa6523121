/* The settings of every program that sends over several protocols. */
#ifndef IR_SEND_SETTINGS_H
#define IR_SEND_SETTINGS_H

#include "common/settings.h"

#include <stddef.h>
#include <stdint.h>

/* Filled by common/settings.h; texts are owned by the program's struct. */
typedef struct ir_send_settings {
    int64_t request_packs;
    char *ca, *mote_tokens, *mqtt_password;
} ir_send_settings_t;

/* The rows for a program's table: `type` is its struct, `member` the ir_send_settings_t in it. */
/* clang-format off */
#define IR_SEND_SETTINGS(type, member) \
    {"request-packs", 0, IR_SETTING_INTEGER, "N", NULL, 1, 1000, "100", offsetof(type, member.request_packs), \
     "Maximum number of packs in one HTTP request. Waiting JSON packs of one mote are sent together, one per " \
     "line; 1: each separately."}, \
    {"ca", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, offsetof(type, member.ca), \
     "Certificate authority for the targets with TLS."}, \
    {"mote-tokens", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, offsetof(type, member.mote_tokens), \
     "File with the tokens for HTTP: lines MOTE TOKEN."}, \
    {"mqtt-password", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL, offsetof(type, member.mqtt_password), \
     "Password of the MQTT targets' user."}
/* clang-format on */

#endif
