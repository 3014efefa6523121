#include "loadgen/run.h"

#include "common/buffer.h"
#include "loadgen/source/river_registry.h"
#include "loadgen/source/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- files ---- */

typedef ir_status_t (*write_fn)(const ir_loadgen_options_t *options, FILE *out, ir_error_t *error);

static ir_status_t write_registry(const ir_loadgen_options_t *options, FILE *out,
                                  ir_error_t *error) {
    (void)error;
    ir_river_registry_write((unsigned)options->simulate, options->interval_ns, out);
    return IR_OK;
}

static ir_status_t write_motes(const ir_loadgen_options_t *options, FILE *out, ir_error_t *error) {
    ir_source_t source = {0};
    const ir_status_t status = ir_loadgen_source(options, &source, error);
    for (unsigned mote = 0; mote < source.motes && status == IR_OK; mote++) {
        const ir_view_t name = ir_source_mote(&source, mote);
        fprintf(out, "%.*s\n", (int)name.size, name.data);
    }
    ir_source_close(&source);
    return status;
}

static ir_status_t write_file(const ir_loadgen_options_t *options, const char *path, write_fn write,
                              ir_error_t *error) {
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        return ir_error_set(error, IR_ERR_IO, "cannot create %s: %s", path, strerror(errno));
    }
    const ir_status_t status = write(options, out, error);
    const bool written = fflush(out) == 0 && !ferror(out);
    const int code = errno;
    if ((fclose(out) != 0 || !written) && status == IR_OK) {
        return ir_error_set(error, IR_ERR_IO, "cannot write %s: %s", path, strerror(code));
    }
    return status;
}

ir_status_t ir_loadgen_write(const ir_loadgen_options_t *options, ir_error_t *error) {
    ir_status_t status = IR_OK;
    if (ir_setting_text(options->write_registry) != NULL) {
        status = write_file(options, options->write_registry, write_registry, error);
    }
    if (status == IR_OK && ir_setting_text(options->write_motes) != NULL) {
        status = write_file(options, options->write_motes, write_motes, error);
    }
    return status;
}

/* ---- standard output ---- */

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
