#include "common/backoff.h"

#include "common/clock.h"

void ir_backoff_init(ir_backoff_t *backoff, int64_t first_ns, int64_t longest_ns) {
    backoff->first_ns = first_ns;
    backoff->longest_ns = longest_ns;
    backoff->next_ns = first_ns;
    backoff->random = (uint64_t)ir_clock_monotonic() * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

/* xorshift64: random enough to keep workers from retrying in step. */
static uint64_t next_random(ir_backoff_t *backoff) {
    backoff->random ^= backoff->random << 13;
    backoff->random ^= backoff->random >> 7;
    backoff->random ^= backoff->random << 17;
    return backoff->random;
}

int64_t ir_backoff_next(ir_backoff_t *backoff) {
    const int64_t whole = backoff->next_ns;
    backoff->next_ns = whole > backoff->longest_ns / 2 ? backoff->longest_ns : whole * 2;
    const int64_t half = whole / 2;
    return half + (int64_t)(next_random(backoff) % (uint64_t)(whole - half + 1));
}

int64_t ir_backoff_spread(ir_backoff_t *backoff, int64_t wait_ns) {
    return wait_ns + (int64_t)(next_random(backoff) % (uint64_t)(wait_ns / 2 + 1));
}

void ir_backoff_reset(ir_backoff_t *backoff) {
    backoff->next_ns = backoff->first_ns;
}
