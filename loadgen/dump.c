#include "loadgen/run.h"

#include "common/buffer.h"
#include "loadgen/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static ir_status_t write_packs(const ir_source_t *source, FILE *out, ir_error_t *error) {
    ir_status_t status = IR_OK;
    ir_buffer_t line;
    ir_buffer_init(&line);
    for (uint64_t number = 0; number < source->messages && status == IR_OK; number++) {
        ir_buffer_clear(&line);
        ir_source_body(source, number, &line);
        ir_buffer_append_char(&line, '\n');
        if (!ir_buffer_ok(&line)) {
            status = ir_error_set(error, IR_ERR_MEMORY, "out of memory for a message");
        } else if (fwrite(line.data, line.size, 1, out) != 1) {
            status = ir_error_set(error, IR_ERR_IO, "cannot write to standard output: %s",
                                  strerror(errno));
        }
    }
    ir_buffer_free(&line);
    if (status == IR_OK && fflush(out) != 0) {
        status =
            ir_error_set(error, IR_ERR_IO, "cannot write to standard output: %s", strerror(errno));
    }
    return status;
}

ir_status_t ir_loadgen_dump(const ir_loadgen_options_t *options, ir_error_t *error) {
    ir_source_t source = {0};
    ir_status_t status = ir_loadgen_source(options, &source, error);
    if (status == IR_OK) {
        status = write_packs(&source, stdout, error);
    }
    ir_source_close(&source);
    return status;
}
