#include "broker/frames.h"

#include "broker/connection.h"
#include "broker/replies.h"

#include <string.h>

#define FRAME_HEADER_SIZE 7
#define FRAME_EXTRA_SIZE (FRAME_HEADER_SIZE + 1)
#define CONTENT_HEADER_SIZE 12 /* class, weight, body size */
/* Room for an exchange and a routing key of 255 bytes each, and for the rest of the method. */
#define METHOD_SIZE_MAX 600
/* Room for flags, short strings, lengths and types, in addition to the texts of the headers. */
#define HEADERS_EXTRA 2048
#define SHORT_MAX 255

/* ---- checks ---- */

static size_t headers_size(const ir_publication_t *publication) {
    size_t size = 0;
    for (size_t i = 0; i < publication->n_headers; i++) {
        const ir_header_t *header = &publication->headers[i];
        size += strlen(header->name) + (header->kind == IR_HEADER_TEXT ? header->text.size : 0);
    }
    return size;
}

static ir_status_t too_long(const char *what, ir_error_t *error) {
    return ir_error_set(error, IR_ERR_RANGE,
                        "a message cannot be published: its %s is over AMQP's limit", what);
}

ir_status_t ir_frames_check(const ir_publication_t *publication, uint32_t frame_max,
                            ir_error_t *error) {
    if (publication->routing_key.size > SHORT_MAX) {
        return too_long("routing key", error);
    }
    if (strlen(publication->exchange) > SHORT_MAX) {
        return too_long("exchange", error);
    }
    if (publication->message_id.size > SHORT_MAX) {
        return too_long("message id", error);
    }
    if (publication->user_id.size > SHORT_MAX) {
        return too_long("user id", error);
    }
    if (publication->content_type != NULL && strlen(publication->content_type) > SHORT_MAX) {
        return too_long("content type", error);
    }
    if (publication->n_headers > IR_HEADERS_MAX) {
        return too_long("number of headers", error);
    }
    for (size_t i = 0; i < publication->n_headers; i++) {
        if (strlen(publication->headers[i].name) > SHORT_MAX) {
            return too_long("header's name", error);
        }
    }
    if (headers_size(publication) + HEADERS_EXTRA + FRAME_EXTRA_SIZE > frame_max) {
        return too_long("headers' size", error);
    }
    return IR_OK;
}

/* ---- properties ---- */

static void set_header(amqp_table_entry_t *entry, const ir_header_t *header) {
    entry->key = amqp_cstring_bytes(header->name);
    switch (header->kind) {
    case IR_HEADER_TEXT:
        entry->value.kind = AMQP_FIELD_KIND_UTF8;
        entry->value.value.bytes = ir_broker_bytes(header->text);
        break;
    case IR_HEADER_INTEGER:
        entry->value.kind = AMQP_FIELD_KIND_I64;
        entry->value.value.i64 = header->integer;
        break;
    case IR_HEADER_INT32:
        entry->value.kind = AMQP_FIELD_KIND_I32;
        entry->value.value.i32 = (int32_t)header->integer;
        break;
    case IR_HEADER_FLAG:
        entry->value.kind = AMQP_FIELD_KIND_BOOLEAN;
        entry->value.value.boolean = header->integer != 0;
        break;
    }
}

void ir_frames_properties(const ir_publication_t *publication, ir_properties_t *properties) {
    amqp_basic_properties_t *basic = &properties->basic;
    *basic = (amqp_basic_properties_t){._flags = AMQP_BASIC_DELIVERY_MODE_FLAG};
    basic->delivery_mode =
        publication->transient ? AMQP_DELIVERY_NONPERSISTENT : AMQP_DELIVERY_PERSISTENT;
    if (publication->content_type != NULL) {
        basic->_flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
        basic->content_type = amqp_cstring_bytes(publication->content_type);
    }
    if (publication->message_id.size > 0) {
        basic->_flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        basic->message_id = ir_broker_bytes(publication->message_id);
    }
    if (publication->user_id.size > 0) {
        basic->_flags |= AMQP_BASIC_USER_ID_FLAG;
        basic->user_id = ir_broker_bytes(publication->user_id);
    }
    if (publication->timestamp_s > 0) {
        basic->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        basic->timestamp = (uint64_t)publication->timestamp_s;
    }
    if (publication->n_headers > 0) {
        basic->_flags |= AMQP_BASIC_HEADERS_FLAG;
        basic->headers.entries = properties->headers;
        basic->headers.num_entries = (int)publication->n_headers;
    }
    for (size_t i = 0; i < publication->n_headers; i++) {
        set_header(&properties->headers[i], &publication->headers[i]);
    }
}

