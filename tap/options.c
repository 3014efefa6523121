#include "tap/options.h"

#include "common/program.h"

#include <stddef.h>

#define FIELD(member) offsetof(ir_tap_options_t, member)

static const ir_setting_t settings[] = {
    IR_BROKER_SETTINGS(ir_tap_options_t, broker),
    {"timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, 3600 * IR_SECOND, "30s",
     FIELD(timeout_ns), "Maximum time to wait for an answer from the broker."},
    {"show", 0, IR_SETTING_CHOICE, "WORD", "all|processed|rejected", 0, 0, "all", FIELD(show),
     "Show published observations, refusals, or both."},
    {"mote", 'm', IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(mote),
     "Only these motes, separated by commas."},
    {"property", 'p', IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(property),
     "Only these properties, by their short names. The formats json, jsonld and sensorthings "
     "contain the property."},
    {"format", 'f', IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(format),
     "Only these formats. Without it, an observation is shown once for each format that is "
     "published."},
    {"quality", 'q', IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(quality),
     "Only observations with one of these flags, for example suspect,fail. The same formats "
     "contain the quality."},
    {"reason", 0, IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(reason),
     "Only refusals for these reasons."},
    {"rate", 'r', IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(rate),
     "Write figures once a second instead of observations."},
    {"json", 'j', IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(json),
     "Write JSON, one object per line."},
    {"limit", 0, IR_SETTING_INTEGER, "N", NULL, 0, 9e15, "0", FIELD(limit),
     "Stop after this many lines; 0: run until a signal."},
    IR_PROGRAM_SETTINGS(ir_tap_options_t, core_dumps),
};

const ir_program_t ir_tap_program = {
    .name = "ir-tap",
    .purpose = "Shows observations as they are published, and refusals with their reasons.",
    .usage = "",
    .notes =
        "It reads from its own bounded queue, which ends with the connection and does not\n"
        "affect other readers. Lines that it cannot write in time are dropped; standard error\n"
        "shows how many.\n"
        "Exit status: 0 ended by a signal or the limit, 1 failed, 2 wrong usage.\n"
        "Example: IR_AMQP=amqp://viewer:PASSWORD@host ir-tap --quality=suspect,fail\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
};
