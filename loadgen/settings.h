/* The table of the settings of ir-loadgen, and which may stand together. It fills an
 * ir_loadgen_options_t. */
#ifndef IR_LOADGEN_SETTINGS_H
#define IR_LOADGEN_SETTINGS_H

#include "common/settings.h"

extern const ir_program_t ir_loadgen_program;

#endif
