/* A file of packs, as ir-annotate reads it. */
#include "annotation/packs.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#define LONGEST ((size_t)32 * 1024)
#define FIXED ((size_t)512 * 1024)
#define FACTOR 0

static void read_packs(int fd) {
    ir_packs_t *packs = ir_packs_new(fd, LONGEST);
    ir_pack_text_t pack;
    unsigned long line = 0;
    while (packs != NULL && ir_packs_next(packs, &pack) == IR_OK) {
        if (pack.text.size > LONGEST || (pack.too_long && pack.text.size > 0) ||
            pack.line <= line) {
            abort();
        }
        line = pack.line;
    }
    ir_packs_free(packs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    const int fd = fuzz_file(data, size, path);
    if (fd >= 0) {
        (void)lseek(fd, 0, SEEK_SET);
        fuzz_watch(FIXED, FACTOR, size);
        read_packs(fd);
        fuzz_unwatch();
        close(fd);
    }
    return 0;
}
