#include "tap/options.h"

#include "common/program.h"

#include <stddef.h>

#define FIELD(member) offsetof(ir_tap_options_t, member)

static const ir_setting_t settings[] = {
    IR_BROKER_SETTINGS(ir_tap_options_t, broker),
    {"timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, 3600 * IR_SECOND, "30s",
     FIELD(timeout_ns), "Longest wait for one answer of the broker."},
    {"show", 0, IR_SETTING_CHOICE, "WORD", "all|processed|rejected", 0, 0, "all", FIELD(show),
     "What is published again, what is refused, or both."},
    {"mote", 'm', IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(mote),
     "Only of these motes, separated by commas."},
    {"property", 'p', IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(property),
     "Only of these properties, by their short names. The format must tell it: json, jsonld or "
     "sensorthings."},
    {"format", 'f', IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(format),
     "Only in these formats; without it, an observation is shown once for each that is published."},
    {"quality", 'q', IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(quality),
     "Only what is one of these, as suspect,fail. The format must tell it, as with property."},
    {"reason", 0, IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(reason),
     "Of what is refused: only for these reasons."},
    {"rate", 'r', IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(rate),
     "Write figures, one line a second, in the place of observations."},
    {"json", 'j', IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(json),
     "Write JSON, an object a line."},
    {"limit", 0, IR_SETTING_INTEGER, "N", NULL, 0, 9e15, "0", FIELD(limit),
     "End after this many lines; 0: go on until a signal."},
    IR_PROGRAM_SETTINGS(ir_tap_options_t, core_dumps),
};

const ir_program_t ir_tap_program = {
    .name = "ir-tap",
    .purpose = "Shows what passes, as it comes: observations that are published again, and what is "
               "refused.",
    .usage = "",
    .notes = "It has a queue of its own, which the broker bounds and which goes with the\n"
             "connection: the others notice nothing of it. What it could not write in time is\n"
             "left out, and its number told on standard error.\n"
             "Exit status: 0 ended by a signal or the limit, 1 failed, 2 wrong usage.\n"
             "Example: IR_AMQP=amqp://viewer:PASSWORD@host ir-tap --quality=suspect,fail\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
};
