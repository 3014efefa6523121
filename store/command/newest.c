#include "store/command/newest.h"

#include "annotation/quality/quality.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD 1000 /* revisions that are read together */

/* ---- revisions ---- */

bool ir_revision_list_add(ir_revision_list_t *list, const ir_stored_revision_t *revision) {
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity > 0 ? list->capacity * 2 : 64;
        ir_stored_revision_t *grown = realloc(list->items, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = *revision;
    return true;
}

void ir_revision_list_free(ir_revision_list_t *list) {
    free(list->items);
    *list = (ir_revision_list_t){.items = NULL};
}

static int compare_group(const ir_id_t *observation, ir_test_t test,
                         const ir_stored_revision_t *revision) {
    const int order = ir_id_compare(observation, &revision->observation);
    return order != 0 ? order : (test > revision->test) - (test < revision->test);
}

static int compare(const void *a, const void *b) {
    const ir_stored_revision_t *first = a;
    return compare_group(&first->observation, first->test, b);
}

void ir_revision_list_sort(ir_revision_list_t *list) {
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof *list->items, compare);
    }
}

/* The revisions of one test of one observation. */
static const ir_stored_revision_t *find_group(const ir_revision_list_t *list, const ir_id_t *id,
                                              ir_test_t test, size_t *count) {
    size_t first = 0;
    size_t end = list->count;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        if (compare_group(id, test, &list->items[middle]) > 0) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    for (end = first; end < list->count && compare_group(id, test, &list->items[end]) == 0;) {
        end++;
    }
    *count = end - first;
    return *count > 0 ? list->items + first : NULL;
}

const ir_stored_revision_t *ir_revisions_of(const ir_revision_list_t *list,
                                            const ir_id_t *observation, size_t *count) {
    const ir_stored_revision_t *first = NULL;
    *count = 0;
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        size_t some = 0;
        const ir_stored_revision_t *group = find_group(list, observation, (ir_test_t)test, &some);
        first = first != NULL ? first : group;
        *count += some;
    }
    return first;
}

/* ---- the rule ---- */

