#include "store/command.h"
#include "store/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What is held against the ledger, in this order. */
enum { PLACE_RAW, PLACE_OBSERVATIONS, PLACE_GRAPH, PLACES };

static const char *const place_names[PLACES] = {"raw", "observations", "graph"};

typedef struct ir_verdict {
    bool kept; /* else the rest is 0 */
    uint64_t expected;
    ir_ledger_result_t result;
} ir_verdict_t;

static ir_status_t add_ledger(ir_ledger_t **ledger, const char *path, ir_error_t *error) {
    return *ledger == NULL ? ir_ledger_load(path, ledger, error)
                           : ir_ledger_add(*ledger, path, error);
}

/* --ledger FILE[,FILE…] and the arguments. */
static ir_status_t load_ledgers(const ir_stores_t *stores, char *const *more, int n_more,
                                ir_ledger_t **ledger, ir_error_t *error) {
    ir_status_t status = IR_OK;
    char *list = strdup(stores->options->ledger != NULL ? stores->options->ledger : "");
    if (list == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory");
    }
    char *rest = NULL;
    for (char *path = strtok_r(list, ",", &rest); path != NULL && status == IR_OK;
         path = strtok_r(NULL, ",", &rest)) {
        status = add_ledger(ledger, path, error);
    }
    free(list);
    for (int i = 0; i < n_more && status == IR_OK; i++) {
        status = add_ledger(ledger, more[i], error);
    }
    if (status == IR_OK && *ledger == NULL) {
        status = ir_error_set(error, IR_ERR_USAGE, "verify wants --ledger FILE");
    }
    return status;
}

static ir_status_t see(void *context, const ir_id_t *id) {
    ir_ledger_see(context, id);
    return IR_OK;
}

static bool keeps(const ir_stores_t *stores, int place) {
    return place == PLACE_GRAPH ? ir_graph_keeps(stores->graph)
                                : ir_documents_keeps(stores->documents);
}

static ir_status_t walk_place(const ir_stores_t *stores, int place, ir_ledger_t *ledger,
                              ir_error_t *error) {
    switch (place) {
    case PLACE_RAW:
        return ir_documents_each_id(stores->documents, IR_DOCUMENT_RAW, see, ledger, error);
    case PLACE_OBSERVATIONS:
        return ir_documents_each_id(stores->documents, IR_DOCUMENT_OBSERVATION, see, ledger, error);
    default:
        return ir_graph_each_id(stores->graph, see, ledger, error);
    }
}

static ir_status_t compare(const ir_stores_t *stores, ir_ledger_t *ledger,
                           ir_verdict_t verdicts[static PLACES], ir_error_t *error) {
    for (int place = 0; place < PLACES; place++) {
        const ir_ledger_kind_t kind = place == PLACE_RAW ? IR_LEDGER_RAW : IR_LEDGER_OBSERVATION;
        verdicts[place].kept = keeps(stores, place);
        if (!verdicts[place].kept) {
            continue;
        }
        ir_ledger_begin(ledger, kind);
        const ir_status_t status = walk_place(stores, place, ledger, error);
        if (status != IR_OK) {
            return status;
        }
        verdicts[place].expected = ir_ledger_count(ledger, kind);
        ir_ledger_end(ledger, &verdicts[place].result);
    }
    return IR_OK;
}

static ir_ledger_result_t add_up(const ir_verdict_t verdicts[static PLACES]) {
    ir_ledger_result_t sum = {0};
    for (int place = 0; place < PLACES; place++) {
        sum.missing += verdicts[place].result.missing;
        sum.doubled += verdicts[place].result.doubled;
        sum.foreign += verdicts[place].result.foreign;
    }
    return sum;
}

static bool is_good(const ir_verdict_t verdicts[static PLACES]) {
    const ir_ledger_result_t sum = add_up(verdicts);
    return sum.missing == 0 && sum.doubled == 0 && sum.foreign == 0;
}

static void show(FILE *out, const ir_verdict_t verdicts[static PLACES]) {
    fprintf(out, "%-12s %12s %12s %9s %9s %9s\n", "", "expected", "present", "missing", "doubled",
            "foreign");
    for (int place = 0; place < PLACES; place++) {
        if (!verdicts[place].kept) {
            fprintf(out, "%-12s not kept: null:\n", place_names[place]);
            continue;
        }
        const ir_ledger_result_t *result = &verdicts[place].result;
        fprintf(out, "%-12s %12" PRIu64 " %12" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n",
                place_names[place], verdicts[place].expected, result->present, result->missing,
                result->doubled, result->foreign);
    }
    fprintf(out, "%s\n",
            is_good(verdicts) ? "Nothing is missing, doubled or foreign."
                              : "The stores do not hold what was sent.");
}

static void show_json(FILE *out, const ir_verdict_t verdicts[static PLACES]) {
    const ir_ledger_result_t sum = add_up(verdicts);
    fputc('{', out);
    for (int place = 0; place < PLACES; place++) {
        if (!verdicts[place].kept) {
            fprintf(out, "\"%s\":null,", place_names[place]);
            continue;
        }
        const ir_ledger_result_t *result = &verdicts[place].result;
        fprintf(out,
                "\"%s\":{\"expected\":%" PRIu64 ",\"present\":%" PRIu64 ",\"missing\":%" PRIu64
                ",\"doubled\":%" PRIu64 ",\"foreign\":%" PRIu64 "},",
                place_names[place], verdicts[place].expected, result->present, result->missing,
                result->doubled, result->foreign);
    }
    fprintf(out,
            "\"missing\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"foreign\":%" PRIu64
            ",\"good\":%s}\n",
            sum.missing, sum.doubled, sum.foreign, is_good(verdicts) ? "true" : "false");
}

static ir_status_t check_ready(const ir_stores_t *stores, ir_error_t *error) {
    if (!ir_documents_keeps(stores->documents) && !ir_graph_keeps(stores->graph)) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "both stores are null:, which keep nothing that "
                            "could be compared");
    }
    const ir_status_t status = ir_documents_ready(stores->documents, error);
    return status == IR_OK ? ir_graph_ready(stores->graph, error) : status;
}

ir_status_t ir_store_verify(const ir_stores_t *stores, char *const *more, int n_more, bool *good,
                            ir_error_t *error) {
    ir_verdict_t verdicts[PLACES] = {0};
    ir_ledger_t *ledger = NULL;
    ir_status_t status = load_ledgers(stores, more, n_more, &ledger, error);
    if (status == IR_OK) {
        status = check_ready(stores, error);
    }
    if (status == IR_OK) {
        status = compare(stores, ledger, verdicts, error);
    }
    ir_ledger_free(ledger);
    if (status != IR_OK) {
        return status;
    }
    if (stores->options->json) {
        show_json(stores->out, verdicts);
    } else {
        show(stores->out, verdicts);
    }
    *good = is_good(verdicts);
    return IR_OK;
}
