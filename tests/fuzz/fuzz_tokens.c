/* The tokens of the gateway. */
#include "ingest/tokens.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#define FIXED ((size_t)256 * 1024)
#define FACTOR 32

static void read_tokens(const char *path, ir_view_t input) {
    ir_error_t error = {.status = IR_OK};
    ir_tokens_t *tokens = NULL;
    fuzz_must_say_why(ir_tokens_load(path, &tokens, &error), &error);
    if (tokens != NULL &&
        (ir_tokens_motes(tokens) > ir_tokens_count(tokens) || ir_tokens_find(tokens, input))) {
        abort(); /* no input holds its own hash */
    }
    ir_tokens_free(tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    const int fd = fuzz_file(data, size, path);
    if (fd >= 0) {
        fuzz_watch(FIXED, FACTOR, size);
        read_tokens(path, fuzz_view(data, size));
        fuzz_unwatch();
        close(fd);
    }
    return 0;
}
