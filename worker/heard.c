#include "worker/heard.h"

#include "common/arena.h"
#include "common/clock.h"
#include "common/name_table.h"

#include <stdlib.h>

#define NAMES_CHUNK (16 * 1024)

struct ir_heard {
    ir_metrics_t *metrics;
    ir_name_table_t motes; /* name → metric */
    ir_arena_t *names;
};

ir_heard_t *ir_heard_new(ir_metrics_t *metrics) {
    ir_heard_t *heard = calloc(1, sizeof *heard);
    if (heard == NULL) {
        return NULL;
    }
    heard->metrics = metrics;
    heard->names = ir_arena_new(NAMES_CHUNK);
    ir_name_table_init(&heard->motes);
    if (heard->names == NULL) {
        ir_heard_free(heard);
        return NULL;
    }
    return heard;
}

void ir_heard_free(ir_heard_t *heard) {
    if (heard != NULL) {
        ir_name_table_free(&heard->motes);
        ir_arena_free(heard->names);
        free(heard);
    }
}

/* Makes the mote's series. Returns NULL when memory is exhausted or all places are in use. */
static ir_metric_t *add(ir_heard_t *heard, ir_view_t mote) {
    if (heard->motes.count == IR_HEARD_MOST) {
        return NULL;
    }
    const ir_view_t name = ir_arena_copy(heard->names, mote);
    ir_metric_t *metric =
        name.data == NULL
            ? NULL
            : ir_metrics_add(heard->metrics, IR_METRIC_GAUGE, "ir_mote_last_arrival_seconds", NULL,
                             "When usable observations of this mote last arrived, Unix time; of "
                             "the first 10,000 motes that a worker hears.");
    if (metric == NULL) {
        return NULL;
    }
    ir_metric_label(metric, "mote", name.data);
    return ir_name_table_add(&heard->motes, name, metric) ? metric : NULL;
}

void ir_heard_note(ir_heard_t *heard, ir_view_t mote, int64_t arrival_ns) {
    ir_metric_t *metric = ir_name_table_find(&heard->motes, mote);
    if (metric == NULL) {
        metric = add(heard, mote);
    }
    const int64_t arrival = arrival_ns / IR_SECOND_NS;
    if (arrival > ir_metric_value(metric)) {
        ir_metric_set(metric, arrival);
    }
}
