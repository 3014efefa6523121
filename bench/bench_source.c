/* Measures generating without sending: bench_source [MOTES [SECONDS]]. Renders the messages of a
 * simulation in one thread, as JSON and CBOR, with 1 and 7 records, each without ids, with the raw
 * id, and with the ids of all observations. Prints observations per second of CPU time. */
#include "common/clock.h"
#include "loadgen/source/source_open.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS_MAX 7
#define TURN 1000

typedef enum ir_effort { IR_EFFORT_BODY, IR_EFFORT_RAW_ID, IR_EFFORT_ALL_IDS } ir_effort_t;

static bool take(const ir_source_t *source, uint64_t number, ir_effort_t effort,
                 ir_buffer_t *body) {
    ir_source_message_t message;
    ir_id_t ids[RECORDS_MAX + 1];
    ir_buffer_clear(body);
    ir_source_get(source, number, &message);
    ir_source_body(source, number, body);
    if (effort >= IR_EFFORT_RAW_ID) {
        const ir_raw_key_t key = {.kind = IR_RAW_ABSOLUTE,
                                  .mote = message.mote,
                                  .body = ir_buffer_view(body),
                                  .time_ns = message.time_ns};
        ir_id_raw(&key, &ids[RECORDS_MAX]);
    }
    if (effort >= IR_EFFORT_ALL_IDS) {
        ir_source_ids(source, number, ids);
    }
    return ir_buffer_ok(body);
}

static double measure(const ir_source_t *source, ir_effort_t effort, double seconds) {
    ir_buffer_t body;
    ir_buffer_init(&body);
    const int64_t start_ns = ir_clock_process_cpu();
    int64_t spent_ns = 0;
    uint64_t number = 0;
    while ((double)spent_ns < seconds * 1e9) {
        for (unsigned i = 0; i < TURN; i++) {
            if (!take(source, number++ % source->messages, effort, &body)) {
                exit(1);
            }
        }
        spent_ns = ir_clock_process_cpu() - start_ns;
    }
    ir_buffer_free(&body);
    return (double)number * (double)source->records_max / ((double)spent_ns / 1e9);
}

static void measure_source(const ir_source_options_t *options, double seconds) {
    static const char *const efforts[] = {"body", "and raw id", "and all ids"};
    ir_source_t source = {0};
    ir_error_t error;
    if (ir_source_open(options, &source, &error) != IR_OK) {
        fprintf(stderr, "bench_source: %s\n", error.text);
        exit(1);
    }
    printf("%s, %u records:", options->format == IR_PACK_JSON ? "JSON" : "CBOR", options->records);
    for (unsigned effort = 0; effort <= IR_EFFORT_ALL_IDS; effort++) {
        printf("  %s %.0f/s", efforts[effort], measure(&source, (ir_effort_t)effort, seconds));
    }
    printf("\n");
    ir_source_close(&source);
}

int main(int argc, char **argv) {
    ir_source_options_t options = {.simulate =
                                       argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000,
                                   .seed = 1,
                                   .interval_ns = 900 * IR_SECOND_NS};
    const double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
    for (options.format = IR_PACK_JSON; options.format <= IR_PACK_CBOR; options.format++) {
        for (options.records = 1; options.records <= RECORDS_MAX; options.records += 6) {
            measure_source(&options, seconds);
        }
    }
    return 0;
}
