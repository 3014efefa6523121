/* What publishing costs: bench_publish URI [COUNT [SIZE [BATCH]]] publishes COUNT messages of SIZE
 * bytes to ir.processed, flushes after every BATCH, and prints CPU per message and the rate. */
#include "broker/publisher.h"
#include "broker/topology.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 65536

static int fail(const ir_error_t *error) {
    fprintf(stderr, "bench_publish: %s\n", error->text);
    return 1;
}

static unsigned long argument(int argc, char **argv, int index, unsigned long otherwise) {
    return argc > index ? strtoul(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: bench_publish URI [COUNT [SIZE [BATCH]]]\n");
        return 2;
    }
    const unsigned long count = argument(argc, argv, 2, 200000);
    const unsigned long size = argument(argc, argv, 3, 300);
    const unsigned long batch = argument(argc, argv, 4, 500);
    static char body[BODY_MAX];
    memset(body, 'x', sizeof body);
    const ir_broker_options_t options = {.uri = argv[1],
                                         .name = "bench_publish",
                                         .timeout_ns = 10 * IR_SECOND_NS,
                                         .heartbeat_s = 30};
    ir_publisher_t *publisher = ir_publisher_new(&options);
    const ir_publication_t publication = {
        .exchange = IR_EXCHANGE_PROCESSED,
        .routing_key = ir_view_text("jsonld.08068500"),
        .content_type = "application/ld+json",
        .message_id = ir_view_text("0e37df36-f698-11e6-8dd4-cb9ced3df976"),
        .body = ir_view(body, size < sizeof body ? size : sizeof body),
    };
    ir_error_t error = {0};
    int status = 0;
    const int64_t start_ns = ir_clock_monotonic();
    const int64_t cpu_ns = ir_clock_process_cpu();
    for (unsigned long i = 1; i <= count && publisher != NULL && status == 0; i++) {
        if (ir_publisher_publish(publisher, &publication, &error) != IR_OUTCOME_OK ||
            ((i % batch == 0 || i == count) &&
             ir_publisher_flush(publisher, &error) != IR_OUTCOME_OK)) {
            status = fail(&error);
        }
    }
    const double seconds = (double)(ir_clock_monotonic() - start_ns) / 1e9;
    const double cpu_us = (double)(ir_clock_process_cpu() - cpu_ns) / 1e3;
    printf("%lu messages of %lu bytes, flushed every %lu: %.2f us CPU each, %.0f/s, %.1f us a "
           "batch\n",
           count, size, batch, cpu_us / (double)count, (double)count / seconds,
           seconds * 1e6 * (double)batch / (double)count);
    ir_publisher_free(publisher);
    return status;
}
