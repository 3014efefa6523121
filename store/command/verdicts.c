#include "store/command/verdicts.h"

#include "annotation/quality/qartod.h"
#include "annotation/quality/quality.h"
#include "store/command/newest.h"
#include "store/command/put.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 1000 /* number of points checked together */
#define PENDING 2 /* last points, whose flags may depend on points still to come */
#define CONTEXT 3 /* flags depend on this many points on either side, or more */
#define SERIES 1

/* A point with its stored flags and its correct flags. */
typedef struct point {
    ir_observation_t now;
    ir_id_t raw_id;
    ir_id_t decided_by[IR_TEST_COUNT];
    uint8_t stored[IR_TEST_COUNT];
    bool was_late;
} point_t;

struct ir_verdicts {
    ir_documents_t *reader, *documents;
    ir_graph_t *graph;
    ir_quality_t *quality;
    ir_batch_t *checked;   /* the page being checked */
    ir_batch_t *revisions; /* revisions to be written */
    ir_batch_t *again;     /* revisions that are stored already, but that the graph may lack */
    ir_point_t *recent;
    size_t recent_capacity;
    ir_revision_list_t stored; /* the stored revisions of the series */
    /* the current series */
    const ir_sensor_t *sensor;
    int64_t from_ns, to_ns;
    size_t after, after_most; /* points after to_ns */
    point_t points[PENDING + PAGE];
    size_t n_points, n_checked; /* the first n_checked points have their correct flags */
    uint64_t written;
    ir_error_t *error;
};

ir_verdicts_t *ir_verdicts_new(ir_documents_t *reader, ir_documents_t *documents, ir_graph_t *graph,
                               ir_registry_t *registry) {
    ir_verdicts_t *verdicts = calloc(1, sizeof *verdicts);
    if (verdicts == NULL) {
        return NULL;
    }
    verdicts->reader = reader;
    verdicts->documents = documents;
    verdicts->graph = graph;
    verdicts->quality = ir_quality_new(SERIES, NULL, NULL, true);
    verdicts->checked = ir_batch_new(registry);
    verdicts->revisions = ir_batch_new(registry);
    verdicts->again = ir_batch_new(registry);
    if (verdicts->quality == NULL || verdicts->checked == NULL || verdicts->revisions == NULL ||
        verdicts->again == NULL) {
        ir_verdicts_free(verdicts);
        return NULL;
    }
    return verdicts;
}

void ir_verdicts_free(ir_verdicts_t *verdicts) {
    if (verdicts == NULL) {
        return;
    }
    ir_quality_free(verdicts->quality);
    ir_batch_free(verdicts->checked);
    ir_batch_free(verdicts->revisions);
    ir_batch_free(verdicts->again);
    free(verdicts->recent);
    ir_revision_list_free(&verdicts->stored);
    free(verdicts);
}

static ir_status_t no_memory(const ir_verdicts_t *verdicts) {
    return ir_error_set(verdicts->error, IR_ERR_MEMORY, "quality control: out of memory");
}

/* ---- the newest verdict ---- */

static ir_status_t take_stored(void *context, const ir_stored_revision_t *stored) {
    ir_verdicts_t *verdicts = context;
    return ir_revision_list_add(&verdicts->stored, stored) ? IR_OK : no_memory(verdicts);
}

typedef struct verdict {
    ir_id_t id; /* id of the verdict: a revision, or the observation itself */
    uint8_t flag;
} verdict_t;

static verdict_t newest(const ir_verdicts_t *verdicts, const point_t *point, ir_test_t test) {
    const ir_stored_revision_t *found = ir_newest_revision(&verdicts->stored, &point->now.id, test);
    return found != NULL ? (verdict_t){found->id, found->flag}
                         : (verdict_t){point->now.id, point->stored[test]};
}

/* ---- writing differences ---- */

/* Writes to the graph before the documents. Otherwise, after an interruption, the graph would lack
 * revisions that are already in the documents and would not be found again. */
static ir_status_t write_revisions(ir_verdicts_t *verdicts) {
    ir_batch_t *batch = verdicts->revisions;
    if (batch->n_revisions == 0) {
        return IR_OK;
    }
    ir_status_t status = ir_put_graph(verdicts->graph, batch, verdicts->error);
    if (status == IR_OK) {
        status = ir_put_documents(verdicts->documents, batch, verdicts->error);
    }
    verdicts->written += status == IR_OK ? batch->n_revisions : 0;
    batch->n_revisions = batch->n_store_refusals = 0;
    return status;
}

/* ---- stored revisions ---- */

static ir_status_t write_again(ir_verdicts_t *verdicts) {
    ir_batch_t *batch = verdicts->again;
    const ir_status_t status =
        batch->n_revisions > 0 ? ir_put_graph(verdicts->graph, batch, verdicts->error) : IR_OK;
    batch->n_revisions = batch->n_store_refusals = 0;
    return status;
}

