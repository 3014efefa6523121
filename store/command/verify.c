#include "store/command/command.h"
#include "store/command/verify_raw.h"
#include "store/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The stores that are compared with the ledger, in this order. */
enum { PLACE_RAW, PLACE_OBSERVATIONS, PLACE_GRAPH, PLACES };

static const char *const place_names[PLACES] = {"raw", "observations", "graph"};

typedef struct ir_raw_verdict {
    bool kept; /* false: the other fields are 0 */
    ir_ledger_result_t result;
} ir_raw_verdict_t;

typedef struct ir_comparison {
    const ir_stores_t *stores;
    ir_ledger_t *ledger;
    uint64_t cut_off; /* number of truncated ledgers; with any of these, an unknown id need not be
                       * foreign */
    ir_raw_verdict_t verdicts[PLACES];
} ir_comparison_t;

/* ---- the ledgers ---- */

/* Prints to standard error, because the output may be JSON. */
static void tell_cut_off(const char *path, const ir_ledger_extent_t *extent) {
    fprintf(stderr,
            "ir-store: ledger %s was cut off%s: the %" PRIu64 " whole lines are taken, and what "
            "they do not name counts as unlisted, not as foreign\n",
            path, extent->incomplete ? " in the middle of a line" : "", extent->lines);
}

static ir_status_t add_ledger(ir_comparison_t *comparison, const char *path, bool known,
                              ir_error_t *error) {
    ir_ledger_extent_t extent;
    const ir_status_t status = ir_ledger_add(comparison->ledger, path, known, &extent, error);
    if (status == IR_OK && extent.cut_off) {
        comparison->cut_off++;
        tell_cut_off(path, &extent);
    }
    return status;
}

/* FILE[,FILE…] */
static ir_status_t add_list(ir_comparison_t *comparison, const char *files, bool known,
                            ir_error_t *error) {
    char *list = strdup(files != NULL ? files : "");
    if (list == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory");
    }
    ir_status_t status = IR_OK;
    char *rest = NULL;
    for (char *path = strtok_r(list, ",", &rest); path != NULL && status == IR_OK;
         path = strtok_r(NULL, ",", &rest)) {
        status = add_ledger(comparison, path, known, error);
    }
    free(list);
    return status;
}

/* --ledger, --known, and the arguments. */
static ir_status_t load_ledgers(ir_comparison_t *comparison, char *const *more, int n_more,
                                ir_error_t *error) {
    const ir_store_options_t *options = comparison->stores->options;
    comparison->ledger = ir_ledger_new();
    if (comparison->ledger == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory");
    }
    if (ir_setting_text(options->ledger) == NULL && n_more == 0) {
        return ir_error_set(error, IR_ERR_USAGE, "verify needs --ledger FILE");
    }
    ir_status_t status = add_list(comparison, options->ledger, false, error);
    if (status == IR_OK) {
        status = add_list(comparison, options->known, true, error);
    }
    for (int i = 0; i < n_more && status == IR_OK; i++) {
        status = add_ledger(comparison, more[i], false, error);
    }
    return status;
}

/* ---- comparing ---- */

static ir_status_t see_document(void *context, const ir_document_key_t *key) {
    return ir_ledger_see(context, &key->id, key->mote) ? IR_OK : IR_ERR_MEMORY;
}

static ir_status_t see_in_graph(void *context, const ir_id_t *id) {
    return ir_ledger_see(context, id, ir_view(NULL, 0)) ? IR_OK : IR_ERR_MEMORY;
}

static bool keeps(const ir_stores_t *stores, int place) {
    return place == PLACE_GRAPH ? ir_graph_keeps(stores->graph)
                                : ir_documents_keeps(stores->documents);
}

/* Reads bodies only if they are needed. */
static ir_status_t walk_place(const ir_comparison_t *comparison, int place, ir_error_t *error) {
    const ir_stores_t *stores = comparison->stores;
    ir_ledger_t *ledger = comparison->ledger;
    switch (place) {
    case PLACE_RAW:
        return ir_ledger_has_arrivals(ledger)
                   ? ir_verify_raw(stores->documents, ledger, error)
                   : ir_documents_each(stores->documents, IR_DOCUMENT_RAW, see_document, ledger,
                                       error);
    case PLACE_OBSERVATIONS:
        return ir_documents_each(stores->documents, IR_DOCUMENT_OBSERVATION, see_document, ledger,
                                 error);
    default:
        return ir_graph_each_id(stores->graph, IR_DOCUMENT_OBSERVATION, see_in_graph, ledger,
                                error);
    }
}

static ir_status_t compare(ir_comparison_t *comparison, ir_error_t *error) {
    for (int place = 0; place < PLACES; place++) {
        ir_raw_verdict_t *verdict = &comparison->verdicts[place];
        verdict->kept = keeps(comparison->stores, place);
        if (!verdict->kept) {
            continue;
        }
        ir_ledger_begin(comparison->ledger,
                        place == PLACE_RAW ? IR_LEDGER_RAW : IR_LEDGER_OBSERVATION);
        const ir_status_t status = walk_place(comparison, place, error);
        if (status != IR_OK) {
            return status == IR_ERR_MEMORY ? ir_error_set(error, status, "out of memory") : status;
        }
        ir_ledger_end(comparison->ledger, &verdict->result);
    }
    return IR_OK;
}

/* Returns the number of ids that no ledger lists. If a ledger is truncated, these ids need not be
 * foreign. */
static uint64_t foreign_of(const ir_comparison_t *comparison, const ir_ledger_result_t *result) {
    return comparison->cut_off > 0 ? 0 : result->foreign;
}

static uint64_t unlisted_of(const ir_comparison_t *comparison, const ir_ledger_result_t *result) {
    return comparison->cut_off > 0 ? result->foreign : 0;
}

