#include "common/log.h"
#include "common/program.h"
#include "worker/check.h"
#include "worker/options.h"
#include "worker/worker.h"

#include <stdio.h>

static ir_status_t run_worker(const ir_worker_options_t *options, ir_error_t *error) {
    ir_consumer_options_t consumer;
    ir_worker_consumer_options(options, &consumer);
    return ir_worker_run(options, &ir_transport_amqp, &consumer, error);
}

static int run(ir_worker_options_t *options) {
    ir_log_open(ir_worker_program.name, (ir_log_level_t)options->log_level);
    ir_error_t error = {.status = IR_OK};
    ir_status_t status = ir_worker_options_complete(options, &error);
    if (status == IR_OK && options->check) {
        return ir_program_exit(ir_worker_check(options, stdout));
    }
    if (status == IR_OK) {
        status =
            options->declare ? ir_worker_declare(options, &error) : run_worker(options, &error);
    }
    if (status != IR_OK) {
        ir_log(IR_LOG_ERROR, "%s", error.text);
    }
    return ir_program_exit(status);
}

int main(int argc, char **argv) {
    ir_worker_options_t options = {0};
    int first = argc;
    int code = IR_EXIT_DONE;
    if (ir_program_begin(&ir_worker_program, argc, argv, &options, &first, &code)) {
        code = run(&options);
    }
    ir_settings_free(&ir_worker_program, &options);
    return code;
}
