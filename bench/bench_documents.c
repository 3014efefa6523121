/* Measures how the cost of storing grows with the store: bench_documents URI REGISTRY MESSAGES
 * [MOTES [BATCH]]. Puts the messages of a simulation into a document store, BATCH observations at a
 * time, as the worker does (without quality control). After each batch it writes one line: the
 * number of stored documents (raw messages and observations) and the seconds of all puts so far.
 * REGISTRY comes from ir-loadgen --write-registry. */
#include "common/clock.h"
#include "loadgen/source/source_open.h"
#include "observation/analysis.h"
#include "store/documents/documents.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS 7
#define TIMEOUT_NS (120 * IR_SECOND_NS)

typedef struct bench {
    ir_registry_t *registry;
    ir_documents_t *documents;
    ir_source_t source;
    ir_batch_t *batch;
    ir_buffer_t body;
    uint64_t stored;
    int64_t put_ns;
} bench_t;

static void fail(const char *text) {
    fprintf(stderr, "bench_documents: %s\n", text);
    exit(1);
}

static unsigned long argument(int argc, char **argv, int index, unsigned long otherwise) {
    return argc > index ? strtoul(argv[index], NULL, 10) : otherwise;
}

static void add(bench_t *bench, const ir_analysis_t *analysis, uint64_t number) {
    ir_source_message_t message;
    ir_source_get(&bench->source, number, &message);
    ir_buffer_clear(&bench->body);
    ir_source_body(&bench->source, number, &bench->body);
    const ir_batch_input_t input = {.routing_key = message.routing_key,
                                    .content_type = ir_view_text(bench->source.content_type),
                                    .body = ir_buffer_view(&bench->body),
                                    .arrival_ns = ir_clock_now()};
    if (!ir_buffer_ok(&bench->body) || ir_batch_add(bench->batch, analysis, &input) != IR_OK) {
        fail("out of memory");
    }
}

static void put(bench_t *bench) {
    ir_error_t error = {.status = IR_OK};
    const ir_batch_t *batch = bench->batch;
    if (batch->n_refusals > 0) {
        fail(batch->refusals[0].detail);
    }
    const int64_t start_ns = ir_clock_monotonic();
    if (ir_documents_put(bench->documents, bench->batch, &error) != IR_OUTCOME_OK) {
        fail(error.text);
    }
    bench->put_ns += ir_clock_monotonic() - start_ns;
    bench->stored += batch->n_messages + batch->n_observations;
    printf("%llu %.6f\n", (unsigned long long)bench->stored, (double)bench->put_ns / 1e9);
    fflush(stdout);
    ir_batch_reset(bench->batch, bench->registry);
}

static void open_all(bench_t *bench, char **argv, unsigned long messages, unsigned long motes) {
    ir_error_t error = {.status = IR_OK};
    const ir_documents_options_t documents = {.uri = argv[1], .timeout_ns = TIMEOUT_NS};
    const ir_source_options_t source = {.simulate = (unsigned)motes,
                                        .seed = 1,
                                        .records = RECORDS,
                                        .messages = messages,
                                        .interval_ns = 900 * IR_SECOND_NS};
    if (ir_registry_load(argv[2], &bench->registry, NULL, &error) != IR_OK ||
        ir_documents_open(&documents, &bench->documents, &error) != IR_OK ||
        ir_documents_init(bench->documents, &error) != IR_OK ||
        ir_source_open(&source, &bench->source, &error) != IR_OK) {
        fail(error.text);
    }
    bench->batch = ir_batch_new(bench->registry);
    ir_buffer_init(&bench->body);
    if (bench->batch == NULL) {
        fail("out of memory");
    }
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: bench_documents URI REGISTRY MESSAGES [MOTES [BATCH]]\n");
        return 2;
    }
    const unsigned long messages = argument(argc, argv, 3, 0);
    const unsigned long batch = argument(argc, argv, 5, 5000);
    const ir_analysis_t analysis = {.limits = ir_senml_limits_default,
                                    .base_iri = "https://intelligent-river.example/id/"};
    bench_t bench = {.stored = 0};
    open_all(&bench, argv, messages, argument(argc, argv, 4, 1000));
    for (uint64_t number = 0; number < messages; number++) {
        add(&bench, &analysis, number);
        if (bench.batch->n_observations >= batch || number + 1 == messages) {
            put(&bench);
        }
    }
    ir_buffer_free(&bench.body);
    ir_batch_free(bench.batch);
    ir_source_close(&bench.source);
    ir_documents_close(bench.documents);
    ir_registry_unref(bench.registry);
    return 0;
}
