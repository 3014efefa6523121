#include "loadgen/source/source_open.h"

#include "loadgen/source/recording.h"
#include "loadgen/source/simulation.h"

ir_status_t ir_source_open(const ir_source_options_t *options, ir_source_t *source,
                           ir_error_t *error) {
    return options->simulate > 0 ? ir_simulation_open(options, source, error)
                                 : ir_recording_open(options, source, error);
}
