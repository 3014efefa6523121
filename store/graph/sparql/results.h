/* Parses a SPARQL server's answers: large answers as a stream of lines, small ones as JSON. */
#ifndef IR_STORE_GRAPH_SPARQL_RESULTS_H
#define IR_STORE_GRAPH_SPARQL_RESULTS_H

#include "common/buffer.h"
#include "common/status.h"
#include "store/graph/graph.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_SPARQL_LINE_MAX ((size_t)4 * 1024 * 1024)

/* Splits a stream into lines. */
typedef struct ir_line_stream {
    ir_each_line_fn each;
    void *context;
    ir_error_t *error;
    ir_buffer_t rest; /* the incomplete last line */
    uint64_t lines;
} ir_line_stream_t;

/* An ir_http_take_fn; `context` is the stream. Lines are passed on without "\n" or "\r\n".
 * IR_ERR_PROTOCOL when one is longer than IR_SPARQL_LINE_MAX. */
ir_status_t ir_line_stream_take(void *context, ir_view_t bytes);

/* Passes on the last line, if no newline ended it. */
ir_status_t ir_line_stream_end(ir_line_stream_t *stream);
void ir_line_stream_free(ir_line_stream_t *stream);

/* The IRI in a line of a CSV or TSV answer with one column, without quotes or angle brackets. */
ir_view_t ir_sparql_cell(ir_view_t line);

/* The number that a JSON answer (application/sparql-results+json) binds to `name` in its first row.
 * IR_ERR_PROTOCOL when there is none. */
ir_status_t ir_sparql_number(ir_view_t json, const char *name, uint64_t *number);

/* Whether the text is an answer to ASK. */
bool ir_sparql_is_answer(ir_view_t json);

#endif
