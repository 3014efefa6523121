/* The program's description, with its settings (loadgen/options.h) and the check that they do not
 * contradict each other. */
#ifndef IR_LOADGEN_SETTINGS_H
#define IR_LOADGEN_SETTINGS_H

#include "common/settings.h"

extern const ir_program_t ir_loadgen_program;

#endif
