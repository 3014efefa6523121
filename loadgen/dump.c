#include "loadgen/run.h"

#include "common/buffer.h"
#include "loadgen/pack.h"
#include "loadgen/replay.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static ir_status_t write_packs(const ir_packs_t *packs, FILE *out, ir_error_t *error) {
    ir_status_t status = IR_OK;
    ir_buffer_t line;
    ir_buffer_init(&line);
    const uint64_t count = ir_packs_messages(packs);
    for (uint64_t number = 0; number < count && status == IR_OK; number++) {
        ir_buffer_clear(&line);
        ir_packs_body(packs, number, &line);
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
    ir_packs_options_t packs_options;
    ir_replay_t *replay = NULL;
    ir_packs_t *packs = NULL;
    ir_loadgen_packs_options(options, &packs_options);
    ir_status_t status = ir_replay_load(options->replay, &replay, error);
    if (status == IR_OK) {
        status = ir_packs_new(replay, &packs_options, &packs, error);
    }
    if (status == IR_OK) {
        status = write_packs(packs, stdout, error);
    }
    ir_packs_free(packs);
    ir_replay_free(replay);
    return status;
}
