#include "store/documents/backend.h"

/* Accepts everything and keeps nothing: the other stores are measured against it. */

static const char *const prefixes[] = {"null:", NULL};

static ir_status_t null_open(const ir_documents_options_t *options, void **store,
                             ir_error_t *error) {
    (void)options;
    (void)error;
    *store = NULL;
    return IR_OK;
}

static void null_close(void *store) {
    (void)store;
}

static ir_status_t null_good(void *store, ir_error_t *error) {
    (void)store;
    (void)error;
    return IR_OK;
}

static ir_outcome_t null_put(void *store, ir_batch_t *batch, ir_error_t *error) {
    (void)store;
    (void)batch;
    (void)error;
    return IR_OUTCOME_OK;
}

static ir_outcome_t null_arrivals(void *store, ir_raw_arrival_t *arrivals, size_t count,
                                  ir_error_t *error) {
    (void)store;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        arrivals[i].stored = false;
    }
    return IR_OUTCOME_OK;
}

static ir_outcome_t null_recent(void *store, const ir_sensor_t *sensor, int64_t before_ns,
                                size_t limit, ir_point_t *points, size_t *count,
                                ir_error_t *error) {
    (void)store;
    (void)sensor;
    (void)before_ns;
    (void)limit;
    (void)points;
    (void)error;
    *count = 0;
    return IR_OUTCOME_OK;
}

static ir_status_t null_count(void *store, ir_documents_counts_t *counts, ir_error_t *error) {
    (void)store;
    (void)error;
    *counts = (ir_documents_counts_t){0};
    return IR_OK;
}

static ir_status_t null_each(void *store, ir_document_kind_t kind, ir_each_document_fn each,
                             void *context, ir_error_t *error) {
    (void)store;
    (void)kind;
    (void)each;
    (void)context;
    (void)error;
    return IR_OK;
}

static ir_status_t null_each_raw(void *store, const ir_raw_selection_t *selection,
                                 ir_each_raw_fn each, void *context, ir_error_t *error) {
    (void)store;
    (void)selection;
    (void)each;
    (void)context;
    (void)error;
    return IR_OK;
}

const ir_documents_backend_t ir_documents_null = {
    .scheme = {"null:", prefixes},
    .open = null_open,
    .close = null_close,
    .init = null_good,
    .ready = null_good,
    .put = null_put,
    .arrivals = null_arrivals,
    .recent = null_recent,
    .count = null_count,
    .each = null_each,
    .each_raw = null_each_raw,
};
