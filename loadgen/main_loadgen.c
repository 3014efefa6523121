#include "common/log.h"
#include "common/program.h"
#include "loadgen/options.h"
#include "loadgen/run.h"
#include "loadgen/settings.h"

static int run(const ir_loadgen_options_t *options) {
    ir_log_open(ir_loadgen_program.name, (ir_log_level_t)options->log_level);
    ir_error_t error = {.status = IR_OK};
    bool good = true;
    const ir_status_t status = ir_loadgen_writes(options) ? ir_loadgen_write(options, &error)
                               : options->dump            ? ir_loadgen_dump(options, &error)
                                                          : ir_loadgen_run(options, &good, &error);
    if (status != IR_OK) {
        ir_log(IR_LOG_ERROR, "%s", error.text);
    }
    return status == IR_OK && !good ? IR_EXIT_FAILED : ir_program_exit(status);
}

int main(int argc, char **argv) {
    ir_loadgen_options_t options = {0};
    int first = argc;
    int code = IR_EXIT_DONE;
    if (ir_program_begin(&ir_loadgen_program, argc, argv, &options, &first, &code)) {
        code = run(&options);
    }
    ir_settings_free(&ir_loadgen_program, &options);
    return code;
}
