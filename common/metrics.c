#include "common/metrics.h"

#include "common/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BUCKETS 16

static const double bucket_seconds[BUCKETS] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2,
                                               0.5,   1,     2,     5,    10,   20,   30,  60};

struct ir_metric {
    struct ir_metric *next;
    ir_metric_kind_t kind;
    char *name, *labels, *help;
    atomic_int_fast64_t value;
};

struct ir_metric_histogram {
    struct ir_metric_histogram *next;
    char *name, *labels, *help;
    atomic_uint_fast64_t buckets[BUCKETS + 1];
    atomic_int_fast64_t sum_ns;
};

struct ir_metrics {
    ir_metric_t *first, **last;
    ir_metric_histogram_t *first_histogram, **last_histogram;
    double started;
};

ir_metrics_t *ir_metrics_new(void) {
    ir_metrics_t *metrics = calloc(1, sizeof *metrics);
    if (metrics != NULL) {
        metrics->last = &metrics->first;
        metrics->last_histogram = &metrics->first_histogram;
        metrics->started = (double)ir_clock_now() / (double)IR_SECOND_NS;
    }
    return metrics;
}

static void free_texts(char *name, char *labels, char *help) {
    free(name);
    free(labels);
    free(help);
}

void ir_metrics_free(ir_metrics_t *metrics) {
    if (metrics == NULL) {
        return;
    }
    while (metrics->first != NULL) {
        ir_metric_t *metric = metrics->first;
        metrics->first = metric->next;
        free_texts(metric->name, metric->labels, metric->help);
        free(metric);
    }
    while (metrics->first_histogram != NULL) {
        ir_metric_histogram_t *histogram = metrics->first_histogram;
        metrics->first_histogram = histogram->next;
        free_texts(histogram->name, histogram->labels, histogram->help);
        free(histogram);
    }
    free(metrics);
}

static bool copy_texts(const char *name, const char *labels, const char *help, char **name_out,
                       char **labels_out, char **help_out) {
    *name_out = strdup(name);
    *labels_out = strdup(labels != NULL ? labels : "");
    *help_out = strdup(help);
    if (*name_out != NULL && *labels_out != NULL && *help_out != NULL) {
        return true;
    }
    free_texts(*name_out, *labels_out, *help_out);
    return false;
}

ir_metric_t *ir_metrics_add(ir_metrics_t *metrics, ir_metric_kind_t kind, const char *name,
                            const char *labels, const char *help) {
    ir_metric_t *metric = calloc(1, sizeof *metric);
    if (metric == NULL ||
        !copy_texts(name, labels, help, &metric->name, &metric->labels, &metric->help)) {
        free(metric);
        return NULL;
    }
    metric->kind = kind;
    *metrics->last = metric;
    metrics->last = &metric->next;
    return metric;
}

/* Escapes backslash and quote. */
static void append_quoted(ir_buffer_t *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"') {
            ir_buffer_append_char(out, '\\');
        }
        ir_buffer_append_char(out, *text);
    }
}

void ir_metrics_add_rows(ir_metrics_t *metrics, void *target, const ir_metric_row_t *rows,
                         size_t n_rows) {
    for (size_t i = 0; i < n_rows; i++) {
        ir_metric_t **place = (ir_metric_t **)(void *)((char *)target + rows[i].offset);
        *place = ir_metrics_add(metrics, rows[i].kind, rows[i].name, rows[i].labels, rows[i].help);
    }
}

void ir_metric_label(ir_metric_t *metric, const char *name, const char *value) {
    if (metric == NULL) {
        return;
    }
    free(metric->labels);
    metric->labels = NULL;
    if (value != NULL) {
        ir_buffer_t text;
        ir_buffer_init(&text);
        ir_buffer_append_format(&text, "%s=\"", name);
        append_quoted(&text, value);
        ir_buffer_append(&text, "\"", 2);
        metric->labels = ir_buffer_ok(&text) ? strdup(text.data) : NULL;
        ir_buffer_free(&text);
    }
}

void ir_metric_increase(ir_metric_t *metric, uint64_t by) {
    if (metric != NULL && by > 0) {
        atomic_fetch_add_explicit(&metric->value, (int_fast64_t)by, memory_order_relaxed);
    }
}

void ir_metric_set(ir_metric_t *metric, int64_t value) {
    if (metric != NULL) {
        atomic_store_explicit(&metric->value, value, memory_order_relaxed);
    }
}

int64_t ir_metric_value(const ir_metric_t *metric) {
    return metric != NULL ? atomic_load_explicit(&metric->value, memory_order_relaxed) : 0;
}

ir_metric_histogram_t *ir_metrics_add_histogram(ir_metrics_t *metrics, const char *name,
                                                const char *labels, const char *help) {
    ir_metric_histogram_t *histogram = calloc(1, sizeof *histogram);
    if (histogram == NULL ||
        !copy_texts(name, labels, help, &histogram->name, &histogram->labels, &histogram->help)) {
        free(histogram);
        return NULL;
    }
    *metrics->last_histogram = histogram;
    metrics->last_histogram = &histogram->next;
    return histogram;
}

void ir_metric_histogram_record(ir_metric_histogram_t *histogram, int64_t duration_ns) {
    if (histogram == NULL) {
        return;
    }
    const double seconds = (double)duration_ns / (double)IR_SECOND_NS;
    size_t bucket = 0;
    while (bucket < BUCKETS && seconds > bucket_seconds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, duration_ns, memory_order_relaxed);
}

