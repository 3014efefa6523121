/* Replay data in CSV, plain or compressed with gzip. */
#include "loadgen/source/replay.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#define FIXED ((size_t)1024 * 1024)
#define FACTOR 16

static void read_replay(const char *path) {
    ir_error_t error = {.status = IR_OK};
    ir_replay_t *replay = NULL;
    size_t count = 0;
    fuzz_must_say_why(ir_replay_load(path, &replay, &error), &error);
    if (replay != NULL) {
        const ir_replay_row_t *rows = ir_replay_rows(replay, &count);
        for (size_t i = 1; i < count; i++) {
            if (rows[i].time_ns < rows[i - 1].time_ns) {
                abort();
            }
        }
        if (ir_replay_repeats(replay) < 1) {
            abort();
        }
    }
    ir_replay_free(replay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    const int fd = fuzz_file(data, size, path);
    if (fd >= 0) {
        fuzz_watch(FIXED, FACTOR, fuzz_expanded_size(data, size, SIZE_MAX));
        read_replay(path);
        fuzz_unwatch();
        close(fd);
    }
    return 0;
}
