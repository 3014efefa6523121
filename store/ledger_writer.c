#include "store/ledger_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 256
#define WRITE_BUFFER_SIZE ((size_t)64 * 1024)

struct ir_ledger_writer {
    FILE *file;
    char path[PATH_SIZE];
    bool spoilt; /* a write failed, so nothing more is written: it would follow an incomplete
                  * line */
};

static ir_status_t write_failed(ir_ledger_writer_t *writer, ir_error_t *error) {
    const int code = errno;
    writer->spoilt = true;
    return ir_error_set(error, code == ENOSPC || code == EDQUOT ? IR_ERR_FULL : IR_ERR_IO,
                        "ledger %s: cannot write: %s%s", writer->path, strerror(code),
                        code == ENOSPC ? "; free some space and send again" : "");
}

/* Writes the first line at once, so that it is in the file however the program ends. */
ir_status_t ir_ledger_create(const char *path, ir_ledger_writer_t **writer, ir_error_t *error) {
    ir_ledger_writer_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "ledger %s: out of memory", path);
    }
    snprintf(made->path, sizeof made->path, "%s", path);
    made->file = fopen(path, "we");
    if (made->file == NULL) {
        const ir_status_t status =
            ir_error_set(error, IR_ERR_IO, "ledger %s: cannot create: %s", path, strerror(errno));
        free(made);
        return status;
    }
    setvbuf(made->file, NULL, _IOFBF, WRITE_BUFFER_SIZE);
    if (fputs(IR_LEDGER_HEADER "\n", made->file) < 0 || fflush(made->file) != 0) {
        const ir_status_t status = write_failed(made, error);
        fclose(made->file);
        free(made);
        return status;
    }
    *writer = made;
    return IR_OK;
}

static ir_status_t spoilt(const ir_ledger_writer_t *writer, ir_error_t *error) {
    return ir_error_set(error, IR_ERR_IO, "ledger %s: cut off, an earlier write failed",
                        writer->path);
}

static bool write_line(FILE *file, char kind, const ir_id_t *id) {
    char line[2 + IR_ID_TEXT_SIZE] = {kind, ' '};
    ir_id_format(id, line + 2);
    line[sizeof line - 1] = '\n';
    return fwrite(line, sizeof line, 1, file) == 1;
}

ir_status_t ir_ledger_write_mote(ir_ledger_writer_t *writer, ir_view_t mote, ir_error_t *error) {
    if (writer->spoilt) {
        return spoilt(writer, error);
    }
    return fprintf(writer->file, "w %.*s\n", IR_VIEW_ARG(mote)) > 0 ? IR_OK
                                                                    : write_failed(writer, error);
}

ir_status_t ir_ledger_write(ir_ledger_writer_t *writer, char kind, const ir_id_t *raw_id,
                            const ir_id_t *observations, size_t n_observations, ir_error_t *error) {
    if (strchr("mur", kind) == NULL || kind == '\0' || (kind == 'r' && n_observations > 0)) {
        return ir_error_set(error, IR_ERR_USAGE, "ledger %s: no entry of kind '%c'%s", writer->path,
                            kind, kind == 'r' ? " has observations" : "");
    }
    if (writer->spoilt) {
        return spoilt(writer, error);
    }
    bool good = write_line(writer->file, kind, raw_id);
    for (size_t i = 0; good && i < n_observations; i++) {
        good = write_line(writer->file, kind == 'm' ? 'o' : 'p', &observations[i]);
    }
    return good ? IR_OK : write_failed(writer, error);
}

ir_status_t ir_ledger_write_arrival(ir_ledger_writer_t *writer, const ir_ledger_arrival_t *arrival,
                                    ir_error_t *error) {
    char content[IR_ID_TEXT_SIZE];
    char raw_id[IR_ID_TEXT_SIZE];
    if (writer->spoilt) {
        return spoilt(writer, error);
    }
    bool good = fprintf(writer->file, "t %s %.*s %" PRIu32 " %" PRIu32 " %" PRIu32,
                        ir_id_format(&arrival->content, content), IR_VIEW_ARG(arrival->mote),
                        arrival->records, arrival->sent, arrival->confirmed) > 0;
    if (good && arrival->name.size > 0) {
        good = fprintf(writer->file, " %s %.*s", ir_id_format(&arrival->raw_id, raw_id),
                       IR_VIEW_ARG(arrival->name)) > 0;
    }
    return good && putc('\n', writer->file) != EOF ? IR_OK : write_failed(writer, error);
}

ir_status_t ir_ledger_close(ir_ledger_writer_t *writer, ir_error_t *error) {
    if (writer == NULL) {
        return IR_OK;
    }
    ir_status_t status = IR_OK;
    if (writer->spoilt) {
        status = spoilt(writer, error);
    } else if (fputs(IR_LEDGER_END "\n", writer->file) < 0 || fflush(writer->file) != 0) {
        status = write_failed(writer, error);
    }
    if (fclose(writer->file) != 0 && status == IR_OK) {
        status = write_failed(writer, error);
    }
    free(writer);
    return status;
}
