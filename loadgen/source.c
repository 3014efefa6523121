#include "loadgen/source.h"

#include "common/clock.h"
#include "loadgen/noise.h"
#include "loadgen/recording.h"
#include "loadgen/simulation.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

ir_status_t ir_source_open(const ir_source_options_t *options, ir_source_t *source,
                           ir_error_t *error) {
    return options->simulate > 0 ? ir_simulation_open(options, source, error)
                                 : ir_recording_open(options, source, error);
}

uint64_t ir_source_make_run(void) {
    return ir_noise_key((uint64_t)ir_clock_now(), (uint64_t)getpid());
}

void ir_source_make_name(uint64_t run, uint64_t number, char name[static IR_SENDER_NAME_SIZE]) {
    snprintf(name, IR_SENDER_NAME_SIZE, "%016" PRIx64 "-%" PRIu64, run, number);
}
