#include "ingest/problem.h"

static const struct phrase {
    int code;
    const char *text;
} phrases[] = {
    {202, "Accepted"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {503, "Service Unavailable"},
};

const char *ir_problem_phrase(int code) {
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        if (phrases[i].code == code) {
            return phrases[i].text;
        }
    }
    return "Unknown";
}

static void append_member(ir_buffer_t *out, const char *name, const char *text) {
    ir_buffer_append_format(out, ",\"%s\":", name);
    ir_buffer_append_json_string(out, ir_view_text(text));
}

static void append_open(ir_buffer_t *out, int code, const char *reason, const char *detail) {
    ir_buffer_append_text(out, "{\"title\":");
    ir_buffer_append_json_string(out, ir_view_text(ir_problem_phrase(code)));
    ir_buffer_append_format(out, ",\"status\":%d", code);
    append_member(out, "reason", reason);
    append_member(out, "detail", detail);
}

void ir_problem_append(ir_buffer_t *out, int code, const char *reason, const char *detail) {
    append_open(out, code, reason, detail);
    ir_buffer_append_text(out, "}\n");
}

static void append_fault(ir_buffer_t *out, const ir_submission_fault_t *fault) {
    ir_buffer_append_text(out, "{\"reason\":");
    ir_buffer_append_json_string(out, ir_view_text(ir_reason_text(fault->refusal.reason)));
    if (fault->line > 0) {
        ir_buffer_append_format(out, ",\"line\":%zu", fault->line);
    }
    if (fault->refusal.record >= 0) {
        ir_buffer_append_format(out, ",\"record\":%d", fault->refusal.record);
    }
    append_member(out, "detail", fault->refusal.detail);
    ir_buffer_append_char(out, '}');
}

void ir_problem_append_submission(ir_buffer_t *out, const ir_submission_t *submission) {
    append_open(out, submission->code, submission->reason, submission->detail);
    if (submission->n_faults > 0) {
        ir_buffer_append_format(out, ",\"refused\":%zu,\"refusals\":[", submission->n_faults);
        for (size_t i = 0; i < submission->n_faults && i < IR_FAULTS_LISTED; i++) {
            ir_buffer_append_text(out, i > 0 ? "," : "");
            append_fault(out, &submission->faults[i]);
        }
        ir_buffer_append_char(out, ']');
    }
    ir_buffer_append_text(out, "}\n");
}
