/* The body of a request in each media type, decompressed first if it begins like gzip. The answer
 * must be one of the documented ones, in JSON. */
#include "ingest/refusal.h"
#include "ingest/submission.h"
#include "tests/fuzz/pack.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define NOW_NS INT64_C(1400000000000000000)
#define FIXED (FUZZ_PACK_FIXED + (size_t)256 * 1024)
#define FACTOR (FUZZ_PACK_FACTOR + 8) /* decompressed data are kept as well */

static const ir_submission_limits_t limits = {
    .senml = {.bytes = 1048576, .depth = 16, .records = 10000, .future_ns = NOW_NS / 1000},
    .body_bytes = 1048576,
    .expanded_bytes = 4194304,
    .packs = 1000};

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

static bool is_gzip(ir_view_t body) {
    return body.size > 2 && memcmp(body.data, "\x1f\x8b", 2) == 0;
}

static void read_body(ir_view_t body, const char *type, const char *key) {
    const ir_submission_input_t input = {.mote = "a",
                                         .content_type = type,
                                         .content_encoding = is_gzip(body) ? "gzip" : NULL,
                                         .body = body,
                                         .idempotency_key = key,
                                         .arrival_ns = NOW_NS};
    ir_submission_t submission;
    fuzz_watch(FIXED, FACTOR,
               fuzz_expanded_size((const uint8_t *)body.data, body.size, limits.expanded_bytes));
    ir_submission_reader_t *reader = ir_submission_reader_new(&limits);
    if (reader != NULL && ir_submission_read(reader, &input, &submission) == IR_OK) {
        check(&submission);
    }
    ir_submission_reader_free(reader);
    fuzz_unwatch();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const types[] = {"application/senml+json", "application/senml+cbor",
                                        "application/x-ndjson", "text/plain"};
    char key[8] = "";
    memcpy(key, data, size < sizeof key ? size : sizeof key - 1);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        read_body(fuzz_view(data, size), types[i], i == 2 ? key : NULL);
    }
    return 0;
}
