#include "loadgen/summary.h"

#include "common/clock.h"
#include "send/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define SIGNIFICANT_DIGITS 12

/* ---- JSON ---- */

/* jansson's setters accept NULL and return -1, so one check at the end covers all failures. */
typedef struct ir_object {
    json_t *json;
    int faults;
} ir_object_t;

static ir_object_t new_object(void) {
    return (ir_object_t){.json = json_object()};
}

static void put(ir_object_t *object, const char *key, json_t *value) {
    object->faults += json_object_set_new(object->json, key, value) != 0;
}

static void put_count(ir_object_t *object, const char *key, uint64_t value) {
    put(object, key, json_integer((json_int_t)value));
}

static void put_number(ir_object_t *object, const char *key, double value) {
    put(object, key, json_real(value));
}

static void put_object(ir_object_t *object, const char *key, ir_object_t inner) {
    object->faults += inner.faults;
    put(object, key, inner.json);
}

static double seconds_between(int64_t from_ns, int64_t to_ns) {
    return from_ns != 0 && to_ns > from_ns ? (double)(to_ns - from_ns) / (double)IR_SECOND_NS : 0;
}

static double per_second(uint64_t count, double seconds) {
    return seconds > 0 ? (double)count / seconds : 0;
}

static ir_object_t quantiles_object(const ir_quantiles_t *quantiles) {
    ir_object_t object = new_object();
    put_number(&object, "p50", quantiles->p50);
    put_number(&object, "p90", quantiles->p90);
    put_number(&object, "p99", quantiles->p99);
    put_number(&object, "p999", quantiles->p999);
    put_number(&object, "max", quantiles->max);
    return object;
}

static ir_object_t latency(const ir_histogram_t *histogram) {
    ir_quantiles_t quantiles;
    ir_quantiles_of(histogram, &quantiles);
    return quantiles_object(&quantiles);
}

static ir_object_t by_format(const ir_summary_t *summary) {
    ir_object_t object = new_object();
    for (unsigned i = 0; i < summary->formats->count; i++) {
        if (!summary->formats->any || summary->whole->end.back.by_format[i] > 0) {
            put_count(&object, summary->formats->names[i], summary->whole->end.back.by_format[i]);
        }
    }
    return object;
}

static ir_object_t settings_used(const ir_loadgen_options_t *options) {
    ir_object_t object = new_object();
    char uri[256];
    put(&object, "version", json_string(IR_VERSION));
    put(&object, "replay", json_string(options->replay));
    put_count(&object, "repeat", (uint64_t)options->repeat);
    put(&object, "single_records", json_boolean(options->single_records));
    put_count(&object, "simulate", (uint64_t)options->simulate);
    put_count(&object, "seed", (uint64_t)options->seed);
    put_count(&object, "records", (uint64_t)options->records);
    put_number(&object, "relative_share", options->timings.relative);
    put_number(&object, "clockless_share", options->timings.clockless);
    put_number(&object, "named_share", options->timings.named);
    put_number(&object, "repeated_share", options->timings.repeated);
    put(&object, "format", json_string(options->format == IR_PACK_CBOR ? "cbor" : "json"));
    put_number(&object, "rate", options->rate);
    put(&object, "arrivals",
        json_string(options->arrivals == IR_ARRIVALS_POISSON ? "poisson" : "constant"));
    put_number(&object, "pace", options->pace);
    put_number(&object, "duration", (double)options->duration_ns / (double)IR_SECOND_NS);
    put(&object, "rate_steps", json_string(options->rate_steps != NULL ? options->rate_steps : ""));
    put_count(&object, "threads", (uint64_t)options->threads);
    put_count(&object, "connections", (uint64_t)options->connections);
    put_count(&object, "request_packs", (uint64_t)options->send.request_packs);
    put_count(&object, "window", (uint64_t)options->window);
    put(&object, "formats", json_string(options->formats != NULL ? options->formats : ""));
    put(&object, "subscribe", json_boolean(ir_loadgen_subscribes(options)));
    put(&object, "wait", json_boolean(!options->no_wait));
    put(&object, "amqp", json_string(ir_uri_masked(options->broker.uri, uri, sizeof uri)));
    return object;
}

