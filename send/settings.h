/* The settings of every program that sends over several protocols. */
#ifndef IR_SEND_SETTINGS_H
#define IR_SEND_SETTINGS_H

#include "common/settings.h"

#include <stddef.h>
#include <stdint.h>

/* `in` is the path to these settings in a program's struct, for example `send.`. */
/* clang-format off */
#define IR_SEND_SETTINGS(SETTING, in) \
    SETTING(INTEGER, in request_packs, "request-packs", 0, "N", NULL, 1, 1000, "100", \
        "Maximum number of packs in one HTTP request. Waiting JSON packs of one mote are sent " \
        "together, one per line; 1: each separately.") \
    SETTING(TEXT, in ca, "ca", 0, "FILE", NULL, 0, 0, NULL, \
        "Certificate authority for the targets with TLS.") \
    SETTING(TEXT, in mote_tokens, "mote-tokens", 0, "FILE", NULL, 0, 0, NULL, \
        "File with the tokens for HTTP: lines MOTE TOKEN.") \
    SETTING(SECRET, in mqtt_password, "mqtt-password", 0, "TEXT", NULL, 0, 0, NULL, \
        "Password of the MQTT targets' user.")
/* clang-format on */

/* Filled by common/settings.h; texts are owned by the program's struct. */
typedef struct ir_send_settings {
    IR_SEND_SETTINGS(IR_SETTING_MEMBER, )
} ir_send_settings_t;

#endif
