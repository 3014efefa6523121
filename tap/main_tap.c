#include "common/log.h"
#include "common/program.h"
#include "tap/options.h"
#include "tap/tap.h"

static int run(const ir_tap_options_t *options) {
    ir_error_t error = {.status = IR_OK};
    ir_log_open(ir_tap_program.name, IR_LOG_INFO);
    const ir_status_t status = ir_tap_run(options, &error);
    return status == IR_OK ? IR_EXIT_DONE : ir_program_refuse(&ir_tap_program, &error);
}

int main(int argc, char **argv) {
    ir_tap_options_t options = {0};
    int first = argc;
    int code = IR_EXIT_DONE;
    if (ir_program_begin(&ir_tap_program, argc, argv, &options, &first, &code)) {
        code = run(&options);
    }
    ir_settings_free(&ir_tap_program, &options);
    return code;
}