/* ---- the exposition ---- */

static void render_head(ir_buffer_t *out, const char *name, const char *help, const char *type) {
    ir_buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Lines with the same name must be adjacent, so the first series of a name also writes all the
 * others. */
static bool is_first(const ir_metric_t *from, const ir_metric_t *metric) {
    for (; from != metric; from = from->next) {
        if (strcmp(from->name, metric->name) == 0) {
            return false;
        }
    }
    return true;
}

static void render_metric(ir_buffer_t *out, const ir_metric_t *metric) {
    if (metric->labels == NULL) {
        return;
    }
    const bool labelled = metric->labels[0] != '\0';
    ir_buffer_append_format(out, "%s%s%s%s %lld\n", metric->name, labelled ? "{" : "",
                            metric->labels, labelled ? "}" : "",
                            (long long)ir_metric_value(metric));
}

static void render_metrics(const ir_metrics_t *metrics, ir_buffer_t *out) {
    for (const ir_metric_t *head = metrics->first; head != NULL; head = head->next) {
        if (!is_first(metrics->first, head)) {
            continue;
        }
        render_head(out, head->name, head->help,
                    head->kind == IR_METRIC_COUNTER ? "counter" : "gauge");
        for (const ir_metric_t *metric = head; metric != NULL; metric = metric->next) {
            if (strcmp(metric->name, head->name) == 0) {
                render_metric(out, metric);
            }
        }
    }
}

static void render_histogram(ir_buffer_t *out, const ir_metric_histogram_t *histogram) {
    const char *comma = histogram->labels[0] != '\0' ? "," : "";
    uint64_t count = 0;
    for (size_t i = 0; i <= BUCKETS; i++) {
        count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        char bound[32] = "+Inf";
        if (i < BUCKETS) {
            snprintf(bound, sizeof bound, "%g", bucket_seconds[i]);
        }
        ir_buffer_append_format(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", histogram->name,
                                histogram->labels, comma, bound, (unsigned long long)count);
    }
    const bool labelled = histogram->labels[0] != '\0';
    const char *open = labelled ? "{" : "";
    const char *close = labelled ? "}" : "";
    const int64_t sum = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    ir_buffer_append_format(out, "%s_sum%s%s%s %.9f\n%s_count%s%s%s %llu\n", histogram->name, open,
                            histogram->labels, close, (double)sum / (double)IR_SECOND_NS,
                            histogram->name, open, histogram->labels, close,
                            (unsigned long long)count);
}

static void render_histograms(const ir_metrics_t *metrics, ir_buffer_t *out) {
    const char *last = "";
    for (const ir_metric_histogram_t *h = metrics->first_histogram; h != NULL; h = h->next) {
        if (strcmp(h->name, last) != 0) {
            render_head(out, h->name, h->help, "histogram");
        }
        last = h->name;
        render_histogram(out, h);
    }
}

/* Reads one line of /proc/self/status, in bytes. getrusage's ru_maxrss is not used, because a
 * program inherits its value from the program that started it. */
static double status_bytes(const char *name) {
    FILE *file = fopen("/proc/self/status", "r");
    unsigned long long kibibytes = 0;
    char line[128];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            kibibytes = strtoull(line + strlen(name), NULL, 10);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return (double)kibibytes * 1024;
}

static double seconds(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Counts the entries of /proc/self/fd, without ".", ".." and the descriptor that reads the
 * folder. */
static unsigned open_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;
    while (directory != NULL && readdir(directory) != NULL) {
        count++;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return count > 3 ? count - 3 : 0;
}

static void render_descriptors(ir_buffer_t *out) {
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    render_head(out, "process_open_fds", "Open file descriptors.", "gauge");
    ir_buffer_append_format(out, "process_open_fds %u\n", open_descriptors());
    render_head(out, "process_max_fds", "Limit of open file descriptors.", "gauge");
    ir_buffer_append_format(out, "process_max_fds %llu\n", (unsigned long long)limit.rlim_cur);
}

static void render_process(const ir_metrics_t *metrics, ir_buffer_t *out) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    render_head(out, "process_cpu_seconds_total", "CPU time, user and system.", "counter");
    ir_buffer_append_format(out, "process_cpu_seconds_total %.6f\n",
                            seconds(usage.ru_utime) + seconds(usage.ru_stime));
    render_head(out, "process_resident_memory_bytes", "Resident memory.", "gauge");
    ir_buffer_append_format(out, "process_resident_memory_bytes %.0f\n", status_bytes("VmRSS:"));
    render_head(out, "process_peak_resident_memory_bytes", "Highest resident memory.", "gauge");
    ir_buffer_append_format(out, "process_peak_resident_memory_bytes %.0f\n",
                            status_bytes("VmHWM:"));
    render_head(out, "process_start_time_seconds", "Start, Unix time.", "gauge");
    ir_buffer_append_format(out, "process_start_time_seconds %.3f\n", metrics->started);
    render_descriptors(out);
    render_head(out, "ir_clock_seconds", "The time by this program's clock, Unix time.", "gauge");
    ir_buffer_append_format(out, "ir_clock_seconds %.3f\n",
                            (double)ir_clock_now() / (double)IR_SECOND_NS);
}

void ir_metrics_render(const ir_metrics_t *metrics, ir_buffer_t *out) {
    render_metrics(metrics, out);
    render_histograms(metrics, out);
    render_process(metrics, out);
}