/* These revisions are in the documents, but a restored graph may lack them. */
static ir_status_t keep_stored(ir_verdicts_t *verdicts, const point_t *point) {
    size_t count = 0;
    const ir_stored_revision_t *stored = ir_revisions_of(&verdicts->stored, &point->now.id, &count);
    for (size_t i = 0; i < count; i++) {
        ir_revision_t revision = {.id = stored[i].id,
                                  .test = stored[i].test,
                                  .flag = stored[i].flag,
                                  .observation = point->now,
                                  .raw_id = point->raw_id,
                                  .decided_by = stored[i].decided_by,
                                  .supersedes = stored[i].supersedes,
                                  .superseded = stored[i].superseded};
        revision.observation.aggregate = stored[i].aggregate;
        if (!ir_batch_add_revision(verdicts->again, &revision)) {
            return no_memory(verdicts);
        }
    }
    return verdicts->again->n_revisions >= PAGE ? write_again(verdicts) : IR_OK;
}

/* ---- differences ---- */

static bool is_silent(const point_t *point, ir_test_t test, uint8_t before) {
    return !point->was_late && before == IR_FLAG_NOT_EVALUATED &&
           point->now.flags[test] == IR_FLAG_GOOD &&
           (test == IR_TEST_SPIKE || test == IR_TEST_FLAT_LINE);
}

static bool add_revision(ir_verdicts_t *verdicts, const point_t *point, ir_test_t test,
                         const verdict_t *before) {
    ir_revision_t revision = {
        .test = test,
        .flag = point->now.flags[test],
        .previous = before->flag,
        .observation = point->now,
        .raw_id = point->raw_id,
        .decided_by = point->decided_by[test],
        .supersedes = true,
        .superseded = before->id,
    };
    ir_id_revision(&point->now.id, ir_test_text(test), revision.flag, &before->id, &revision.id);
    return ir_batch_add_revision(verdicts->revisions, &revision);
}

static ir_status_t settle_point(ir_verdicts_t *verdicts, point_t *point) {
    verdict_t before[IR_TEST_COUNT];
    bool differs[IR_TEST_COUNT];
    if (point->now.time_ns < verdicts->from_ns) {
        return IR_OK;
    }
    const ir_status_t kept = keep_stored(verdicts, point);
    if (kept != IR_OK) {
        return kept;
    }
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        before[test] = newest(verdicts, point, (ir_test_t)test);
        differs[test] = before[test].flag != point->now.flags[test] &&
                        !is_silent(point, (ir_test_t)test, before[test].flag);
        if (!differs[test]) {
            point->now.flags[test] = before[test].flag;
        }
    }
    point->now.aggregate = ir_quality_aggregate(point->now.flags);
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        if (differs[test] && !add_revision(verdicts, point, (ir_test_t)test, &before[test])) {
            return no_memory(verdicts);
        }
    }
    return verdicts->revisions->n_revisions >= PAGE ? write_revisions(verdicts) : IR_OK;
}

/* ---- checking ---- */

/* Revisions come in the order of the points that decided them, and each is about one of the few
 * points before. */
static void apply_revisions(ir_verdicts_t *verdicts) {
    size_t at = 0;
    for (uint32_t i = 0; i < verdicts->checked->n_revisions; i++) {
        const ir_revision_t *revision = &verdicts->checked->revisions[i];
        at = at > PENDING ? at - PENDING : 0;
        while (at < verdicts->n_points &&
               ir_id_compare(&verdicts->points[at].now.id, &revision->observation.id) != 0) {
            at++;
        }
        if (at < verdicts->n_points) {
            verdicts->points[at].now.flags[revision->test] = revision->flag;
            verdicts->points[at].decided_by[revision->test] = revision->decided_by;
        }
    }
}

/* Sets the flags of all points. Those of the last points are final only at the end of the
 * series. */
static ir_status_t check_page(ir_verdicts_t *verdicts, bool end) {
    ir_batch_t *batch = verdicts->checked;
    ir_batch_reset(batch, batch->registry);
    for (size_t i = verdicts->n_checked; i < verdicts->n_points; i++) {
        if (!ir_batch_add_observation(batch, &verdicts->points[i].now)) {
            return no_memory(verdicts);
        }
    }
    if (ir_quality_check(verdicts->quality, batch, verdicts->error) != IR_OUTCOME_OK) {
        return verdicts->error->status;
    }
    for (size_t i = verdicts->n_checked; i < verdicts->n_points; i++) {
        memcpy(verdicts->points[i].now.flags, batch->observations[i - verdicts->n_checked].flags,
               sizeof verdicts->points[i].now.flags);
    }
    apply_revisions(verdicts);
    const size_t kept = end || verdicts->n_points < PENDING ? 0 : PENDING;
    const size_t settled = verdicts->n_points - kept;
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < settled && status == IR_OK; i++) {
        status = settle_point(verdicts, &verdicts->points[i]);
    }
    memmove(verdicts->points, verdicts->points + settled, kept * sizeof *verdicts->points);
    verdicts->n_points = verdicts->n_checked = kept;
    return status;
}

