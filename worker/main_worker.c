#include "common/log.h"
#include "worker/check.h"
#include "worker/options.h"
#include "worker/worker.h"

#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int wrong_usage(const ir_error_t *error) {
    fprintf(stderr, "ir-worker: %s\n", error->text);
    return EXIT_USAGE;
}

static int exit_status(ir_status_t status) {
    return status == IR_OK ? EXIT_DONE : status == IR_ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

static int run(const ir_worker_options_t *options) {
    if (options->check) {
        return exit_status(ir_worker_check(options, stdout));
    }
    ir_error_t error = {.status = IR_OK};
    const ir_status_t status =
        options->declare ? ir_worker_declare(options, &error) : ir_worker_run(options, &error);
    if (status != IR_OK) {
        ir_log(IR_LOG_ERROR, "%s", error.text);
    }
    return exit_status(status);
}

int main(int argc, char **argv) {
    ir_worker_options_t options = {0};
    ir_error_t error = {.status = IR_OK};
    int first = argc;
    const ir_settings_verdict_t verdict =
        ir_settings_load(&ir_worker_program, argc, argv, &options, &first, &error);
    int code = EXIT_DONE;
    if (verdict == IR_SETTINGS_WRONG) {
        code = wrong_usage(&error);
    } else if (verdict == IR_SETTINGS_RUN && first < argc) {
        ir_error_set(&error, IR_ERR_USAGE, "unexpected argument '%s'; see --help", argv[first]);
        code = wrong_usage(&error);
    } else if (verdict == IR_SETTINGS_RUN &&
               ir_worker_options_complete(&options, &error) != IR_OK) {
        code = wrong_usage(&error);
    } else if (verdict == IR_SETTINGS_RUN) {
        ir_log_open("ir-worker", (ir_log_level_t)options.log_level);
        code = run(&options);
    }
    ir_settings_free(&ir_worker_program, &options);
    return code;
}
