/* The files of a backup, as `ir-store restore` reads them: checksums, MongoDB documents and
 * statements, plain or compressed with gzip. */
#include "store/backup/bson_stream.h"
#include "store/backup/file.h"
#include "store/backup/sums.h"
#include "store/graph/sparql/results.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MOST ((size_t)64 * 1024) /* gzip data can expand a thousandfold */
#define FIXED ((size_t)48 * 1024 * 1024)
#define FACTOR 0
#define SUMS "SHA256SUMS"

static char folder[] = "/tmp/fuzz-backup-XXXXXX";

static void remove_folder(void) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" SUMS, folder);
    (void)unlink(path);
    (void)rmdir(folder);
}

static bool put(const uint8_t *data, size_t size) {
    static bool made;
    char path[PATH_MAX];
    if (!made && (mkdtemp(folder) == NULL || atexit(remove_folder) != 0)) {
        abort();
    }
    made = true;
    snprintf(path, sizeof path, "%s/" SUMS, folder);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool good = fd >= 0 && write(fd, data, size) == (ssize_t)size;
    close(fd);
    return good;
}

/* ---- receivers of the bytes ---- */

typedef struct documents {
    ir_bson_stream_t stream;
    ir_error_t error;
} documents_t;

static ir_status_t take_documents(void *context, ir_view_t bytes) {
    documents_t *documents = context;
    bson_t document;
    ir_status_t status = ir_bson_stream_add(&documents->stream, bytes, &documents->error);
    while (status == IR_OK) {
        status = ir_bson_stream_next(&documents->stream, &document, &documents->error);
        if (status == IR_OK) {
            (void)bson_validate(&document, BSON_VALIDATE_UTF8, NULL);
        }
    }
    return status == IR_ERR_NOT_FOUND ? IR_OK : status;
}

static ir_status_t take_statement(void *context, ir_view_t line) {
    *(size_t *)context += line.size;
    return IR_OK;
}

static void read_all(void) {
    ir_error_t error = {.status = IR_OK};
    fuzz_must_say_why(ir_backup_sums_check(folder, &error), &error);

    documents_t documents = {.error = {.status = IR_OK}};
    ir_buffer_init(&documents.stream.held);
    error = (ir_error_t){.status = IR_OK};
    (void)ir_backup_read(folder, SUMS, take_documents, &documents, &error);
    ir_buffer_free(&documents.stream.held);

    size_t bytes = 0;
    error = (ir_error_t){.status = IR_OK};
    ir_line_stream_t lines = {.each = take_statement, .context = &bytes, .error = &error};
    ir_buffer_init(&lines.rest);
    if (ir_backup_read(folder, SUMS, ir_line_stream_take, &lines, &error) == IR_OK) {
        (void)ir_line_stream_end(&lines);
    }
    ir_line_stream_free(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (put(data, size < INPUT_MOST ? size : INPUT_MOST)) {
        fuzz_watch(FIXED, FACTOR, size);
        read_all();
        fuzz_unwatch();
    }
    return 0;
}