/* ---- the series ---- */

static bool has_unit(const ir_sensor_t *sensor, ir_view_t unit) {
    return ir_view_equal(unit, ir_view_text(sensor->unit != NULL ? sensor->unit->ucum : NULL));
}

static ir_status_t take_point(void *context, const ir_stored_observation_t *stored) {
    ir_verdicts_t *verdicts = context;
    const ir_observation_t *o = &stored->observation;
    if (o->value.kind != IR_VALUE_NUMBER || !has_unit(verdicts->sensor, stored->unit)) {
        return IR_OK;
    }
    if (o->time_ns > verdicts->to_ns && verdicts->after++ == verdicts->after_most) {
        return IR_ERR_STATE; /* enough points: stop */
    }
    point_t *point = &verdicts->points[verdicts->n_points++];
    *point = (point_t){.now = *o, .raw_id = stored->raw_id, .was_late = o->late};
    point->now.sensor = verdicts->sensor;
    if (ir_sensor_misses(verdicts->sensor, &o->source_value)) {
        point->now.value = (ir_value_t){.kind = IR_VALUE_NONE}; /* registered since */
    }
    point->now.source_unit = (ir_view_t){NULL, 0};
    point->now.source_value = (ir_value_t){.kind = IR_VALUE_NONE};
    memcpy(point->stored, o->flags, sizeof point->stored);
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        point->decided_by[test] = o->id;
    }
    return verdicts->n_points == PENDING + PAGE ? check_page(verdicts, false) : IR_OK;
}

/* Flags depend on a number of earlier points. Finds the time from which points must be read. */
static ir_status_t find_start(ir_verdicts_t *verdicts, int64_t *start_ns) {
    const ir_sensor_t *sensor = verdicts->sensor;
    const size_t window = ir_test_flat_line_window(ir_sensor_limits(sensor), sensor->interval_ns);
    const size_t wanted = window > CONTEXT ? window : CONTEXT;
    size_t count = 0;
    if (wanted > verdicts->recent_capacity) {
        ir_point_t *grown = realloc(verdicts->recent, wanted * sizeof *grown);
        if (grown == NULL) {
            return no_memory(verdicts);
        }
        verdicts->recent = grown;
        verdicts->recent_capacity = wanted;
    }
    if (ir_documents_recent(verdicts->documents, sensor, verdicts->from_ns, wanted,
                            verdicts->recent, &count, verdicts->error) != IR_OUTCOME_OK) {
        return verdicts->error->status;
    }
    *start_ns = count < wanted ? INT64_MIN : verdicts->recent[count - 1].time_ns;
    verdicts->after_most = wanted;
    return IR_OK;
}

static ir_status_t walk_series(ir_verdicts_t *verdicts, int64_t start_ns) {
    const char *name = verdicts->sensor->name;
    ir_status_t status = ir_documents_each_revision(verdicts->reader, name, start_ns, INT64_MAX,
                                                    take_stored, verdicts, verdicts->error);
    if (status != IR_OK) {
        return status;
    }
    ir_revision_list_sort(&verdicts->stored);
    status =
        ir_documents_each_observation(verdicts->reader, verdicts->sensor->mote->id, name, start_ns,
                                      INT64_MAX, take_point, verdicts, verdicts->error);
    if (status == IR_OK || (status == IR_ERR_STATE && verdicts->after > verdicts->after_most)) {
        status = check_page(verdicts, true);
    }
    if (status == IR_OK) {
        status = write_again(verdicts);
    }
    return status == IR_OK ? write_revisions(verdicts) : status;
}

ir_status_t ir_verdicts_revise(ir_verdicts_t *verdicts, const ir_sensor_t *sensor, int64_t from_ns,
                               int64_t to_ns, uint64_t *written, ir_error_t *error) {
    int64_t start_ns = INT64_MIN;
    verdicts->sensor = sensor;
    verdicts->from_ns = from_ns;
    verdicts->to_ns = to_ns;
    verdicts->after = verdicts->n_points = verdicts->n_checked = verdicts->stored.count = 0;
    verdicts->written = 0;
    verdicts->error = error;
    ir_quality_reset(verdicts->quality);
    ir_status_t status = find_start(verdicts, &start_ns);
    if (status == IR_OK) {
        status = walk_series(verdicts, start_ns);
    }
    *written = verdicts->written;
    return status;
}
