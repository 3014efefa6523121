/* The settings of ir-tap. */
#ifndef IR_TAP_OPTIONS_H
#define IR_TAP_OPTIONS_H

#include "broker/settings.h"
#include "common/settings.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_tap_show { IR_TAP_ALL, IR_TAP_PROCESSED, IR_TAP_REJECTED } ir_tap_show_t;

typedef struct ir_tap_options {
    ir_broker_settings_t broker;
    int64_t timeout_ns;
    int show; /* ir_tap_show_t */
    char *mote, *property, *format, *quality, *reason;
    bool rate, json;
    int64_t limit;
    bool core_dumps;
} ir_tap_options_t;

extern const ir_program_t ir_tap_program;

#endif
