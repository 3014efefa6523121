#include "loadgen/summary.h"

#include "common/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define MICROSECONDS_PER_MS 1000.0
#define SIGNIFICANT_DIGITS 12

bool ir_summary_is_complete(const ir_summary_t *summary) {
    const bool waited = summary->receipts != NULL && !summary->options->no_wait;
    return summary->sent.messages_sent == summary->messages &&
           summary->sent.messages_confirmed == summary->messages &&
           (!waited || summary->back.complete == summary->messages);
}

/* ---- JSON ---- */

/* jansson's setters take NULL for a value that could not be made, and answer -1: one sum tells. */
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

static ir_object_t latency(const ir_histogram_t *histogram) {
    static const struct {
        const char *key;
        double percentile;
    } columns[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p999", 99.9}, {"max", 100}};
    ir_object_t object = new_object();
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        const int64_t us = ir_histogram_percentile(histogram, columns[i].percentile);
        put_number(&object, columns[i].key, (double)us / MICROSECONDS_PER_MS);
    }
    return object;
}

static ir_object_t by_format(const ir_summary_t *summary) {
    ir_object_t object = new_object();
    for (unsigned i = 0; i < summary->formats->count; i++) {
        if (!summary->formats->any || summary->back.by_format[i] > 0) {
            put_count(&object, summary->formats->names[i], summary->back.by_format[i]);
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
    put(&object, "format", json_string(options->format == IR_PACK_CBOR ? "cbor" : "json"));
    put_number(&object, "rate", options->rate);
    put_count(&object, "window", (uint64_t)options->window);
    put(&object, "formats", json_string(options->formats != NULL ? options->formats : ""));
    put(&object, "subscribe", json_boolean(ir_loadgen_subscribes(options)));
    put(&object, "wait", json_boolean(!options->no_wait));
    put(&object, "amqp", json_string(ir_uri_masked(options->broker.uri, uri, sizeof uri)));
    return object;
}

static void put_sent(ir_object_t *object, const ir_summary_t *summary) {
    const ir_feed_counts_t *sent = &summary->sent;
    const double seconds = seconds_between(sent->first_send_ns, sent->last_confirm_ns);
    put_count(object, "messages", summary->messages);
    put_count(object, "observations", summary->observations);
    put_count(object, "messages_sent", sent->messages_sent);
    put_count(object, "observations_sent", sent->observations_sent);
    put_count(object, "messages_confirmed", sent->messages_confirmed);
    put_count(object, "observations_confirmed", sent->observations_confirmed);
    put_count(object, "resent", sent->resent);
    put_number(object, "seconds", seconds);
    put_number(object, "observations_per_second",
               per_second(sent->observations_confirmed, seconds));
    put_number(object, "cpu_seconds", (double)summary->cpu_ns / (double)IR_SECOND_NS);
}

/* What came back is known in messages. */
static double observations_back(const ir_summary_t *summary) {
    return summary->messages > 0 ? (double)summary->back.complete * (double)summary->observations /
                                       (double)summary->messages
                                 : 0;
}

static void put_back(ir_object_t *object, const ir_summary_t *summary) {
    const ir_receipts_counts_t *back = &summary->back;
    const double seconds = seconds_between(summary->sent.first_send_ns, back->last_complete_ns);
    put_count(object, "messages_republished", back->complete);
    put_object(object, "republished_by_format", by_format(summary));
    put_count(object, "redelivered", back->marked);
    put_count(object, "copies", back->copies);
    put_count(object, "foreign_messages", back->foreign);
    put_count(object, "revisions", back->revisions);
    put_count(object, "order_violations", back->order_violations);
    put_count(object, "subscription_gaps", summary->gaps);
    put_number(object, "seconds_end_to_end", seconds);
    put_number(object, "observations_per_second_end_to_end",
               seconds > 0 ? observations_back(summary) / seconds : 0);
    put_object(object, "latency_ms", latency(ir_receipts_corrected(summary->receipts)));
    put_object(object, "latency_uncorrected_ms", latency(ir_receipts_raw(summary->receipts)));
}

static ir_status_t write_failed(const char *name, ir_error_t *error) {
    const int code = errno;
    return ir_error_set(error, code == ENOSPC ? IR_ERR_FULL : IR_ERR_IO, "cannot write %s: %s",
                        name, strerror(code));
}

ir_status_t ir_summary_write(const ir_summary_t *summary, FILE *out, const char *name,
                             ir_error_t *error) {
    ir_object_t object = new_object();
    put(&object, "complete", json_boolean(summary->complete));
    put(&object, "interrupted", json_boolean(summary->interrupted));
    put_sent(&object, summary);
    if (summary->receipts != NULL) {
        put_back(&object, summary);
    }
    put_object(&object, "settings", settings_used(summary->options));
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

ir_status_t ir_summary_path(const char *directory, const char *name, char path[static IR_PATH_SIZE],
                            ir_error_t *error) {
    const int size = snprintf(path, IR_PATH_SIZE, "%s/%s", directory, name);
    return size > 0 && size < IR_PATH_SIZE
               ? IR_OK
               : ir_error_set(error, IR_ERR_RANGE, "out: the path is longer than %d bytes",
                              IR_PATH_SIZE);
}

typedef ir_status_t (*ir_summary_print_fn)(const ir_summary_t *summary, FILE *out, const char *name,
                                           ir_error_t *error);

static ir_status_t print_histogram(const ir_histogram_t *histogram, FILE *out, const char *name,
                                   ir_error_t *error) {
    return ir_histogram_print(histogram, MICROSECONDS_PER_MS, out) == IR_OK
               ? IR_OK
               : write_failed(name, error);
}

static ir_status_t print_raw(const ir_summary_t *summary, FILE *out, const char *name,
                             ir_error_t *error) {
    return print_histogram(ir_receipts_raw(summary->receipts), out, name, error);
}

static ir_status_t print_corrected(const ir_summary_t *summary, FILE *out, const char *name,
                                   ir_error_t *error) {
    return print_histogram(ir_receipts_corrected(summary->receipts), out, name, error);
}

static ir_status_t save(const ir_summary_t *summary, const char *directory, const char *name,
                        ir_summary_print_fn print, ir_error_t *error) {
    char path[IR_PATH_SIZE];
    const ir_status_t fits = ir_summary_path(directory, name, path, error);
    if (fits != IR_OK) {
        return fits;
    }
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return ir_error_set(error, IR_ERR_IO, "cannot create %s: %s", path, strerror(errno));
    }
    const ir_status_t status = print(summary, file, path, error);
    if (fclose(file) != 0 && status == IR_OK) {
        return write_failed(path, error);
    }
    return status;
}

ir_status_t ir_summary_save(const ir_summary_t *summary, const char *directory, ir_error_t *error) {
    ir_status_t status = save(summary, directory, "summary.json", ir_summary_write, error);
    if (status == IR_OK && summary->receipts != NULL) {
        status = save(summary, directory, "latency.hgrm", print_raw, error);
    }
    if (status == IR_OK && summary->receipts != NULL) {
        status = save(summary, directory, "latency_corrected.hgrm", print_corrected, error);
    }
    return status;
}
