/* The settings table of ir-loadgen, and the check that settings do not contradict each other. It
 * fills an ir_loadgen_options_t. */
#ifndef IR_LOADGEN_SETTINGS_H
#define IR_LOADGEN_SETTINGS_H

#include "common/settings.h"

extern const ir_program_t ir_loadgen_program;

#endif
