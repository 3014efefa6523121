/* Measures how undisturbed a machine is. bench_canary DIRECTORY does the same three tasks at each
 * call, and prints the time of each in one JSON object. It takes about one second.
 *
 *   loop_ns   a dependent chain of integer operations: the processor's own speed
 *   walk_ns   a step of a random walk through 32 MiB: caches and memory, which other guests of the
 *             same host share
 *   sync_us   the median of 200 times writing 4 KiB to a file in DIRECTORY and fdatasync */
#include "common/clock.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOP_ROUNDS 100000000u
#define WALK_BYTES ((size_t)32 << 20)
#define WALK_STEPS 4000000u
#define LINE_BYTES 64
#define SYNCS 200
#define BLOCK_BYTES 4096

static uint64_t next_random(uint64_t *state) { /* xorshift64, Marsaglia 2003 */
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double time_loop(uint64_t *sink) {
    const int64_t begun = ir_clock_monotonic();
    uint64_t state = 88172645463325252u;
    for (unsigned i = 0; i < LOOP_ROUNDS; i++) {
        next_random(&state);
    }
    *sink += state;
    return (double)(ir_clock_monotonic() - begun) / LOOP_ROUNDS;
}

/* One cycle through all cache lines, in an order that the processor cannot predict (Sattolo's
 * algorithm). */
static uint32_t *make_cycle(size_t lines) {
    uint32_t *next = malloc(WALK_BYTES);
    uint32_t *order = next != NULL ? malloc(lines * sizeof *order) : NULL;
    if (order == NULL) {
        free(next);
        return NULL;
    }
    for (size_t i = 0; i < lines; i++) {
        order[i] = (uint32_t)i;
    }
    uint64_t state = 88172645463325252u;
    for (size_t i = lines - 1; i > 0; i--) {
        const size_t j = next_random(&state) % i;
        const uint32_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
    const size_t words = LINE_BYTES / sizeof *next;
    for (size_t i = 0; i < lines; i++) {
        next[order[i] * words] = order[(i + 1) % lines];
    }
    free(order);
    return next;
}

static double time_walk(uint64_t *sink) {
    uint32_t *next = make_cycle(WALK_BYTES / LINE_BYTES);
    if (next == NULL) {
        return -1;
    }
    const size_t words = LINE_BYTES / sizeof *next;
    uint32_t at = 0;
    const int64_t begun = ir_clock_monotonic();
    for (unsigned i = 0; i < WALK_STEPS; i++) {
        at = next[at * words];
    }
    const int64_t took = ir_clock_monotonic() - begun;
    *sink += at;
    free(next);
    return (double)took / WALK_STEPS;
}

static int compare_times(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double time_sync(const char *directory) {
    char path[4096];
    char block[BLOCK_BYTES];
    int64_t times[SYNCS];
    memset(block, 'c', sizeof block);
    snprintf(path, sizeof path, "%s/canary.XXXXXX", directory);
    const int file = mkostemp(path, O_CLOEXEC);
    if (file < 0) {
        return -1;
    }
    unlink(path);
    bool good = true;
    for (int i = 0; i < SYNCS && good; i++) {
        const int64_t begun = ir_clock_monotonic();
        good = write(file, block, sizeof block) == (ssize_t)sizeof block && fdatasync(file) == 0;
        times[i] = ir_clock_monotonic() - begun;
    }
    close(file);
    qsort(times, SYNCS, sizeof times[0], compare_times);
    const int64_t median = times[SYNCS / 2];
    return good ? (double)median / 1000 : -1;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: bench_canary DIRECTORY\n");
        return 2;
    }
    uint64_t sink = 0;
    const double loop = time_loop(&sink);
    const double walk = time_walk(&sink);
    const double sync = time_sync(argv[1]);
    if (walk < 0 || sync < 0) {
        fprintf(stderr, "canary: %s\n",
                walk < 0 ? "out of memory" : "cannot write and sync a file");
        return 1;
    }
    printf("{\"loop_ns\": %.4f, \"walk_ns\": %.2f, \"sync_us\": %.1f, \"sink\": %llu}\n", loop,
           walk, sync, (unsigned long long)sink);
    return 0;
}