static bool is_superseded(const ir_stored_revision_t *group, size_t count, const ir_id_t *id) {
    for (size_t i = 0; i < count; i++) {
        if (group[i].supersedes && ir_id_compare(&group[i].superseded, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_more_severe(uint8_t flag, uint8_t other) {
    uint8_t both[IR_TEST_COUNT];
    memset(both, other, sizeof both);
    both[0] = flag;
    return flag != other && ir_quality_aggregate(both) == flag;
}

const ir_stored_revision_t *ir_newest_revision(const ir_revision_list_t *list,
                                               const ir_id_t *observation, ir_test_t test) {
    size_t count = 0;
    const ir_stored_revision_t *group = find_group(list, observation, test, &count);
    const ir_stored_revision_t *found = NULL;
    for (size_t i = 0; i < count; i++) {
        const ir_stored_revision_t *each = &group[i];
        if ((each->supersedes && is_superseded(group, count, &each->id)) ||
            (found != NULL && found->supersedes && !each->supersedes)) {
            continue;
        }
        if (found == NULL || each->supersedes != found->supersedes ||
            is_more_severe(each->flag, found->flag)) {
            found = each;
        }
    }
    return found;
}

void ir_newest_apply(const ir_revision_list_t *list, ir_observation_t *observation) {
    const bool ahead = observation->aggregate == IR_FLAG_SUSPECT &&
                       memchr(observation->flags, IR_FLAG_SUSPECT, IR_TEST_COUNT) == NULL;
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        const ir_stored_revision_t *newest =
            ir_newest_revision(list, &observation->id, (ir_test_t)test);
        if (newest != NULL) {
            observation->flags[test] = newest->flag;
        }
    }
    observation->aggregate = ir_quality_aggregate(observation->flags);
    if (ahead && observation->aggregate != IR_FLAG_FAIL) {
        observation->aggregate = IR_FLAG_SUSPECT;
    }
}

/* ---- observations with their newest verdict ---- */

/* An observation's id and those of its revisions begin with the same time, and both kinds are read
 * in the order of ids. So the revisions can be read ahead of the observations. */
typedef struct walk {
    ir_documents_t *documents;
    ir_revision_list_t list; /* revisions of observations whose ids are at least `begin` and below
                              * `end` */
    ir_id_t begin, end;
    ir_each_observation_fn each;
    void *context;
    ir_error_t *error;
} walk_t;

static ir_status_t take_revision(void *context, const ir_stored_revision_t *stored) {
    walk_t *walk = context;
    return ir_revision_list_add(&walk->list, stored)
               ? IR_OK
               : ir_error_set(walk->error, IR_ERR_MEMORY, "documents: out of memory for revisions");
}

static ir_id_t begin_of_time(const ir_id_t *id) {
    ir_id_t begin = {{0}};
    memcpy(begin.bytes, id->bytes, IR_ID_TIME_SIZE);
    return begin;
}

/* Reads revisions until one has a later time, because more revisions may have the same time as the
 * last one read. */
static ir_status_t read_ahead(walk_t *walk, const ir_id_t *id) {
    ir_status_t status = IR_OK;
    walk->begin = walk->end = begin_of_time(id);
    for (size_t limit = AHEAD; status == IR_OK && ir_id_compare(&walk->end, &walk->begin) == 0;
         limit *= 2) {
        walk->list.count = 0;
        status = ir_documents_revisions_from(walk->documents, &walk->begin, limit, take_revision,
                                             walk, walk->error);
        if (walk->list.count < limit) {
            memset(walk->end.bytes, 0xff, sizeof walk->end.bytes);
        } else {
            walk->end = begin_of_time(&walk->list.items[limit - 1].id);
        }
    }
    ir_revision_list_sort(&walk->list);
    return status;
}

static ir_status_t visit(void *context, const ir_stored_observation_t *stored) {
    walk_t *walk = context;
    ir_stored_observation_t newest = *stored;
    const ir_id_t *id = &stored->observation.id;
    if (ir_id_compare(id, &walk->begin) < 0 || ir_id_compare(id, &walk->end) >= 0) {
        const ir_status_t status = read_ahead(walk, id);
        if (status != IR_OK) {
            return status;
        }
    }
    ir_newest_apply(&walk->list, &newest.observation);
    return walk->each(walk->context, &newest);
}

ir_status_t ir_newest_each(ir_documents_t *documents, const ir_observation_selection_t *selection,
                           ir_each_observation_fn each, void *context, ir_error_t *error) {
    walk_t walk = {.documents = documents, .each = each, .context = context, .error = error};
    const ir_status_t status =
        ir_documents_each_selected(documents, selection, visit, &walk, error);
    ir_revision_list_free(&walk.list);
    return status;
}

/* ---- the last one of a series ---- */

static ir_status_t visit_last(void *context, const ir_stored_observation_t *stored) {
    walk_t *walk = context;
    ir_stored_observation_t newest = *stored;
    const ir_observation_t *o = &stored->observation;
    const ir_status_t status = ir_documents_each_revision(
        walk->documents, o->sensor->name, o->time_ns, o->time_ns, take_revision, walk, walk->error);
    if (status != IR_OK) {
        return status;
    }
    ir_revision_list_sort(&walk->list);
    ir_newest_apply(&walk->list, &newest.observation);
    return walk->each(walk->context, &newest);
}

ir_status_t ir_newest_last(ir_documents_t *documents, const char *mote, const char *sensor,
                           ir_each_observation_fn each, void *context, ir_error_t *error) {
    walk_t walk = {.documents = documents, .each = each, .context = context, .error = error};
    const ir_status_t status = ir_documents_last(documents, mote, sensor, visit_last, &walk, error);
    ir_revision_list_free(&walk.list);
    return status;
}
