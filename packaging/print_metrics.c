/* Prints the metrics of ir-worker and of ir-ingest as /metrics shows them, before anything is
 * counted. Only tools/references.py uses it. Each program's part starts with "# PROGRAM NAME". */
#include "http/endpoint.h"
#include "ingest/meters.h"
#include "worker/meters.h"

#include <stdio.h>
#include <stdlib.h>

static void fail(const ir_error_t *error) {
    fprintf(stderr, "print_metrics: %s\n", error->text);
    exit(EXIT_FAILURE);
}

static bool never_ready(void *context, ir_buffer_t *reasons) {
    (void)context;
    (void)reasons;
    return false;
}

/* The series of a mote exist only after the mote was heard or refused, so this program adds one to
 * each such metric. */
static void print(const char *program, ir_metrics_t *metrics, ir_culprits_t *culprits) {
    ir_error_t error;
    ir_endpoint_t *endpoint = NULL;
    if (ir_endpoint_new(metrics, never_ready, NULL, NULL, &endpoint, &error) != IR_OK) {
        fail(&error);
    }
    ir_metric_label(culprits->places[0].metric, "mote", "");
    ir_buffer_t text;
    ir_buffer_init(&text);
    ir_metrics_render(metrics, &text);
    printf("# PROGRAM %s\n%.*s", program, IR_VIEW_ARG(ir_buffer_view(&text)));
    ir_buffer_free(&text);
    ir_endpoint_free(endpoint);
}

int main(void) {
    ir_error_t error;
    ir_meters_t worker;
    ir_ingest_meters_t gateway;
    size_t n_formats = 0;
    const ir_format_t *const *formats = ir_formats(&n_formats);
    if (ir_meters_open(&worker, formats, n_formats, &error) != IR_OK ||
        ir_ingest_meters_open(&gateway, &error) != IR_OK) {
        fail(&error);
    }
    ir_heard_note(worker.heard, ir_view_text("mote"), 0);
    print("ir-worker", worker.metrics, &worker.culprits);
    print("ir-ingest", gateway.metrics, &gateway.culprits);
    ir_meters_close(&worker);
    ir_ingest_meters_close(&gateway);
    return EXIT_SUCCESS;
}
