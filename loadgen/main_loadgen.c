#include "common/log.h"
#include "loadgen/options.h"
#include "loadgen/run.h"

#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int wrong_usage(const ir_error_t *error) {
    fprintf(stderr, "ir-loadgen: %s\n", error->text);
    return EXIT_USAGE;
}

static int run(const ir_loadgen_options_t *options) {
    ir_error_t error = {.status = IR_OK};
    bool complete = true;
    const ir_status_t status = ir_loadgen_writes(options) ? ir_loadgen_write(options, &error)
                               : options->dump            ? ir_loadgen_dump(options, &error)
                                               : ir_loadgen_run(options, &complete, &error);
    if (status != IR_OK) {
        ir_log(IR_LOG_ERROR, "%s", error.text);
        return status == IR_ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
    }
    return complete ? EXIT_DONE : EXIT_FAILED;
}

static int start(const ir_loadgen_options_t *options, int argc, char **argv, int first) {
    ir_error_t error;
    if (first < argc) {
        ir_error_set(&error, IR_ERR_USAGE, "unexpected argument '%s'; see --help", argv[first]);
        return wrong_usage(&error);
    }
    if (ir_loadgen_options_check(options, &error) != IR_OK) {
        return wrong_usage(&error);
    }
    ir_log_open("ir-loadgen", (ir_log_level_t)options->log_level);
    return run(options);
}

int main(int argc, char **argv) {
    ir_loadgen_options_t options = {0};
    ir_error_t error = {.status = IR_OK};
    int first = argc;
    int code = EXIT_DONE;
    switch (ir_settings_load(&ir_loadgen_program, argc, argv, &options, &first, &error)) {
    case IR_SETTINGS_RUN:
        code = start(&options, argc, argv, first);
        break;
    case IR_SETTINGS_EXIT:
        break;
    case IR_SETTINGS_WRONG:
        code = wrong_usage(&error);
        break;
    }
    ir_settings_free(&ir_loadgen_program, &options);
    return code;
}