/* ---- parts of the summary ---- */

/* Used for the run and for each target. */
static void put_messages(ir_object_t *object, const ir_producer_counts_t *counts) {
    put_count(object, "messages_sent", counts->messages_sent);
    put_count(object, "messages_confirmed", counts->messages_confirmed);
    put_count(object, "messages_refused", counts->messages_refused);
    put_count(object, "messages_lost", counts->messages_lost);
    put_count(object, "resent", counts->resent);
    put_count(object, "errors", counts->failures);
}

static void put_sent(ir_object_t *object, const ir_summary_t *summary) {
    const ir_producer_counts_t *sent = &summary->whole->end.sent;
    const double seconds = seconds_between(sent->first_send_ns, sent->last_confirm_ns);
    put_count(object, "messages", summary->messages);
    put_count(object, "observations", summary->observations);
    put_messages(object, sent);
    put_count(object, "observations_sent", sent->observations_sent);
    put_count(object, "observations_confirmed", sent->observations_confirmed);
    put_count(object, "observations_unsent", sent->observations_unsent);
    put_number(object, "seconds", seconds);
    put_number(object, "observations_per_second",
               per_second(sent->observations_confirmed, seconds));
    put_number(object, "messages_per_second", per_second(sent->messages_confirmed, seconds));
    put_number(object, "cpu_seconds", (double)summary->cpu_ns / (double)IR_SECOND_NS);
    put_object(object, "confirm_latency_ms", latency(summary->whole->confirms.corrected));
    put_object(object, "confirm_latency_uncorrected_ms", latency(summary->whole->confirms.raw));
    put_object(object, "late_ms", latency(summary->whole->late));
}

static void put_back(ir_object_t *object, const ir_summary_t *summary) {
    const ir_tracker_counts_t *back = &summary->whole->end.back;
    const double seconds =
        seconds_between(summary->whole->end.sent.first_send_ns, back->last_complete_ns);
    put_count(object, "messages_republished", back->complete);
    put_count(object, "observations_republished", back->complete_records);
    put_object(object, "republished_by_format", by_format(summary));
    put_count(object, "messages_rejected", back->by_fate[IR_FATE_REJECTED]);
    put_count(object, "messages_partly_rejected", back->partly_rejected);
    put_count(object, "messages_missing", back->by_fate[IR_FATE_MISSING]);
    put(object, "sees_rejected", json_boolean(summary->sees_rejected));
    put_count(object, "redelivered", back->marked);
    put_count(object, "copies", back->copies);
    put_count(object, "foreign_messages", back->foreign);
    put_count(object, "messages_matched", back->matched);
    put_count(object, "revisions", back->revisions);
    put_count(object, "order_violations", back->order_violations);
    put_count(object, "subscription_gaps", summary->gaps);
    put_number(object, "seconds_end_to_end", seconds);
    put_number(object, "observations_per_second_end_to_end",
               per_second(back->complete_records, seconds));
    put_object(object, "latency_ms", latency(summary->whole->back.corrected));
    put_object(object, "latency_uncorrected_ms", latency(summary->whole->back.raw));
}

static ir_object_t reconciliation_object(const ir_reconciliation_t *reconciliation) {
    ir_object_t object = new_object();
    put(&object, "even", json_boolean(ir_reconciliation_is_even(reconciliation)));
    put_count(&object, "sent", reconciliation->sent);
    put_count(&object, "confirmed", reconciliation->confirmed);
    put_count(&object, "refused", reconciliation->refused);
    put_count(&object, "lost", reconciliation->lost);
    if (reconciliation->heard) {
        put_count(&object, "repeated", reconciliation->repeats);
        put_count(&object, "republished", reconciliation->republished);
        put_count(&object, "rejected", reconciliation->rejected);
        put_count(&object, "missing", reconciliation->missing);
    }
    return object;
}

