/* Finds which subjects the server already has. Statements about an observation must not be written
 * twice: they may have changed meanwhile, because its flags were computed with other limits, and a
 * triplestore would keep both. */
#include "store/graph/sparql/sparql.h"

#include <stdlib.h>
#include <string.h>

#define IDS_MAX 500 /* maximum number of ids in one query */

/* ---- a list of ids ---- */

static int compare_ids(const void *one, const void *other) {
    return ir_id_compare(one, other);
}

bool ir_sparql_subjects_take(ir_sparql_subjects_t *subjects, const ir_graph_pick_t *picks,
                             size_t count, bool known_only) {
    size_t n = 0;
    subjects->ids = malloc((count + 1) * sizeof *subjects->ids);
    subjects->there = calloc(count + 1, sizeof *subjects->there);
    if (subjects->ids == NULL || subjects->there == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (picks[i].known || !known_only) {
            subjects->ids[n++] = *ir_graph_pick_id(&picks[i]);
        }
    }
    qsort(subjects->ids, n, sizeof *subjects->ids, compare_ids);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || ir_id_compare(&subjects->ids[subjects->count - 1], &subjects->ids[i]) != 0) {
            subjects->ids[subjects->count++] = subjects->ids[i];
        }
    }
    return true;
}

void ir_sparql_subjects_free(ir_sparql_subjects_t *subjects) {
    free(subjects->ids);
    free(subjects->there);
    *subjects = (ir_sparql_subjects_t){.ids = NULL};
}

static bool *mark_of(const ir_sparql_subjects_t *subjects, const ir_id_t *id) {
    const ir_id_t *found =
        bsearch(id, subjects->ids, subjects->count, sizeof *subjects->ids, compare_ids);
    return found != NULL ? &subjects->there[found - subjects->ids] : NULL;
}

/* ---- asking ---- */

static ir_status_t note_id(void *context, const ir_id_t *id) {
    bool *mark = mark_of(context, id);
    if (mark != NULL) {
        *mark = true;
    }
    return IR_OK;
}

static ir_status_t ask_some(ir_sparql_t *graph, ir_sparql_subjects_t *subjects, size_t first,
                            size_t end, ir_error_t *error) {
    char text[IR_ID_TEXT_SIZE];
    ir_buffer_t pattern;
    ir_buffer_init(&pattern);
    ir_buffer_append_text(&pattern, "VALUES ?s {");
    for (size_t i = first; i < end; i++) {
        ir_buffer_append_format(&pattern, " <urn:uuid:%s>", ir_id_format(&subjects->ids[i], text));
    }
    ir_buffer_append_text(&pattern, " } ?s a ?type");
    ir_buffer_clear(&graph->body);
    ir_buffer_append_text(&graph->body, "SELECT DISTINCT ?s WHERE ");
    ir_sparql_append_where(graph, &graph->body, ir_buffer_view(&pattern));
    const ir_status_t status = ir_buffer_ok(&pattern)
                                   ? ir_sparql_select_ids(graph, note_id, subjects, error)
                                   : ir_sparql_no_memory(error);
    ir_buffer_free(&pattern);
    return status;
}

ir_status_t ir_sparql_subjects_ask(ir_sparql_t *graph, ir_sparql_subjects_t *subjects,
                                   ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t first = 0; first < subjects->count && status == IR_OK; first += IDS_MAX) {
        const size_t left = subjects->count - first;
        status = ask_some(graph, subjects, first, first + (left < IDS_MAX ? left : IDS_MAX), error);
    }
    return status;
}

/* ---- leaving out ---- */

/* Of several picks with the same id, keeps the first one, and only if the id is not stored yet. */
static void keep_unknown(ir_sparql_t *graph, const ir_sparql_subjects_t *known,
                         const ir_graph_pick_t *picks, size_t count) {
    graph->n_left = 0;
    for (size_t i = 0; i < count; i++) {
        bool *mark = mark_of(known, ir_graph_pick_id(&picks[i]));
        if (mark == NULL || !*mark || !picks[i].known) {
            graph->left[graph->n_left++] = picks[i];
        }
        if (mark != NULL) {
            *mark = true;
        }
    }
}

ir_status_t ir_sparql_leave_out(ir_sparql_t *graph, const ir_graph_pick_t **picks, size_t *count,
                                ir_error_t *error) {
    ir_sparql_subjects_t known = {.ids = NULL};
    ir_status_t status = ir_sparql_subjects_take(&known, *picks, *count, true)
                             ? ir_sparql_subjects_ask(graph, &known, error)
                             : ir_sparql_no_memory(error);
    if (status == IR_OK && known.count > 0) {
        ir_graph_pick_t *grown = realloc(graph->left, *count * sizeof *grown);
        if (grown != NULL) {
            graph->left = grown;
            keep_unknown(graph, &known, *picks, *count);
            *picks = graph->left;
            *count = graph->n_left;
        } else {
            status = ir_sparql_no_memory(error);
        }
    }
    ir_sparql_subjects_free(&known);
    return status;
}
