#include "observation/body.h"

#include "common/gunzip.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 5))) static ir_status_t
refuse(ir_arena_t *arena, ir_senml_pack_t *pack, ir_reason_t reason, const char *format, ...) {
    ir_refusal_t *refusal = ir_arena_alloc(arena, sizeof *refusal);
    if (refusal == NULL) {
        return IR_ERR_MEMORY;
    }
    char detail[sizeof refusal->detail];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    ir_refusal_set(refusal, reason, -1, "%s", detail);
    *pack = (ir_senml_pack_t){.refusals = refusal, .n_refusals = 1};
    return IR_OK;
}

static ir_status_t decode(ir_view_t content_type, ir_view_t text, ir_senml_clock_t clock,
                          const ir_senml_limits_t *limits, ir_arena_t *arena,
                          ir_senml_pack_t *pack) {
    const ir_media_t media = ir_media_of(content_type, text);
    if (media == IR_MEDIA_UNKNOWN) {
        return refuse(
            arena, pack, IR_REASON_CONTENT_TYPE,
            ir_media_parse(content_type) == IR_MEDIA_UNKNOWN
                ? "content type '%.*s' is not used for SenML"
                : "content type '%.*s', and the body begins neither like JSON nor like CBOR",
            content_type.size > 60 ? 60 : (int)content_type.size,
            content_type.size > 0 ? content_type.data : "");
    }
    return ir_senml_decode(media, text, clock, limits, arena, pack);
}

static bool is_gzip(ir_view_t body) {
    return body.size >= 2 && memcmp(body.data, "\x1f\x8b", 2) == 0;
}

ir_status_t ir_body_decode(ir_view_t content_type, ir_view_t body, ir_senml_clock_t clock,
                           const ir_senml_limits_t *limits, ir_arena_t *arena,
                           ir_senml_pack_t *pack) {
    if (body.size == 0) {
        *pack = (ir_senml_pack_t){.n_records = 0};
        return IR_OK;
    }
    if (!is_gzip(body) || body.size > limits->bytes) {
        return decode(content_type, body, clock, limits, arena, pack);
    }
    ir_buffer_t text;
    ir_buffer_init(&text);
    ir_status_t status = ir_gunzip(body, limits->bytes, &text);
    if (status == IR_OK) {
        status = decode(content_type, ir_buffer_view(&text), clock, limits, arena, pack);
    } else if (status == IR_ERR_FULL) {
        status = refuse(arena, pack, IR_REASON_TOO_LARGE,
                        "gzip expands to more than the limit of %zu bytes", limits->bytes);
    } else if (status == IR_ERR_SYNTAX) {
        status = refuse(arena, pack, IR_REASON_NOT_GZIP, "gzip is truncated or damaged");
    }
    ir_buffer_free(&text);
    return status;
}
