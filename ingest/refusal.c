#include "ingest/refusal.h"

#include "http/problem.h"

static void append_fault(ir_buffer_t *out, const ir_submission_fault_t *fault) {
    ir_buffer_append_text(out, "{\"reason\":");
    ir_buffer_append_json_string(out, ir_view_text(ir_reason_text(fault->refusal.reason)));
    if (fault->line > 0) {
        ir_buffer_append_format(out, ",\"line\":%zu", fault->line);
    }
    if (fault->refusal.record >= 0) {
        ir_buffer_append_format(out, ",\"record\":%d", fault->refusal.record);
    }
    ir_problem_member(out, "detail", fault->refusal.detail);
    ir_buffer_append_char(out, '}');
}

void ir_refusal_append_list(ir_buffer_t *out, const ir_submission_t *submission) {
    if (submission->n_faults == 0) {
        return;
    }
    ir_buffer_append_format(out, ",\"refused\":%zu,\"refusals\":[", submission->n_faults);
    for (size_t i = 0; i < submission->n_faults && i < IR_FAULTS_LISTED; i++) {
        ir_buffer_append_text(out, i > 0 ? "," : "");
        append_fault(out, &submission->faults[i]);
    }
    ir_buffer_append_char(out, ']');
}

void ir_refusal_append(ir_buffer_t *out, const ir_submission_t *submission) {
    ir_problem_open(out, submission->code, submission->reason, submission->detail);
    ir_refusal_append_list(out, submission);
    ir_buffer_append_text(out, "}\n");
}
