/* A settings file, as the worker, the gateway and the load generator read it. The same text also
 * serves as an address whose password must be masked. */
#include "common/settings_load.h"
#include "ingest/options.h"
#include "loadgen/options.h"
#include "loadgen/settings.h"
#include "tests/fuzz/fuzz.h"
#include "worker/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXED ((size_t)64 * 1024)
#define FACTOR 8
#define MASKED_SIZE 128

typedef union options {
    ir_worker_options_t worker;
    ir_ingest_options_t ingest;
    ir_loadgen_options_t load;
} options_t;

static void read_settings(const ir_program_t *program, char *path) {
    char option[] = "--settings";
    char *argv[] = {(char *)program->name, option, path, NULL};
    options_t options;
    int first = 0;
    ir_error_t error = {.status = IR_OK};
    memset(&options, 0, sizeof options);
    const ir_settings_verdict_t verdict =
        ir_settings_load(program, 3, argv, &options, &first, NULL, &error);
    if (verdict == IR_SETTINGS_EXIT || (verdict == IR_SETTINGS_WRONG && error.text[0] == '\0')) {
        abort();
    }
    ir_settings_free(program, &options);
}

static void mask(const uint8_t *data, size_t size) {
    char masked[MASKED_SIZE];
    char *text = strndup((const char *)data, size);
    if (text != NULL && strlen(ir_uri_masked(text, masked, sizeof masked)) >= sizeof masked) {
        abort();
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const ir_program_t *const programs[] = {&ir_worker_program, &ir_ingest_program,
                                                   &ir_loadgen_program};
    char path[FUZZ_PATH_SIZE];
    mask(data, size);
    const int fd = fuzz_file(data, size, path);
    for (size_t i = 0; fd >= 0 && i < sizeof programs / sizeof programs[0]; i++) {
        fuzz_watch(FIXED, FACTOR, size);
        read_settings(programs[i], path);
        fuzz_unwatch();
    }
    close(fd);
    return 0;
}
