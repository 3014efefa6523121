#include "common/log.h"
#include "ingest/check.h"
#include "ingest/gateway.h"
#include "ingest/issue.h"
#include "ingest/options.h"

#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int wrong_usage(const ir_error_t *error) {
    fprintf(stderr, "ir-ingest: %s\n", error->text);
    return EXIT_USAGE;
}

static int run(const ir_ingest_options_t *options) {
    if (options->check) {
        return ir_ingest_check(options, stdout) ? EXIT_DONE : EXIT_FAILED;
    }
    ir_error_t error = {.status = IR_OK};
    const char *names = ir_setting_text(options->issue_tokens);
    const ir_status_t status =
        names != NULL ? ir_issue_tokens(names, ir_setting_text(options->tokens), stdout, &error)
                      : ir_gateway_run(options, &error);
    if (status == IR_OK) {
        return EXIT_DONE;
    }
    ir_log(IR_LOG_ERROR, "%s", error.text);
    return status == IR_ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

int main(int argc, char **argv) {
    ir_ingest_options_t options = {0};
    ir_error_t error = {.status = IR_OK};
    int first = argc;
    const ir_settings_verdict_t verdict =
        ir_settings_load(&ir_ingest_program, argc, argv, &options, &first, &error);
    int code = EXIT_DONE;
    if (verdict == IR_SETTINGS_WRONG) {
        code = wrong_usage(&error);
    } else if (verdict == IR_SETTINGS_RUN && first < argc) {
        ir_error_set(&error, IR_ERR_USAGE, "unexpected argument '%s'; see --help", argv[first]);
        code = wrong_usage(&error);
    } else if (verdict == IR_SETTINGS_RUN && ir_ingest_options_check(&options, &error) != IR_OK) {
        code = wrong_usage(&error);
    } else if (verdict == IR_SETTINGS_RUN) {
        ir_log_open("ir-ingest", (ir_log_level_t)options.log_level);
        code = run(&options);
    }
    ir_settings_free(&ir_ingest_program, &options);
    return code;
}
