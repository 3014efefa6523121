/* A ledger, compared with its own content. */
#include "store/ledger.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#define FIXED ((size_t)256 * 1024)
#define FACTOR 16

static void compare(ir_ledger_t *ledger, ir_ledger_kind_t kind) {
    static const ir_id_t nobody = {.bytes = {0}};
    ir_ledger_result_t result;
    ir_ledger_begin(ledger, kind);
    (void)ir_ledger_see(ledger, &nobody, ir_view(NULL, 0));
    ir_ledger_end(ledger, &result);
    if (result.present + result.foreign != 1 || result.present + result.missing < result.expected) {
        abort();
    }
}

static void read_ledger(const char *path) {
    ir_error_t error = {.status = IR_OK};
    ir_ledger_extent_t extent;
    ir_ledger_t *ledger = ir_ledger_new();
    if (ledger == NULL) {
        return;
    }
    const ir_status_t status = ir_ledger_add(ledger, path, false, &extent, &error);
    fuzz_must_say_why(status, &error);
    if (status == IR_OK) {
        compare(ledger, IR_LEDGER_RAW);
        compare(ledger, IR_LEDGER_OBSERVATION);
    }
    ir_ledger_free(ledger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    const int fd = fuzz_file(data, size, path);
    if (fd >= 0) {
        fuzz_watch(FIXED, FACTOR, size);
        read_ledger(path);
        fuzz_unwatch();
        close(fd);
    }
    return 0;
}
