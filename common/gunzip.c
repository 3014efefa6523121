#include "common/gunzip.h"

#include <stdbool.h>

#include <zlib.h>

#define GZIP_ONLY (15 + 16) /* window bits; 16: requires a gzip header */
#define STEP 16384

static ir_status_t status_of(int code) {
    return code == Z_MEM_ERROR ? IR_ERR_MEMORY : IR_ERR_SYNTAX;
}

/* Size of one output step. The step that reaches the limit has one byte more, which shows whether
 * more data would follow. */
static int expand_some(z_stream *stream, size_t left, ir_buffer_t *out) {
    const size_t room = left + 1 < STEP ? left + 1 : STEP;
    if (!ir_buffer_reserve(out, room)) {
        return Z_MEM_ERROR;
    }
    stream->next_out = (Bytef *)out->data + out->size;
    stream->avail_out = (uInt)room;
    const int code = inflate(stream, Z_NO_FLUSH);
    out->size += room - stream->avail_out;
    return code;
}

static ir_status_t expand(z_stream *stream, size_t bound, ir_buffer_t *out) {
    const size_t before = out->size;
    for (;;) {
        const int code = expand_some(stream, bound - (out->size - before), out);
        if (out->size - before > bound) {
            return IR_ERR_FULL;
        }
        if (code == Z_STREAM_END && stream->avail_in == 0) {
            return IR_OK;
        }
        if (code == Z_STREAM_END && inflateReset(stream) != Z_OK) {
            return IR_ERR_SYNTAX;
        }
        if (code != Z_OK && code != Z_STREAM_END) {
            return status_of(code);
        }
    }
}

ir_status_t ir_gunzip(ir_view_t bytes, size_t bound, ir_buffer_t *out) {
    z_stream stream = {.next_in = (Bytef *)bytes.data, .avail_in = (uInt)bytes.size};
    if (bytes.size > UINT32_MAX) {
        return IR_ERR_FULL;
    }
    const int opened = inflateInit2(&stream, GZIP_ONLY);
    if (opened != Z_OK) {
        return status_of(opened);
    }
    const ir_status_t status = expand(&stream, bound, out);
    inflateEnd(&stream);
    return status;
}
