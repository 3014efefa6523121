#include "broker/headers.h"

#include "broker/replies.h"

const ir_headers_t *ir_headers_of(const struct amqp_basic_properties_t_ *properties) {
    return (properties->_flags & AMQP_BASIC_HEADERS_FLAG) != 0 ? &properties->headers : NULL;
}

static const amqp_field_value_t *find(const ir_headers_t *headers, const char *name) {
    const ir_view_t wanted = ir_view_text(name);
    for (int i = 0; headers != NULL && i < headers->num_entries; i++) {
        if (ir_view_equal(ir_broker_view(headers->entries[i].key), wanted)) {
            return &headers->entries[i].value;
        }
    }
    return NULL;
}

bool ir_headers_has(const ir_headers_t *headers, const char *name) {
    return find(headers, name) != NULL;
}

ir_view_t ir_headers_text(const ir_headers_t *headers, const char *name) {
    const amqp_field_value_t *found = find(headers, name);
    return found != NULL && found->kind == AMQP_FIELD_KIND_UTF8 ? ir_broker_view(found->value.bytes)
                                                                : ir_view(NULL, 0);
}

int64_t ir_headers_integer(const ir_headers_t *headers, const char *name, int64_t otherwise) {
    const amqp_field_value_t *found = find(headers, name);
    switch (found != NULL ? found->kind : AMQP_FIELD_KIND_VOID) {
    case AMQP_FIELD_KIND_I32:
        return found->value.i32;
    case AMQP_FIELD_KIND_I64:
        return found->value.i64;
    default:
        return otherwise;
    }
}
