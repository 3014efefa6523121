/* What a request carries, in each of its forms: the first byte chooses type and encoding. An answer
 * must be one of those that are documented, and be JSON. */
#include "ingest/refusal.h"
#include "ingest/submission.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define NOW_NS INT64_C(1400000000000000000)

static const ir_submission_limits_t limits = {
    .senml = {.bytes = 32768, .depth = 16, .records = 1000, .future_ns = NOW_NS / 1000},
    .body_bytes = 65536,
    .expanded_bytes = 131072,
    .packs = 50};

static void check_problem(const ir_submission_t *submission) {
    ir_buffer_t out;
    ir_buffer_init(&out);
    ir_refusal_append(&out, submission);
    json_t *problem = json_loadb(out.data, out.size, 0, NULL);
    if (problem == NULL) {
        abort();
    }
    json_decref(problem);
    ir_buffer_free(&out);
}

static void check(const ir_submission_t *submission) {
    switch (submission->code) {
    case 202:
        if (submission->n_packs == 0 || submission->observations == 0 || submission->n_faults > 0) {
            abort();
        }
        break;
    case 400:
    case 403:
    case 413:
    case 415:
        check_problem(submission);
        break;
    default:
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const types[] = {"application/senml+json", "application/senml+cbor",
                                        "application/x-ndjson"};
    static const char *const encodings[] = {NULL, "gzip"};
    const uint8_t choice = size > 0 ? data[0] : 0;
    char key[8] = "";
    memcpy(key, data, size < sizeof key ? size : sizeof key - 1);
    ir_submission_reader_t *reader = ir_submission_reader_new(&limits);
    ir_submission_t submission;
    for (size_t shift = 0; shift < 2 && reader != NULL; shift++) {
        const size_t skipped = shift < size ? shift : size;
        const ir_submission_input_t input = {
            .mote = "a",
            .content_type = types[choice % 3],
            .content_encoding = encodings[choice / 3 % 2],
            .body = ir_view((const char *)data + skipped, size - skipped),
            .idempotency_key = choice / 6 % 2 != 0 ? key : NULL,
            .arrival_ns = NOW_NS,
        };
        if (ir_submission_read(reader, &input, &submission) == IR_OK) {
            check(&submission);
        }
    }
    ir_submission_reader_free(reader);
    return 0;
}
