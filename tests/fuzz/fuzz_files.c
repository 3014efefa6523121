/* What is read from files: registry, ledger and replay data; and what a SPARQL server answers. The
 * files' readers take paths, so the input goes through a file in memory. */
#include "loadgen/replay.h"
#include "observation/registry.h"
#include "store/ledger.h"
#include "store/sparql_results.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void must_say_why(ir_status_t status, const ir_error_t *error) {
    if (status != IR_OK && error->text[0] == '\0') {
        abort();
    }
}

static void read_files(const char *path) {
    ir_error_t error = {.status = IR_OK};
    ir_registry_t *registry = NULL;
    must_say_why(ir_registry_load(path, &registry, &error), &error);
    char *text = NULL;
    size_t size = 0;
    if (registry != NULL && ir_registry_ntriples(registry, &text, &size, &error) == IR_OK) {
        free(text);
    }
    ir_registry_unref(registry);
    error.text[0] = '\0';
    ir_ledger_t *ledger = ir_ledger_new();
    ir_ledger_extent_t extent;
    if (ledger != NULL) {
        must_say_why(ir_ledger_add(ledger, path, &extent, &error), &error);
    }
    ir_ledger_free(ledger);
    error.text[0] = '\0';
    ir_replay_t *replay = NULL;
    must_say_why(ir_replay_load(path, &replay, &error), &error);
    ir_replay_free(replay);
}

static ir_status_t ignore(void *context, ir_view_t line) {
    *(size_t *)context += ir_sparql_cell(line).size;
    return IR_OK;
}

static void read_answers(ir_view_t answer) {
    uint64_t number = 0;
    (void)ir_sparql_number(answer, "n", &number);
    (void)ir_sparql_is_answer(answer);
    size_t bytes = 0;
    ir_error_t error;
    ir_line_stream_t stream = {.each = ignore, .context = &bytes, .error = &error};
    ir_buffer_init(&stream.rest);
    const size_t half = answer.size / 2;
    if (ir_line_stream_take(&stream, ir_view(answer.data, half)) == IR_OK &&
        ir_line_stream_take(&stream, ir_view(answer.data + half, answer.size - half)) == IR_OK) {
        (void)ir_line_stream_end(&stream);
    }
    ir_line_stream_free(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_answers(ir_view((const char *)data, size));
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    if (write(fd, data, size) == (ssize_t)size) {
        char path[40];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        read_files(path);
    }
    close(fd);
    return 0;
}
