#include "common/log.h"
#include "common/program.h"
#include "ingest/check.h"
#include "ingest/gateway.h"
#include "ingest/issue.h"
#include "ingest/options.h"

#include <stdio.h>

static int run(const ir_ingest_options_t *options) {
    ir_log_open(ir_ingest_program.name, (ir_log_level_t)options->log_level);
    if (options->check) {
        return ir_ingest_check(options, stdout) ? IR_EXIT_DONE : IR_EXIT_FAILED;
    }
    ir_error_t error = {.status = IR_OK};
    const ir_issue_request_t request = {.names = ir_setting_text(options->issue_tokens),
                                        .tokens = ir_setting_text(options->tokens),
                                        .missing = options->issue_missing};
    const ir_status_t status = request.names != NULL ? ir_issue_tokens(&request, stdout, &error)
                                                     : ir_gateway_run(options, &error);
    if (status != IR_OK) {
        ir_log(IR_LOG_ERROR, "%s", error.text);
    }
    return ir_program_exit(status);
}

int main(int argc, char **argv) {
    ir_ingest_options_t options = {0};
    int first = argc;
    int code = IR_EXIT_DONE;
    if (ir_program_begin(&ir_ingest_program, argc, argv, &options, &first, &code)) {
        code = run(&options);
    }
    ir_settings_free(&ir_ingest_program, &options);
    return code;
}
