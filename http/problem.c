#include "http/problem.h"

static const struct phrase {
    int code;
    const char *text;
} phrases[] = {
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
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

void ir_problem_member(ir_buffer_t *out, const char *name, const char *text) {
    ir_buffer_append_format(out, ",\"%s\":", name);
    ir_buffer_append_json_string(out, ir_view_text(text));
}

void ir_problem_open(ir_buffer_t *out, int code, const char *reason, const char *detail) {
    ir_buffer_append_text(out, "{\"title\":");
    ir_buffer_append_json_string(out, ir_view_text(ir_problem_phrase(code)));
    ir_buffer_append_format(out, ",\"status\":%d", code);
    ir_problem_member(out, "reason", reason);
    ir_problem_member(out, "detail", detail);
}

void ir_problem_append(ir_buffer_t *out, int code, const char *reason, const char *detail) {
    ir_problem_open(out, code, reason, detail);
    ir_buffer_append_text(out, "}\n");
}