/* ---- bytes ---- */

static char *put_big_endian(char *at, uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        *at++ = (char)(value >> shift & 0xff);
    }
    return at;
}

/* Completes a frame whose `size` bytes follow the header at `at`: writes the header and the end. */
static char *close_frame(char *at, uint8_t type, amqp_channel_t channel, size_t size) {
    at = put_big_endian(at, type, 1);
    at = put_big_endian(at, channel, 2);
    at = put_big_endian(at, size, 4) + size;
    return put_big_endian(at, AMQP_FRAME_END, 1);
}

/* Returns NULL when the text does not fit. */
static char *put_method(char *at, const ir_publication_t *publication, amqp_channel_t channel) {
    amqp_basic_publish_t publish = {
        .exchange = amqp_cstring_bytes(publication->exchange),
        .routing_key = ir_broker_bytes(publication->routing_key),
        .mandatory = publication->mandatory,
    };
    char *payload = put_big_endian(at + FRAME_HEADER_SIZE, AMQP_BASIC_PUBLISH_METHOD, 4);
    const int size = amqp_encode_method(AMQP_BASIC_PUBLISH_METHOD, &publish,
                                        (amqp_bytes_t){.len = METHOD_SIZE_MAX, .bytes = payload});
    return size < 0 ? NULL : close_frame(at, AMQP_FRAME_METHOD, channel, (size_t)size + 4);
}

static char *put_content_header(char *at, const ir_publication_t *publication,
                                amqp_channel_t channel, size_t room) {
    ir_properties_t properties;
    ir_frames_properties(publication, &properties);
    char *payload = put_big_endian(at + FRAME_HEADER_SIZE, AMQP_BASIC_CLASS, 2);
    payload = put_big_endian(payload, 0, 2);
    payload = put_big_endian(payload, publication->body.size, 8);
    const int size = amqp_encode_properties(AMQP_BASIC_CLASS, &properties.basic,
                                            (amqp_bytes_t){.len = room, .bytes = payload});
    return size < 0
               ? NULL
               : close_frame(at, AMQP_FRAME_HEADER, channel, (size_t)size + CONTENT_HEADER_SIZE);
}

static char *put_body(char *at, ir_view_t body, amqp_channel_t channel, size_t most) {
    while (body.size > 0) {
        const size_t size = body.size < most ? body.size : most;
        memcpy(at + FRAME_HEADER_SIZE, body.data, size);
        at = close_frame(at, AMQP_FRAME_BODY, channel, size);
        body = ir_view(body.data + size, body.size - size);
    }
    return at;
}

ir_status_t ir_frames_append(ir_buffer_t *out, const ir_publication_t *publication,
                             amqp_channel_t channel, uint32_t frame_max, ir_error_t *error) {
    const size_t most = frame_max - FRAME_EXTRA_SIZE;
    const size_t bodies = publication->body.size / most + 1;
    const size_t room = headers_size(publication) + HEADERS_EXTRA;
    const size_t bound = METHOD_SIZE_MAX + CONTENT_HEADER_SIZE + room + publication->body.size +
                         (bodies + 2) * FRAME_EXTRA_SIZE + sizeof(uint32_t);
    if (!ir_buffer_reserve(out, bound)) {
        out->failed = false;
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a message of %zu bytes",
                            publication->body.size);
    }
    char *at = put_method(out->data + out->size, publication, channel);
    if (at != NULL) {
        at = put_content_header(at, publication, channel, room);
    }
    if (at == NULL) {
        return too_long("exchange, key or headers' size", error);
    }
    at = put_body(at, publication->body, channel, most);
    out->size = (size_t)(at - out->data);
    return IR_OK;
}

void ir_frames_append_heartbeat(ir_buffer_t *out) {
    static const char heartbeat[] = {AMQP_FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, (char)AMQP_FRAME_END};
    ir_buffer_append(out, heartbeat, sizeof heartbeat);
}
