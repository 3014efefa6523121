/* The gateway's file of tokens. The same input also serves as the header Authorization of a
 * request. */
#include "ingest/credentials.h"
#include "ingest/tokens.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
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

/* The credentials of a mote with the token "abc". */
static void read_header(const uint8_t *data, size_t size) {
    static const char line[] =
        "a sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    static ir_tokens_t *tokens;
    char path[FUZZ_PATH_SIZE];
    ir_error_t error;
    if (tokens == NULL) {
        const int fd = fuzz_file((const uint8_t *)line, sizeof line - 1, path);
        if (fd < 0 || ir_tokens_load(path, &tokens, &error) != IR_OK) {
            abort();
        }
        close(fd);
    }
    char *header = strndup((const char *)data, size);
    if (header != NULL) {
        (void)ir_credentials_find(tokens, header);
    }
    free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    read_header(data, size);
    const int fd = fuzz_file(data, size, path);
    if (fd >= 0) {
        fuzz_watch(FIXED, FACTOR, size);
        read_tokens(path, fuzz_view(data, size));
        fuzz_unwatch();
        close(fd);
    }
    return 0;
}
