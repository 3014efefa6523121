/* Compares the histogram's percentiles with exact ones, and checks its text. Also tests the text
 * format of the metrics. Both also with several threads. */
#include "common/clock.h"
#include "common/histogram.h"
#include "common/metrics.h"
#include "common/ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VALUES 20000

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void percentiles_are_exact_to_three_digits(void **state) {
    (void)state;
    static int64_t values[VALUES];
    ir_histogram_t *histogram = ir_histogram_new(INT64_C(86400000000), 3);
    srand(3);
    int64_t sum = 0;
    for (int i = 0; i < VALUES; i++) {
        values[i] = (int64_t)rand() % (i % 7 == 0 ? 5000000 : 3000);
        sum += values[i];
        ir_histogram_record(histogram, values[i], 1);
    }
    qsort(values, VALUES, sizeof values[0], by_value);
    assert_int_equal(ir_histogram_count(histogram), VALUES);
    static const double percentiles[] = {0, 1, 50, 90, 99, 99.9, 100};
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        int rank = (int)(percentiles[i] / 100 * VALUES + 0.999999);
        rank = rank < 1 ? 1 : rank;
        const double exact = (double)values[rank - 1];
        const double seen = (double)ir_histogram_percentile(histogram, percentiles[i]);
        assert_true(seen >= exact && seen <= exact * 1.001 + 1);
    }
    assert_true(ir_histogram_max(histogram) >= values[VALUES - 1]);
    assert_true(ir_histogram_min(histogram) <= values[0] + 1);
    const double mean = (double)sum / VALUES;
    assert_true(ir_histogram_mean(histogram) > mean * 0.998 &&
                ir_histogram_mean(histogram) < mean * 1.002);
    ir_histogram_free(histogram);
}

static void what_does_not_fit_counts_at_the_ends(void **state) {
    (void)state;
    ir_histogram_t *histogram = ir_histogram_new(1000, 2);
    ir_histogram_record(histogram, 1000000, 3);
    ir_histogram_record(histogram, -5, 1);
    assert_int_equal(ir_histogram_count(histogram), 4);
    assert_true(ir_histogram_max(histogram) <= 1010);
    assert_int_equal(ir_histogram_min(histogram), 0);
    ir_histogram_reset(histogram);
    assert_int_equal(ir_histogram_count(histogram), 0);
    assert_int_equal(ir_histogram_percentile(histogram, 50), 0);
    ir_histogram_free(histogram);
}

static void sums_are_as_if_recorded_together(void **state) {
    (void)state;
    ir_histogram_t *a = ir_histogram_new(100000, 3);
    ir_histogram_t *b = ir_histogram_new(100000, 3);
    for (int i = 1; i <= 1000; i++) {
        ir_histogram_record(i % 2 == 0 ? a : b, i * 10, 1);
    }
    ir_histogram_add(a, b);
    assert_int_equal(ir_histogram_count(a), 1000);
    assert_in_range(ir_histogram_percentile(a, 50), 5000, 5010);
    ir_histogram_free(a);
    ir_histogram_free(b);
}

static void the_text_ends_with_everything(void **state) {
    (void)state;
    ir_histogram_t *histogram = ir_histogram_new(100000, 3);
    for (int i = 1; i <= 100; i++) {
        ir_histogram_record(histogram, i * 1000, 1);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(ir_histogram_print(histogram, 1000, out), IR_OK);
    fclose(out);
    assert_non_null(strstr(text, "Value"));
    assert_non_null(strstr(text, "1/(1-Percentile)"));
    double value = 0;
    double percentile = 0;
    double last = 0;
    unsigned long total = 0;
    unsigned rows = 0;
    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line + 1, '\n')) {
        if (sscanf(line, "%lf %lf %lu", &value, &percentile, &total) == 3) {
            assert_true(percentile >= last);
            last = percentile;
            rows++;
        }
    }
    assert_true(rows > 5 && last == 1.0 && total == 100);
    free(text);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(ir_histogram_print(histogram, 1, full), IR_ERR_IO);
    fclose(full);
    ir_histogram_free(histogram);
}

/* ---- metrics ---- */

typedef struct shared {
    ir_metric_t *counter;
    ir_metric_histogram_t *histogram;
    ir_metrics_t *metrics;
} shared_t;

static void *count_up(void *context) {
    const shared_t *shared = context;
    for (int i = 0; i < 5000; i++) {
        ir_metric_increase(shared->counter, 2);
        ir_metric_histogram_record(shared->histogram, IR_MILLISECOND_NS * (i % 3 == 0 ? 5 : 50));
    }
    return NULL;
}

