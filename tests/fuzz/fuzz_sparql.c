/* Answers of a SPARQL server. */
#include "store/graph/sparql/results.h"
#include "tests/fuzz/fuzz.h"

#define FIXED ((size_t)64 * 1024)
#define FACTOR 160 /* a JSON value of two bytes takes 80 bytes in the parser */

static ir_status_t ignore(void *context, ir_view_t line) {
    *(size_t *)context += ir_sparql_cell(line).size;
    return IR_OK;
}

static void read_lines(ir_view_t answer) {
    size_t bytes = 0;
    ir_error_t error;
    ir_line_stream_t stream = {.each = ignore, .context = &bytes, .error = &error};
    ir_buffer_init(&stream.rest);
    const size_t half = answer.size / 2;
    if (ir_line_stream_take(&stream, ir_view(answer.data, half)) == IR_OK &&
        ir_line_stream_take(&stream, ir_view(answer.data + half, answer.size - half)) == IR_OK) {
        (void)ir_line_stream_end(&stream);
    }
    ir_line_stream_free(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const ir_view_t answer = fuzz_view(data, size);
    uint64_t number = 0;
    fuzz_watch(FIXED, FACTOR, size);
    (void)ir_sparql_number(answer, "n", &number);
    (void)ir_sparql_is_answer(answer);
    read_lines(answer);
    fuzz_unwatch();
    return 0;
}
