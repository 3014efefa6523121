/* A registry in Turtle, from the file to the statements that the graph store gets. */
#include "observation/registry/registry.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#define FIXED ((size_t)1024 * 1024)
#define FACTOR 128

static void read_registry(const char *path) {
    ir_error_t error = {.status = IR_OK};
    ir_registry_t *registry = NULL;
    fuzz_must_say_why(ir_registry_load(path, &registry, NULL, &error), &error);
    char *text = NULL;
    size_t size = 0;
    if (registry != NULL && ir_registry_ntriples(registry, 0, &text, &size, &error) == IR_OK) {
        free(text);
    }
    ir_registry_unref(registry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    const int fd = fuzz_file(data, size, path);
    if (fd >= 0) {
        fuzz_watch(FIXED, FACTOR, size);
        read_registry(path);
        fuzz_unwatch();
        close(fd);
    }
    return 0;
}
