#include "store/command/compare.h"

#include "common/buffer.h"
#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

/* An observation of the earlier store that has no counterpart in the new one. */
typedef struct lone {
    ir_id_t raw_id;
    int record;
    int64_t time_ns;
    bool merged; /* another observation of the same record does have a counterpart */
} lone_t;

typedef struct comparison {
    ir_documents_t *earlier;
    const ir_stores_t *stores;
    const char *only;
    ir_tally_t *tally;
    ir_buffer_t names; /* mote and sensor of all series, each followed by a NUL */
    /* the current series */
    const char *mote, *name;
    ir_id_t *ids; /* the ids in the new store, sorted */
    size_t n_ids, ids_capacity;
    lone_t *lones;
    size_t n_lones, lones_capacity;
    uint64_t seen;
    ir_error_t *error;
} comparison_t;

static ir_status_t no_memory(const comparison_t *comparison) {
    return ir_error_set(comparison->error, IR_ERR_MEMORY, "reprocess: out of memory");
}

static bool reserve(void **items, size_t *capacity, size_t count, size_t size) {
    if (count < *capacity) {
        return true;
    }
    const size_t wanted = *capacity > 0 ? *capacity * 2 : 1024;
    void *grown = realloc(*items, wanted * size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *capacity = wanted;
    return true;
}

/* ---- one series ---- */

static int compare_ids(const void *a, const void *b) {
    return ir_id_compare(a, b);
}

static int compare_lones(const void *a, const void *b) {
    const lone_t *first = a;
    const lone_t *second = b;
    const int order = ir_id_compare(&first->raw_id, &second->raw_id);
    return order != 0 ? order : (first->record > second->record) - (first->record < second->record);
}

static ir_status_t take_id(void *context, const ir_stored_observation_t *stored) {
    comparison_t *comparison = context;
    if (!reserve((void **)&comparison->ids, &comparison->ids_capacity, comparison->n_ids,
                 sizeof *comparison->ids)) {
        return no_memory(comparison);
    }
    comparison->ids[comparison->n_ids++] = stored->observation.id;
    return IR_OK;
}

static bool has_id(const comparison_t *comparison, const ir_observation_t *o, int64_t time_ns) {
    ir_id_t id;
    ir_id_observation(ir_view_text(comparison->name), time_ns, &o->source_value, &id);
    return comparison->n_ids > 0 && bsearch(&id, comparison->ids, comparison->n_ids,
                                            sizeof *comparison->ids, compare_ids) != NULL;
}

/* Earlier releases kept nanoseconds. Now the nanoseconds of an arrival are cut off, and those of a
 * time in a message are rounded. */
static bool has_equal(const comparison_t *comparison, const ir_observation_t *o) {
    const int64_t rest = o->time_ns % IR_MICROSECOND_NS;
    const int64_t below = o->time_ns - rest - (rest < 0 ? IR_MICROSECOND_NS : 0);
    return has_id(comparison, o, below) ||
           (rest != 0 && has_id(comparison, o, below + IR_MICROSECOND_NS));
}

static ir_status_t take_earlier(void *context, const ir_stored_observation_t *stored) {
    comparison_t *comparison = context;
    comparison->seen++;
    if (has_equal(comparison, &stored->observation)) {
        return IR_OK;
    }
    if (!reserve((void **)&comparison->lones, &comparison->lones_capacity, comparison->n_lones,
                 sizeof *comparison->lones)) {
        return no_memory(comparison);
    }
    comparison->lones[comparison->n_lones++] = (lone_t){.raw_id = stored->raw_id,
                                                        .record = stored->observation.record,
                                                        .time_ns = stored->observation.time_ns};
    return IR_OK;
}

/* If one observation of a record has a counterpart, marks its other observations as merged. */
static ir_status_t mark_merged(void *context, const ir_stored_observation_t *stored) {
    comparison_t *comparison = context;
    const lone_t key = {.raw_id = stored->raw_id, .record = stored->observation.record};
    lone_t *found = bsearch(&key, comparison->lones, comparison->n_lones, sizeof *comparison->lones,
                            compare_lones);
    if (found == NULL || !has_equal(comparison, &stored->observation)) {
        return IR_OK;
    }
    while (found > comparison->lones && compare_lones(found - 1, &key) == 0) {
        found--;
    }
    for (; found < comparison->lones + comparison->n_lones && compare_lones(found, &key) == 0;
         found++) {
        found->merged = true;
    }
    return IR_OK;
}

static ir_status_t walk_earlier(comparison_t *comparison, ir_each_observation_fn each) {
    return ir_documents_each_observation(comparison->earlier, comparison->mote, comparison->name,
                                         INT64_MIN, INT64_MAX, each, comparison, comparison->error);
}

static void tell_lone(const comparison_t *comparison, const lone_t *lone) {
    char time[IR_TIME_SIZE];
    char raw[IR_ID_TEXT_SIZE];
    const char *what = lone->merged ? "merged" : "missing";
    ir_clock_format(lone->time_ns, time);
    fprintf(comparison->stores->out,
            comparison->stores->options->json
                ? "{\"differs\":\"%s\",\"sensor\":\"%s\",\"time\":\"%s\",\"raw\":\"%s\","
                  "\"record\":%d}\n"
                : "%-8s %s %s of message %s, record %d\n",
            what, comparison->name, time, ir_id_format(&lone->raw_id, raw), lone->record);
}

static ir_status_t count(comparison_t *comparison) {
    uint64_t merged = 0;
    for (size_t i = 0; i < comparison->n_lones; i++) {
        merged += comparison->lones[i].merged;
        tell_lone(comparison, &comparison->lones[i]);
    }
    const uint64_t lones = comparison->n_lones;
    const ir_view_t mote = ir_view_text(comparison->mote);
    return ir_tally_add(comparison->tally, mote, IR_TALLY_EARLIER, comparison->seen) &&
                   ir_tally_add(comparison->tally, mote, IR_TALLY_EQUAL,
                                comparison->seen - lones) &&
                   ir_tally_add(comparison->tally, mote, IR_TALLY_MERGED, merged) &&
                   ir_tally_add(comparison->tally, mote, IR_TALLY_MISSING, lones - merged)
               ? IR_OK
               : no_memory(comparison);
}

static ir_status_t compare_series(comparison_t *comparison) {
    comparison->n_ids = comparison->n_lones = 0;
    comparison->seen = 0;
    ir_status_t status = ir_documents_each_observation(
        comparison->stores->documents, comparison->mote, comparison->name, INT64_MIN, INT64_MAX,
        take_id, comparison, comparison->error);
    if (comparison->n_ids > 0) {
        qsort(comparison->ids, comparison->n_ids, sizeof *comparison->ids, compare_ids);
    }
    if (status == IR_OK) {
        status = walk_earlier(comparison, take_earlier);
    }
    if (status == IR_OK && comparison->n_lones > 0) {
        qsort(comparison->lones, comparison->n_lones, sizeof *comparison->lones, compare_lones);
        status = walk_earlier(comparison, mark_merged);
    }
    return status == IR_OK ? count(comparison) : status;
}

/* ---- all of them ---- */

static ir_status_t take_name(void *context, ir_view_t mote, ir_view_t name) {
    comparison_t *comparison = context;
    ir_buffer_append_view(&comparison->names, mote);
    ir_buffer_append_char(&comparison->names, '\0');
    ir_buffer_append_view(&comparison->names, name);
    ir_buffer_append_char(&comparison->names, '\0');
    return ir_buffer_ok(&comparison->names) ? IR_OK : no_memory(comparison);
}

static ir_status_t compare_all(comparison_t *comparison) {
    ir_status_t status =
        ir_documents_each_sensor(comparison->earlier, take_name, comparison, comparison->error);
    const char *at = comparison->names.data;
    const char *end = at + comparison->names.size;
    while (status == IR_OK && at < end) {
        comparison->mote = at;
        comparison->name = at + strlen(at) + 1;
        at = comparison->name + strlen(comparison->name) + 1;
        if (comparison->only == NULL || strcmp(comparison->mote, comparison->only) == 0) {
            status = compare_series(comparison);
        }
    }
    return status;
}

ir_status_t ir_compare_earlier(ir_documents_t *earlier, const ir_stores_t *stores, const char *mote,
                               ir_tally_t *tally, ir_error_t *error) {
    comparison_t comparison = {
        .earlier = earlier, .stores = stores, .only = mote, .tally = tally, .error = error};
    ir_buffer_init(&comparison.names);
    const ir_status_t status = compare_all(&comparison);
    ir_buffer_free(&comparison.names);
    free(comparison.ids);
    free(comparison.lones);
    return status;
}