static ir_ledger_result_t add_up(const ir_comparison_t *comparison) {
    ir_ledger_result_t sum = {.expected = 0};
    for (int place = 0; place < PLACES; place++) {
        const ir_ledger_result_t *result = &comparison->verdicts[place].result;
        sum.missing += result->missing;
        sum.doubled += result->doubled;
        sum.foreign += result->foreign;
        sum.again += result->again;
        sum.others += result->others;
    }
    return sum;
}

static ir_verify_outcome_t judge(const ir_comparison_t *comparison) {
    const ir_ledger_result_t sum = add_up(comparison);
    if (sum.missing > 0 || sum.doubled > 0 || foreign_of(comparison, &sum) > 0) {
        return IR_VERIFY_WRONG;
    }
    return comparison->cut_off > 0 ? IR_VERIFY_CUT_OFF : IR_VERIFY_GOOD;
}

/* ---- showing ---- */

static void show_place(const ir_comparison_t *comparison, int place) {
    FILE *out = comparison->stores->out;
    const ir_ledger_result_t *result = &comparison->verdicts[place].result;
    if (!comparison->verdicts[place].kept) {
        fprintf(out, "%-12s not kept: null:\n", place_names[place]);
        return;
    }
    fprintf(out, "%-12s %12" PRIu64 " %12" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n",
            place_names[place], result->expected, result->present, result->missing, result->doubled,
            foreign_of(comparison, result));
}

static void show(const ir_comparison_t *comparison) {
    static const char *const conclusions[] = {
        [IR_VERIFY_GOOD] = "Nothing is missing, duplicated or foreign.",
        [IR_VERIFY_CUT_OFF] = "Nothing is missing or duplicated, as far as the ledger goes.",
        [IR_VERIFY_WRONG] = "The stores do not hold exactly what was sent.",
    };
    FILE *out = comparison->stores->out;
    const ir_ledger_result_t sum = add_up(comparison);
    fprintf(out, "%-12s %12s %12s %9s %9s %9s\n", "", "expected", "present", "missing", "doubled",
            "foreign");
    for (int place = 0; place < PLACES; place++) {
        show_place(comparison, place);
    }
    if (sum.again > 0) {
        fprintf(out,
                "sent again without a name, indistinguishable: %" PRIu64 " raw messages more\n",
                sum.again);
    }
    if (sum.others > 0) {
        fprintf(out, "of motes that no ledger names: %" PRIu64 " of what the stores hold\n",
                sum.others);
    }
    if (comparison->cut_off > 0) {
        fprintf(out, "not in a ledger that was cut off: %" PRIu64 " of what the stores hold\n",
                unlisted_of(comparison, &sum));
    }
    fprintf(out, "%s\n", conclusions[judge(comparison)]);
}

static void show_json(const ir_comparison_t *comparison) {
    FILE *out = comparison->stores->out;
    const ir_ledger_result_t sum = add_up(comparison);
    fputc('{', out);
    for (int place = 0; place < PLACES; place++) {
        const ir_ledger_result_t *result = &comparison->verdicts[place].result;
        if (!comparison->verdicts[place].kept) {
            fprintf(out, "\"%s\":null,", place_names[place]);
            continue;
        }
        fprintf(out,
                "\"%s\":{\"expected\":%" PRIu64 ",\"present\":%" PRIu64 ",\"missing\":%" PRIu64
                ",\"doubled\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"again\":%" PRIu64
                ",\"unlisted\":%" PRIu64 ",\"others\":%" PRIu64 "},",
                place_names[place], result->expected, result->present, result->missing,
                result->doubled, foreign_of(comparison, result), result->again,
                unlisted_of(comparison, result), result->others);
    }
    fprintf(out,
            "\"missing\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"foreign\":%" PRIu64
            ",\"again\":%" PRIu64 ",\"unlisted\":%" PRIu64 ",\"others\":%" PRIu64
            ",\"ledgers_cut_off\":%" PRIu64 ",\"good\":%s}\n",
            sum.missing, sum.doubled, foreign_of(comparison, &sum), sum.again,
            unlisted_of(comparison, &sum), sum.others, comparison->cut_off,
            judge(comparison) == IR_VERIFY_GOOD ? "true" : "false");
}

/* ---- the command ---- */

static ir_status_t check_ready(const ir_comparison_t *comparison, ir_error_t *error) {
    const ir_stores_t *stores = comparison->stores;
    const bool documents = ir_documents_keeps(stores->documents);
    if (!documents && !ir_graph_keeps(stores->graph)) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "both stores are null:, which keep nothing that "
                            "could be compared");
    }
    if (!documents && ir_ledger_has_arrivals(comparison->ledger)) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "the ledger has messages whose times count from their arrival, which "
                            "only the documents know, and these are null:");
    }
    const ir_status_t status = ir_documents_ready(stores->documents, error);
    return status == IR_OK ? ir_graph_ready(stores->graph, error) : status;
}

ir_status_t ir_store_verify(const ir_stores_t *stores, char *const *more, int n_more,
                            ir_verify_outcome_t *outcome, ir_error_t *error) {
    ir_comparison_t comparison = {.stores = stores};
    ir_status_t status = load_ledgers(&comparison, more, n_more, error);
    if (status == IR_OK) {
        status = check_ready(&comparison, error);
    }
    if (status == IR_OK) {
        status = compare(&comparison, error);
    }
    ir_ledger_free(comparison.ledger);
    if (status != IR_OK) {
        return status;
    }
    if (stores->options->json) {
        show_json(&comparison);
    } else {
        show(&comparison);
    }
    *outcome = judge(&comparison);
    return IR_OK;
}
