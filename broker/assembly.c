#include "broker/assembly.h"

#include "broker/connection.h"
#include "broker/replies.h"

#include <string.h>

void ir_assembly_init(ir_assembly_t *assembly) {
    memset(assembly, 0, sizeof *assembly);
    ir_buffer_init(&assembly->body);
}

void ir_assembly_free(ir_assembly_t *assembly) {
    ir_buffer_free(&assembly->body);
}

void ir_assembly_reset(ir_assembly_t *assembly) {
    assembly->stage = IR_ASSEMBLY_IDLE;
    ir_buffer_free(&assembly->body);
}

static size_t keep_text(char text[static IR_SHORT_TEXT], amqp_bytes_t bytes) {
    const size_t size = bytes.len < IR_SHORT_TEXT ? bytes.len : IR_SHORT_TEXT - 1;
    if (size > 0) {
        memcpy(text, bytes.bytes, size);
    }
    return size;
}

static ir_assembly_result_t take_method(ir_assembly_t *assembly, const amqp_method_t *method) {
    if (assembly->stage != IR_ASSEMBLY_IDLE || method->id != AMQP_BASIC_DELIVER_METHOD) {
        return IR_ASSEMBLY_WRONG;
    }
    const amqp_basic_deliver_t *deliver = method->decoded;
    assembly->tag = deliver->delivery_tag;
    assembly->redelivered = deliver->redelivered != 0;
    assembly->key_size = keep_text(assembly->key, deliver->routing_key);
    assembly->stage = IR_ASSEMBLY_HEADER;
    return IR_ASSEMBLY_MORE;
}

static ir_assembly_result_t complete(ir_assembly_t *assembly, ir_view_t body, uint64_t limit,
                                     ir_assembled_t *message) {
    assembly->stage = IR_ASSEMBLY_IDLE;
    *message = (ir_assembled_t){
        .tag = assembly->tag,
        .redelivered = assembly->redelivered,
        .oversize = assembly->size > limit,
        .marks = assembly->marks,
        .arrival = assembly->arrival,
        .size = assembly->size,
        .routing_key = ir_view(assembly->key, assembly->key_size),
        .content_type = ir_view(assembly->type, assembly->type_size),
        .message_id = ir_view(assembly->id, assembly->id_size),
        .user_id = ir_view(assembly->user, assembly->user_size),
        .body = body,
    };
    return IR_ASSEMBLY_COMPLETE;
}

static unsigned mark_of(const amqp_table_entry_t *entry) {
    static const struct {
        const char *name;
        enum ir_mark mark;
    } marks[] = {{"redelivered", IR_MARK_REDELIVERED},
                 {"duplicate", IR_MARK_DUPLICATE},
                 {"revision", IR_MARK_REVISION}};
    if (entry->value.kind != AMQP_FIELD_KIND_BOOLEAN || !entry->value.value.boolean) {
        return 0;
    }
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (ir_view_equal(ir_broker_view(entry->key), ir_view_text(marks[i].name))) {
            return marks[i].mark;
        }
    }
    return 0;
}

static unsigned marks_of(const amqp_basic_properties_t *properties) {
    unsigned marks = 0;
    const ir_headers_t *headers = ir_headers_of(properties);
    for (int i = 0; headers != NULL && i < headers->num_entries; i++) {
        marks |= mark_of(&headers->entries[i]);
    }
    return marks;
}

static ir_assembly_result_t take_header(ir_assembly_t *assembly, const amqp_frame_t *frame,
                                        uint64_t limit, ir_assembled_t *message) {
    if (assembly->stage != IR_ASSEMBLY_HEADER ||
        frame->payload.properties.class_id != AMQP_BASIC_CLASS) {
        return IR_ASSEMBLY_WRONG;
    }
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    const bool typed = (properties->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG) != 0;
    assembly->type_size = typed ? keep_text(assembly->type, properties->content_type) : 0;
    const bool named = (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0;
    assembly->id_size = named ? keep_text(assembly->id, properties->message_id) : 0;
    const bool signed_by = (properties->_flags & AMQP_BASIC_USER_ID_FLAG) != 0;
    assembly->user_size = signed_by ? keep_text(assembly->user, properties->user_id) : 0;
    assembly->marks = marks_of(properties);
    if (assembly->on_headers != NULL) {
        assembly->on_headers(assembly->context, ir_headers_of(properties));
    }
    assembly->arrival = ir_arrival_read(properties);
    assembly->size = frame->payload.properties.body_size;
    assembly->received = 0;
    assembly->stage = IR_ASSEMBLY_BODY;
    ir_buffer_free(&assembly->body);
    return assembly->size == 0 ? complete(assembly, ir_view(NULL, 0), limit, message)
                               : IR_ASSEMBLY_MORE;
}

static ir_assembly_result_t take_body(ir_assembly_t *assembly, amqp_bytes_t fragment,
                                      uint64_t limit, ir_assembled_t *message) {
    if (assembly->stage != IR_ASSEMBLY_BODY || fragment.len == 0 ||
        fragment.len > assembly->size - assembly->received) {
        return IR_ASSEMBLY_WRONG;
    }
    assembly->received += fragment.len;
    const bool last = assembly->received == assembly->size;
    if (assembly->size > limit) {
        return last ? complete(assembly, ir_view(NULL, 0), limit, message) : IR_ASSEMBLY_MORE;
    }
    if (last && assembly->body.size == 0) {
        return complete(assembly, ir_broker_view(fragment), limit, message);
    }
    ir_buffer_append(&assembly->body, fragment.bytes, fragment.len);
    if (!ir_buffer_ok(&assembly->body)) {
        return IR_ASSEMBLY_MEMORY;
    }
    return last ? complete(assembly, ir_buffer_view(&assembly->body), limit, message)
                : IR_ASSEMBLY_MORE;
}

ir_assembly_result_t ir_assembly_take(ir_assembly_t *assembly, const amqp_frame_t *frame,
                                      uint64_t limit, ir_assembled_t *message) {
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
        return take_method(assembly, &frame->payload.method);
    case AMQP_FRAME_HEADER:
        return take_header(assembly, frame, limit, message);
    case AMQP_FRAME_BODY:
        return take_body(assembly, frame->payload.body_fragment, limit, message);
    default:
        return IR_ASSEMBLY_WRONG;
    }
}
