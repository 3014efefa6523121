#include "store/backup/bson_stream.h"

#include <string.h>

#define DOCUMENT_MIN 5 /* a document's size, and the zero at its end */

size_t ir_bson_stream_left(const ir_bson_stream_t *stream) {
    return stream->held.size - stream->at;
}

ir_status_t ir_bson_stream_add(ir_bson_stream_t *stream, ir_view_t bytes, ir_error_t *error) {
    const size_t left = ir_bson_stream_left(stream);
    if (stream->at > 0) {
        memmove(stream->held.data, stream->held.data + stream->at, left);
        stream->held.size = left;
        stream->at = 0;
    }
    ir_buffer_append_view(&stream->held, bytes);
    return ir_buffer_ok(&stream->held)
               ? IR_OK
               : ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory");
}

ir_status_t ir_bson_stream_next(ir_bson_stream_t *stream, bson_t *document, ir_error_t *error) {
    const size_t left = ir_bson_stream_left(stream);
    uint32_t size = 0;
    if (left < sizeof size) {
        return IR_ERR_NOT_FOUND;
    }
    const char *begin = stream->held.data + stream->at;
    memcpy(&size, begin, sizeof size);
    size = BSON_UINT32_FROM_LE(size);
    const bool possible = size >= DOCUMENT_MIN && size <= IR_BSON_DOCUMENT_MAX;
    if (possible && size > left) {
        return IR_ERR_NOT_FOUND;
    }
    if (!possible || !bson_init_static(document, (const uint8_t *)begin, size)) {
        return ir_error_set(error, IR_ERR_SYNTAX, "the backup has bytes that are not a document");
    }
    stream->at += size;
    return IR_OK;
}