static ir_object_t target_object(const ir_target_t *target, const ir_producer_counts_t *counts) {
    ir_object_t object = new_object();
    put(&object, "uri", json_string(target->label));
    put(&object, "protocol", json_string(target->sender->name));
    put_messages(&object, counts);
    return object;
}

static ir_object_t result_object(const ir_result_t *result) {
    ir_object_t object = new_object();
    put_number(&object, "rate_asked", result->asked);
    put_number(&object, "rate_sent", ir_result_sent_rate(result));
    put_number(&object, "rate_done", ir_result_done_rate(result));
    put_number(&object, "seconds", result->seconds);
    put_count(&object, "messages_sent", result->messages_sent);
    put_count(&object, "messages_confirmed", result->messages_confirmed);
    put_count(&object, "messages_refused", result->messages_refused);
    put_count(&object, "observations_sent", result->observations_sent);
    put_count(&object, "observations_confirmed", result->observations_confirmed);
    put_count(&object, "observations_unsent", result->observations_unsent);
    put_count(&object, "errors", result->failures);
    put_number(&object, "backlog_begin", result->backlog_begin);
    put_number(&object, "backlog_end", result->backlog_end);
    put_number(&object, "backlog_growth", result->growth);
    put_object(&object, "confirm_latency_ms", quantiles_object(&result->confirms));
    if (result->heard) {
        put_count(&object, "messages_republished", result->messages_back);
        put_count(&object, "observations_republished", result->observations_back);
        put_object(&object, "latency_ms", quantiles_object(&result->back));
    }
    put_object(&object, "late_ms", quantiles_object(&result->late));
    put(&object, "valid", json_boolean(result->valid));
    put(&object, "verdict", json_string(ir_verdict_text(result->verdict)));
    return object;
}

static void append(ir_object_t *object, json_t *list, ir_object_t entry) {
    object->faults += entry.faults + (json_array_append_new(list, entry.json) != 0);
}

static void put_lists(ir_object_t *object, const ir_summary_t *summary) {
    json_t *targets = json_array();
    json_t *steps = json_array();
    for (unsigned i = 0; i < summary->targets->count; i++) {
        append(object, targets, target_object(&summary->targets->all[i], &summary->by_target[i]));
    }
    for (size_t i = 0; i < summary->n_results; i++) {
        append(object, steps, result_object(&summary->results[i]));
    }
    put(object, "targets", targets);
    put(object, "steps", steps);
}

static ir_object_t search_object(const ir_search_t *search) {
    ir_object_t object = new_object();
    const ir_search_result_t found = ir_search_result(search);
    put(&object, "finished", json_boolean(search->done));
    put_number(&object, "rate", found.rate);
    put_number(&object, "rate_low", found.low);
    put_number(&object, "rate_high", found.high);
    put(&object, "limit", json_string(ir_verdict_text(search->limit)));
    put_count(&object, "trials", search->trials);
    return object;
}

static void put_conclusion(ir_object_t *object, const ir_conclusion_t *conclusion) {
    json_t *reasons = json_array();
    for (unsigned i = 0; i < conclusion->n_reasons; i++) {
        object->faults += json_array_append_new(reasons, json_string(conclusion->reasons[i])) != 0;
    }
    put(object, "complete", json_boolean(conclusion->complete));
    put(object, "incomplete_reasons", reasons);
    put(object, "valid", json_boolean(conclusion->valid));
    if (!conclusion->valid) {
        put(object, "invalid_reason", json_string(conclusion->invalid));
    }
}

