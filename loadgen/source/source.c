#include "loadgen/source/source.h"

#include "common/clock.h"
#include "loadgen/source/hash_random.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

uint64_t ir_source_make_run(void) {
    return ir_hash_random_key((uint64_t)ir_clock_now(), (uint64_t)getpid());
}

void ir_source_make_name(uint64_t run, uint64_t number, char name[static IR_SENDER_NAME_SIZE]) {
    snprintf(name, IR_SENDER_NAME_SIZE, "%016" PRIx64 "-%" PRIu64, run, number);
}
