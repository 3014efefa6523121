#include "store/graph/sparql/results.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

static ir_status_t give(ir_line_stream_t *stream, ir_view_t line) {
    if (line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    stream->lines++;
    return stream->each(stream->context, line);
}

static ir_status_t keep(ir_line_stream_t *stream, ir_view_t part) {
    if (stream->rest.size + part.size > IR_SPARQL_LINE_MAX) {
        return ir_error_set(stream->error, IR_ERR_PROTOCOL,
                            "the graph server's answer has a line of more than %zu bytes",
                            IR_SPARQL_LINE_MAX);
    }
    ir_buffer_append_view(&stream->rest, part);
    return ir_buffer_ok(&stream->rest)
               ? IR_OK
               : ir_error_set(stream->error, IR_ERR_MEMORY, "graph: out of memory");
}

ir_status_t ir_line_stream_take(void *context, ir_view_t bytes) {
    ir_line_stream_t *stream = context;
    ir_status_t status = IR_OK;
    while (bytes.size > 0 && status == IR_OK) {
        const char *stop = memchr(bytes.data, '\n', bytes.size);
        if (stop == NULL) {
            return keep(stream, bytes);
        }
        ir_view_t line = ir_view(bytes.data, (size_t)(stop - bytes.data));
        bytes = ir_view(stop + 1, bytes.size - line.size - 1);
        if (stream->rest.size == 0) {
            status = give(stream, line);
            continue;
        }
        status = keep(stream, line);
        if (status == IR_OK) {
            status = give(stream, ir_buffer_view(&stream->rest));
        }
        ir_buffer_clear(&stream->rest);
    }
    return status;
}

ir_status_t ir_line_stream_end(ir_line_stream_t *stream) {
    const ir_status_t status =
        stream->rest.size > 0 ? give(stream, ir_buffer_view(&stream->rest)) : IR_OK;
    ir_buffer_clear(&stream->rest);
    return status;
}

void ir_line_stream_free(ir_line_stream_t *stream) {
    ir_buffer_free(&stream->rest);
}

ir_view_t ir_sparql_cell(ir_view_t line) {
    if (line.size >= 2 && (line.data[0] == '"' || line.data[0] == '<')) {
        return ir_view(line.data + 1, line.size - 2);
    }
    return line;
}

ir_status_t ir_sparql_number(ir_view_t json, const char *name, uint64_t *number) {
    json_t *root = json_loadb(json.size > 0 ? json.data : "", json.size, 0, NULL);
    const json_t *rows = json_object_get(json_object_get(root, "results"), "bindings");
    const json_t *cell = json_object_get(json_array_get(rows, 0), name);
    const char *text = json_string_value(json_object_get(cell, "value"));
    char *end = NULL;
    errno = 0;
    const unsigned long long value = text != NULL ? strtoull(text, &end, 10) : 0;
    const bool good = text != NULL && end != text && *end == '\0' && errno == 0;
    json_decref(root);
    if (!good) {
        return IR_ERR_PROTOCOL;
    }
    *number = value;
    return IR_OK;
}

bool ir_sparql_is_answer(ir_view_t json) {
    json_t *root = json_loadb(json.size > 0 ? json.data : "", json.size, 0, NULL);
    /* Virtuoso 7.2 may answer ASK with a table of one number. */
    const bool good = json_is_boolean(json_object_get(root, "boolean")) ||
                      json_is_object(json_object_get(root, "results"));
    json_decref(root);
    return good;
}