static void put_all(ir_object_t *object, const ir_summary_t *summary) {
    put_conclusion(object, &summary->conclusion);
    put(object, "interrupted", json_boolean(summary->interrupted));
    put_sent(object, summary);
    if (summary->heard) {
        put_back(object, summary);
    }
    put_object(object, "balance", reconciliation_object(&summary->conclusion.reconciliation));
    if (summary->plan->kind == IR_PLAN_SEARCH) {
        put_object(object, "find_max", search_object(&summary->plan->search));
    }
    put_lists(object, summary);
    put_object(object, "settings", settings_used(summary->options));
}

static ir_status_t write_failed(const char *name, ir_error_t *error) {
    const int code = errno;
    return ir_error_set(error, code == ENOSPC ? IR_ERR_FULL : IR_ERR_IO, "cannot write %s: %s",
                        name, strerror(code));
}

ir_status_t ir_summary_write(const ir_summary_t *summary, FILE *out, const char *name,
                             ir_error_t *error) {
    ir_object_t object = new_object();
    put_all(&object, summary);
    ir_status_t status = IR_OK;
    if (object.json == NULL || object.faults > 0) {
        status = ir_error_set(error, IR_ERR_MEMORY, "out of memory for %s", name);
    } else if (json_dumpf(object.json, out,
                          JSON_INDENT(2) | JSON_REAL_PRECISION(SIGNIFICANT_DIGITS)) != 0 ||
               fputc('\n', out) == EOF || fflush(out) != 0) {
        status = write_failed(name, error);
    }
    json_decref(object.json);
    return status;
}

/* ---- files ---- */

static ir_status_t open_file(const ir_folder_t *folder, const char *name,
                             char path[static IR_PATH_SIZE], FILE **file, ir_error_t *error) {
    const ir_status_t status = ir_folder_new(folder, name, path, error);
    if (status != IR_OK) {
        return status;
    }
    *file = fopen(path, "we");
    return *file != NULL
               ? IR_OK
               : ir_error_set(error, IR_ERR_IO, "cannot create %s: %s", path, strerror(errno));
}

/* Renames the finished file to its final name. */
static ir_status_t close_file(const ir_folder_t *folder, const char *name, FILE *file,
                              ir_status_t status, ir_error_t *error) {
    if (fclose(file) != 0 && status == IR_OK) {
        status = write_failed(name, error);
    }
    return status == IR_OK ? ir_folder_keep(folder, name, error) : status;
}

static ir_status_t save_summary(const ir_summary_t *summary, const ir_folder_t *folder,
                                ir_error_t *error) {
    static const char name[] = "summary.json";
    char path[IR_PATH_SIZE];
    FILE *file = NULL;
    const ir_status_t status = open_file(folder, name, path, &file, error);
    return status == IR_OK
               ? close_file(folder, name, file, ir_summary_write(summary, file, path, error), error)
               : status;
}

static ir_status_t save_histogram(const ir_histogram_t *histogram, const ir_folder_t *folder,
                                  const char *name, ir_error_t *error) {
    char path[IR_PATH_SIZE];
    FILE *file = NULL;
    ir_status_t status = open_file(folder, name, path, &file, error);
    if (status == IR_OK) {
        status = ir_histogram_print(histogram, IR_LATENCY_US_PER_MS, file) == IR_OK
                     ? IR_OK
                     : write_failed(path, error);
        status = close_file(folder, name, file, status, error);
    }
    return status;
}

ir_status_t ir_summary_save(const ir_summary_t *summary, const ir_folder_t *folder,
                            ir_error_t *error) {
    const struct {
        const char *name;
        const ir_histogram_t *histogram;
        bool wanted;
    } files[] = {
        {"confirm.hgrm", summary->whole->confirms.raw, true},
        {"confirm_corrected.hgrm", summary->whole->confirms.corrected, true},
        {"latency.hgrm", summary->whole->back.raw, summary->heard},
        {"latency_corrected.hgrm", summary->whole->back.corrected, summary->heard},
    };
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && status == IR_OK; i++) {
        if (files[i].wanted) {
            status = save_histogram(files[i].histogram, folder, files[i].name, error);
        }
    }
    return status == IR_OK ? save_summary(summary, folder, error) : status;
}
