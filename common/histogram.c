#include "common/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* HdrHistogram's layout: values are grouped by their highest bit. Within a group the next
 * `sub_bits` bits choose the slot, so the relative error is at most 10^-digits. */
struct ir_histogram {
    int sub_bits; /* the first group has 2^sub_bits slots, each later one half as many */
    int64_t highest;
    size_t slots;
    uint64_t total;
    int64_t min, max;
    double sum;
    uint64_t counts[];
};

static int highest_bit(uint64_t value) {
    return 63 - __builtin_clzll(value | 1);
}

static size_t slot_of(int sub_bits, int64_t value) {
    const int group = highest_bit((uint64_t)value) - (sub_bits - 1);
    if (group <= 0) {
        return (size_t)value;
    }
    const size_t half = (size_t)1 << (sub_bits - 1);
    return (size_t)(group + 1) * half + (size_t)(value >> group) - half;
}

/* Returns the largest value that belongs to the slot. */
static int64_t highest_of(int sub_bits, size_t slot) {
    const size_t half = (size_t)1 << (sub_bits - 1);
    if (slot < 2 * half) {
        return (int64_t)slot;
    }
    const unsigned group = (unsigned)((slot - half) / half);
    const int64_t first = (int64_t)(slot % half + half) << group;
    return first + ((int64_t)1 << group) - 1;
}

ir_histogram_t *ir_histogram_new(int64_t highest, int significant_digits) {
    const double wanted = 2 * pow(10, significant_digits);
    const int sub_bits = (int)ceil(log2(wanted));
    const size_t slots = slot_of(sub_bits, highest) + 1;
    ir_histogram_t *histogram = calloc(1, sizeof *histogram + slots * sizeof(uint64_t));
    if (histogram != NULL) {
        histogram->sub_bits = sub_bits;
        histogram->highest = highest;
        histogram->slots = slots;
    }
    return histogram;
}

void ir_histogram_free(ir_histogram_t *histogram) {
    free(histogram);
}

void ir_histogram_reset(ir_histogram_t *histogram) {
    histogram->total = 0;
    histogram->min = 0;
    histogram->max = 0;
    histogram->sum = 0;
    memset(histogram->counts, 0, histogram->slots * sizeof histogram->counts[0]);
}

void ir_histogram_record(ir_histogram_t *histogram, int64_t value, uint64_t count) {
    if (count == 0) {
        return;
    }
    value = value < 0 ? 0 : value > histogram->highest ? histogram->highest : value;
    histogram->min = histogram->total == 0 || value < histogram->min ? value : histogram->min;
    histogram->max = value > histogram->max ? value : histogram->max;
    histogram->counts[slot_of(histogram->sub_bits, value)] += count;
    histogram->total += count;
    histogram->sum += (double)value * (double)count;
}

void ir_histogram_add(ir_histogram_t *histogram, const ir_histogram_t *from) {
    if (from->total == 0) {
        return;
    }
    histogram->min =
        histogram->total == 0 || from->min < histogram->min ? from->min : histogram->min;
    histogram->max = from->max > histogram->max ? from->max : histogram->max;
    histogram->total += from->total;
    histogram->sum += from->sum;
    for (size_t i = 0; i < histogram->slots && i < from->slots; i++) {
        histogram->counts[i] += from->counts[i];
    }
}

uint64_t ir_histogram_count(const ir_histogram_t *histogram) {
    return histogram->total;
}

int64_t ir_histogram_min(const ir_histogram_t *histogram) {
    return histogram->min;
}

int64_t ir_histogram_max(const ir_histogram_t *histogram) {
    return histogram->max;
}

double ir_histogram_mean(const ir_histogram_t *histogram) {
    return histogram->total > 0 ? histogram->sum / (double)histogram->total : 0;
}

/* Returns the slot's highest value, but not more than the largest value recorded. */
static int64_t reported(const ir_histogram_t *histogram, size_t slot) {
    const int64_t value = highest_of(histogram->sub_bits, slot);
    return value < histogram->max ? value : histogram->max;
}

int64_t ir_histogram_percentile(const ir_histogram_t *histogram, double percentile) {
    const double share = percentile < 0 ? 0 : percentile > 100 ? 1 : percentile / 100;
    uint64_t wanted = (uint64_t)ceil(share * (double)histogram->total - 1e-9);
    wanted = wanted < 1 ? 1 : wanted;
    uint64_t seen = 0;
    for (size_t slot = 0; slot < histogram->slots; slot++) {
        seen += histogram->counts[slot];
        if (seen >= wanted) {
            return reported(histogram, slot);
        }
    }
    return 0;
}

ir_status_t ir_histogram_print(const ir_histogram_t *histogram, double unit, FILE *out) {
    fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    uint64_t seen = 0;
    for (size_t slot = 0; slot < histogram->slots; slot++) {
        if (histogram->counts[slot] == 0) {
            continue;
        }
        seen += histogram->counts[slot];
        const double share = (double)seen / (double)histogram->total;
        fprintf(out, "%12.3f %14.12f %10llu", (double)reported(histogram, slot) / unit, share,
                (unsigned long long)seen);
        if (seen < histogram->total) {
            fprintf(out, " %14.2f\n", 1 / (1 - share));
        } else {
            fputc('\n', out);
        }
    }
    fprintf(out, "#[Mean    = %12.3f, Max = %12.3f]\n#[Total count = %12llu]\n",
            ir_histogram_mean(histogram) / unit, (double)histogram->max / unit,
            (unsigned long long)histogram->total);
    return fflush(out) != 0 || ferror(out) ? IR_ERR_IO : IR_OK;
}
