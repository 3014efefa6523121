#include "tap/options.h"

#include <stddef.h>

#define IR_OPTIONS ir_tap_options_t
static const ir_setting_t settings[] = {IR_TAP_SETTINGS(IR_SETTING_ROW, IR_SETTING_ROWS)};

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
