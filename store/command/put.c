#include "store/command/put.h"

#include "common/clock.h"

#include <time.h>

#define TRIES 6
#define FIRST_WAIT_NS (200 * IR_MILLISECOND_NS) /* doubles after each attempt */

typedef ir_outcome_t (*ir_put_fn)(void *store, ir_batch_t *batch, ir_error_t *error);

static ir_outcome_t put_documents(void *store, ir_batch_t *batch, ir_error_t *error) {
    return ir_documents_put(store, batch, error);
}

static ir_outcome_t put_graph(void *store, ir_batch_t *batch, ir_error_t *error) {
    return ir_graph_put(store, batch, error);
}

static ir_status_t put(ir_put_fn once, void *store, ir_batch_t *batch, ir_error_t *error) {
    ir_error_t why = {.status = IR_OK};
    int64_t wait_ns = FIRST_WAIT_NS;
    for (int i = 0; once(store, batch, &why) != IR_OUTCOME_OK; i++) {
        if (i == TRIES) {
            return ir_error_set(error, why.status, "%s", why.text);
        }
        const struct timespec wait = {.tv_sec = wait_ns / IR_SECOND_NS,
                                      .tv_nsec = wait_ns % IR_SECOND_NS};
        nanosleep(&wait, NULL);
        wait_ns *= 2;
    }
    return IR_OK;
}

ir_status_t ir_put_documents(ir_documents_t *documents, ir_batch_t *batch, ir_error_t *error) {
    return put(put_documents, documents, batch, error);
}

ir_status_t ir_put_graph(ir_graph_t *graph, ir_batch_t *batch, ir_error_t *error) {
    return put(put_graph, graph, batch, error);
}
