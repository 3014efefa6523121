/* The settings of ir-tap. */
#ifndef IR_TAP_OPTIONS_H
#define IR_TAP_OPTIONS_H

#include "broker/settings.h"
#include "common/program.h"
#include "common/settings.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_tap_show { IR_TAP_ALL, IR_TAP_PROCESSED, IR_TAP_REJECTED } ir_tap_show_t;

/* clang-format off */
#define IR_TAP_SETTINGS(SETTING, GROUP) \
    GROUP(ir_broker_settings_t, broker, IR_BROKER_SETTINGS) \
    IR_TIMEOUT_SETTING(SETTING, timeout_ns, "30s", "the broker") \
    SETTING(CHOICE, show /* ir_tap_show_t */, "show", 0, "WORD", "all|processed|rejected", 0, 0, "all", \
        "Show published observations, refusals, or both.") \
    SETTING(TEXT, mote, "mote", 'm', "LIST", NULL, 0, 0, NULL, \
        "Only these motes, separated by commas.") \
    SETTING(TEXT, property, "property", 'p', "LIST", NULL, 0, 0, NULL, \
        "Only these properties, by their short names. The formats json, jsonld and " \
        "sensorthings contain the property.") \
    SETTING(TEXT, format, "format", 'f', "LIST", NULL, 0, 0, NULL, \
        "Only these formats. Without it, an observation is shown once for each format that is " \
        "published.") \
    SETTING(TEXT, quality, "quality", 'q', "LIST", NULL, 0, 0, NULL, \
        "Only observations with one of these flags, for example suspect,fail. The same formats " \
        "contain the quality.") \
    SETTING(TEXT, reason, "reason", 0, "LIST", NULL, 0, 0, NULL, \
        "Only refusals for these reasons.") \
    SETTING(FLAG, rate, "rate", 'r', NULL, NULL, 0, 0, NULL, \
        "Write figures once a second instead of observations.") \
    SETTING(FLAG, json, "json", 'j', NULL, NULL, 0, 0, NULL, \
        "Write JSON, one object per line.") \
    SETTING(INTEGER, limit, "limit", 0, "N", NULL, 0, 9e15, "0", \
        "Stop after this many lines; 0: run until a signal.") \
    IR_PROGRAM_SETTINGS(SETTING, core_dumps)
/* clang-format on */

typedef struct ir_tap_options {
    IR_TAP_SETTINGS(IR_SETTING_MEMBER, IR_SETTING_MEMBERS)
} ir_tap_options_t;

extern const ir_program_t ir_tap_program;

#endif
