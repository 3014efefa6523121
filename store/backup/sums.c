#include "store/backup/sums.h"

#include "common/buffer.h"
#include "store/backup/file.h"
#include "store/backup/tree.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)256 * 1024)
#define SUM_SIZE BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE) /* as text */
#define BETWEEN "  "                                      /* sum and name */

/* ---- one file ---- */

static int hash_bytes(int fd, struct sha256_ctx *hash, uint64_t *bytes) {
    uint8_t *chunk = malloc(CHUNK);
    ssize_t got = chunk != NULL ? 1 : -1;
    while (got > 0 || (got < 0 && chunk != NULL && errno == EINTR)) {
        got = read(fd, chunk, CHUNK);
        if (got > 0) {
            sha256_update(hash, (size_t)got, chunk);
            *bytes += (uint64_t)got;
        }
    }
    const int code = got == 0 ? 0 : errno;
    free(chunk);
    return code;
}

static ir_status_t hash_file(const char *path, char sum[static SUM_SIZE], uint64_t *bytes,
                             ir_error_t *error) {
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct stat facts;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return ir_backup_failed("read", path, errno, error);
    }
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        close(fd);
        return ir_error_set(error, IR_ERR_IO, "cannot read %s: it is not a file", path);
    }
    sha256_init(&hash);
    const int code = hash_bytes(fd, &hash, bytes);
    close(fd);
    if (code != 0) {
        return ir_backup_failed("read", path, code, error);
    }
    sha256_digest(&hash, sizeof digest, digest);
    base16_encode_update(sum, sizeof digest, digest);
    return IR_OK;
}

/* ---- writing ---- */

typedef struct summing {
    ir_buffer_t lines;
    uint64_t bytes;
} summing_t;

static ir_status_t add_file(void *context, const char *path, const char *name, ir_error_t *error) {
    summing_t *summing = context;
    char sum[SUM_SIZE];
    if (strpbrk(name, "\\\n\r") != NULL) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "%s: a name with a line break or a backslash is not backed up", path);
    }
    const ir_status_t status = hash_file(path, sum, &summing->bytes, error);
    if (status == IR_OK) {
        ir_buffer_append(&summing->lines, sum, sizeof sum);
        ir_buffer_append_format(&summing->lines, BETWEEN "%s\n", name);
    }
    return status;
}

ir_status_t ir_backup_sums_write(const char *folder, uint64_t *bytes, ir_error_t *error) {
    summing_t summing = {.bytes = 0};
    ir_buffer_init(&summing.lines);
    ir_status_t status = ir_backup_each_file(folder, add_file, &summing, error);
    if (status == IR_OK && !ir_buffer_ok(&summing.lines)) {
        status = ir_error_set(error, IR_ERR_MEMORY, "backup: out of memory");
    }
    if (status == IR_OK) {
        status = ir_backup_put(folder, IR_BACKUP_SUMS, ir_buffer_view(&summing.lines), error);
    }
    if (status == IR_OK) {
        *bytes = summing.bytes;
    }
    ir_buffer_free(&summing.lines);
    return status;
}

/* ---- checking ---- */

/* A name that is too long is truncated. */
static ir_status_t check_line(const char *folder, char *line, ir_error_t *error) {
    char path[PATH_MAX];
    char sum[SUM_SIZE];
    uint64_t bytes = 0;
    line[strcspn(line, "\n")] = '\0';
    const size_t head = SUM_SIZE + strlen(BETWEEN);
    if (strlen(line) <= head || memcmp(line + SUM_SIZE, BETWEEN, strlen(BETWEEN)) != 0 ||
        ir_backup_leads_elsewhere(line + head)) {
        return ir_error_set(error, IR_ERR_IO, "%s/" IR_BACKUP_SUMS " is damaged", folder);
    }
    ir_status_t status = ir_backup_path(folder, line + head, path, error);
    if (status == IR_OK) {
        status = hash_file(path, sum, &bytes, error);
    }
    return status != IR_OK || memcmp(sum, line, SUM_SIZE) == 0
               ? status
               : ir_error_set(error, IR_ERR_IO,
                              "%s is not what was backed up: its checksum differs; take another "
                              "backup",
                              path);
}

ir_status_t ir_backup_sums_check(const char *folder, ir_error_t *error) {
    char path[PATH_MAX];
    ir_status_t status = ir_backup_path(folder, IR_BACKUP_SUMS, path, error);
    FILE *file = status == IR_OK ? fopen(path, "re") : NULL;
    if (status != IR_OK || file == NULL) {
        return status != IR_OK ? status : ir_backup_failed("read", path, errno, error);
    }
    char line[SUM_SIZE + sizeof BETWEEN + PATH_MAX];
    while (status == IR_OK && fgets(line, sizeof line, file) != NULL) {
        status = check_line(folder, line, error);
        if (status == IR_ERR_NOT_FOUND) {
            status = IR_ERR_IO;
        }
    }
    if (status == IR_OK && ferror(file) != 0) {
        status = ir_backup_failed("read", path, errno, error);
    }
    fclose(file);
    return status;
}