static void threads_count_while_another_one_reads(void **state) {
    (void)state;
    shared_t shared = {.metrics = ir_metrics_new()};
    assert_non_null(shared.metrics);
    shared.counter =
        ir_metrics_add(shared.metrics, IR_METRIC_COUNTER, "x_total", "a=\"b\"", "Help.");
    shared.histogram = ir_metrics_add_histogram(shared.metrics, "y_seconds", NULL, "Time.");
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &shared), 0);
    }
    ir_buffer_t text;
    ir_buffer_init(&text);
    for (int i = 0; i < 20; i++) {
        ir_buffer_clear(&text);
        ir_metrics_render(shared.metrics, &text);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    ir_buffer_clear(&text);
    ir_metrics_render(shared.metrics, &text);
    ir_buffer_append_char(&text, '\0');
    assert_non_null(strstr(text.data, "# TYPE x_total counter\nx_total{a=\"b\"} 20000\n"));
    assert_non_null(strstr(text.data, "y_seconds_count 10000\n"));
    assert_non_null(strstr(text.data, "y_seconds_bucket{le=\"0.01\"} 3334\n"));
    assert_non_null(strstr(text.data, "y_seconds_bucket{le=\"+Inf\"} 10000\n"));
    static const char *const always[] = {
        "process_cpu_seconds_total ", "process_start_time_seconds ",
        "process_resident_memory_bytes ", "process_peak_resident_memory_bytes "};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        const char *at = strstr(text.data, always[i]);
        assert_non_null(at);
        at = strstr(at + 1, always[i]) != NULL ? strstr(at + 1, always[i]) : at;
        assert_true(atof(at + strlen(always[i])) >= 0);
    }
    ir_buffer_free(&text);
    ir_metrics_free(shared.metrics);
}

static void no_metric_is_no_trouble(void **state) {
    (void)state;
    ir_metric_increase(NULL, 1);
    ir_metric_set(NULL, 1);
    ir_metric_histogram_record(NULL, 1);
    assert_int_equal(ir_metric_value(NULL), 0);
    ir_metrics_free(NULL);
}

/* ---- ring ---- */

#define ITEMS 20000

static void *produce(void *context) {
    ir_ring_t *ring = context;
    for (uintptr_t i = 1; i <= ITEMS;) {
        if (ir_ring_push(ring, (void *)i)) {
            i++;
        } else {
            sched_yield();
        }
    }
    ir_ring_close(ring);
    return NULL;
}

static void everything_passes_the_ring_in_order(void **state) {
    (void)state;
    ir_ring_t *ring = ir_ring_new(8, false);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, ring), 0);
    uintptr_t expected = 1;
    for (;;) {
        void *item = ir_ring_wait(ring, IR_SECOND_NS);
        if (item == NULL && ir_ring_closed(ring)) {
            break;
        }
        if (item != NULL) {
            assert_true((uintptr_t)item == expected);
            expected++;
        }
    }
    assert_int_equal(expected, ITEMS + 1);
    pthread_join(thread, NULL);
    assert_false(ir_ring_push(ring, ring));
    ir_ring_free(ring);
}

static void a_full_ring_takes_no_more(void **state) {
    (void)state;
    ir_ring_t *ring = ir_ring_new(3, true);
    assert_true(ir_ring_fd(ring) >= 0);
    size_t taken = 0;
    while (taken < 100 && ir_ring_push(ring, ring)) {
        taken++;
    }
    assert_in_range(taken, 3, 4);
    assert_int_equal(ir_ring_count(ring), taken);
    ir_ring_acknowledge(ring);
    assert_ptr_equal(ir_ring_pop(ring), ring);
    assert_true(ir_ring_push(ring, ring));
    while (ir_ring_pop(ring) != NULL) {
        taken--;
    }
    assert_int_equal(taken, 0);
    assert_null(ir_ring_wait(ring, IR_MILLISECOND_NS));
    ir_ring_free(ring);
    ir_ring_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_exact_to_three_digits),
        cmocka_unit_test(what_does_not_fit_counts_at_the_ends),
        cmocka_unit_test(sums_are_as_if_recorded_together),
        cmocka_unit_test(the_text_ends_with_everything),
        cmocka_unit_test(threads_count_while_another_one_reads),
        cmocka_unit_test(no_metric_is_no_trouble),
        cmocka_unit_test(everything_passes_the_ring_in_order),
        cmocka_unit_test(a_full_ring_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
