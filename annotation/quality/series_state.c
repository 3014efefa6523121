#include "annotation/quality/series_state.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 256
#define SLACK 4 /* the array has room for this many times the values, so moves are rare */

struct ir_series_table {
    size_t most, count, n_buckets;
    ir_series_state_t **buckets;
    ir_series_state_t *newest, *oldest;
};

static void free_series(ir_series_state_t *series) {
    free(series->name);
    free(series->values);
    free(series);
}

ir_series_table_t *ir_series_table_new(size_t most) {
    ir_series_table_t *table = calloc(1, sizeof *table);
    ir_series_state_t **buckets = table != NULL ? calloc(BUCKETS_FIRST, sizeof *buckets) : NULL;
    if (buckets == NULL) {
        free(table);
        return NULL;
    }
    table->most = most;
    table->n_buckets = BUCKETS_FIRST;
    table->buckets = buckets;
    return table;
}

void ir_series_table_clear(ir_series_table_t *table) {
    for (ir_series_state_t *series = table->oldest; series != NULL;) {
        ir_series_state_t *newer = series->newer;
        free_series(series);
        series = newer;
    }
    memset(table->buckets, 0, table->n_buckets * sizeof *table->buckets);
    table->newest = table->oldest = NULL;
    table->count = 0;
}

void ir_series_table_free(ir_series_table_t *table) {
    if (table != NULL) {
        ir_series_table_clear(table);
        free(table->buckets);
        free(table);
    }
}

size_t ir_series_table_count(const ir_series_table_t *table) {
    return table->count;
}

/* FNV-1a */
static uint64_t hash_of(const char *name) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    }
    return hash;
}

static void unlink_series(ir_series_table_t *table, ir_series_state_t *series) {
    if (series->newer != NULL) {
        series->newer->older = series->older;
    } else {
        table->newest = series->older;
    }
    if (series->older != NULL) {
        series->older->newer = series->newer;
    } else {
        table->oldest = series->newer;
    }
}

static void link_newest(ir_series_table_t *table, ir_series_state_t *series) {
    series->newer = NULL;
    series->older = table->newest;
    *(table->newest != NULL ? &table->newest->newer : &table->oldest) = series;
    table->newest = series;
}

static void drop_oldest(ir_series_table_t *table) {
    ir_series_state_t *series = table->oldest;
    ir_series_state_t **at = &table->buckets[series->hash & (table->n_buckets - 1)];
    while (*at != series) {
        at = &(*at)->next;
    }
    *at = series->next;
    table->oldest = series->newer;
    if (table->oldest != NULL) {
        table->oldest->older = NULL;
    } else {
        table->newest = NULL;
    }
    free_series(series);
    table->count--;
}

static void grow_buckets(ir_series_table_t *table) {
    const size_t n_buckets = table->n_buckets * 2;
    ir_series_state_t **buckets = calloc(n_buckets, sizeof *buckets);
    if (buckets == NULL) {
        return; /* if growing fails, look-ups are only slower: the old buckets still work */
    }
    for (ir_series_state_t *series = table->oldest; series != NULL; series = series->newer) {
        ir_series_state_t **bucket = &buckets[series->hash & (n_buckets - 1)];
        series->next = *bucket;
        *bucket = series;
    }
    free(table->buckets);
    table->buckets = buckets;
    table->n_buckets = n_buckets;
}

static ir_series_state_t *add_series(ir_series_table_t *table, const char *name, uint64_t hash) {
    ir_series_state_t *series = calloc(1, sizeof *series);
    char *copy = series != NULL ? strdup(name) : NULL;
    if (copy == NULL) {
        free(series);
        return NULL;
    }
    series->name = copy;
    series->hash = hash;
    series->fresh = true;
    if (table->count >= table->n_buckets) {
        grow_buckets(table);
    }
    ir_series_state_t **bucket = &table->buckets[hash & (table->n_buckets - 1)];
    series->next = *bucket;
    *bucket = series;
    link_newest(table, series);
    table->count++;
    return series;
}

static bool keep(ir_series_state_t *series, size_t capacity) {
    if (capacity <= series->capacity) {
        return true;
    }
    double *values = malloc(capacity * SLACK * sizeof *values);
    if (values == NULL) {
        return false;
    }
    const size_t begin = capacity * SLACK - series->n_values;
    if (series->n_values > 0) {
        memcpy(values + begin, ir_series_state_values(series), series->n_values * sizeof *values);
    }
    free(series->values);
    series->values = values;
    series->begin = begin;
    series->capacity = capacity;
    return true;
}

ir_series_state_t *ir_series_table_get(ir_series_table_t *table, const char *name, size_t capacity,
                                       uint64_t turn) {
    const uint64_t hash = hash_of(name);
    ir_series_state_t *series = table->buckets[hash & (table->n_buckets - 1)];
    while (series != NULL && (series->hash != hash || strcmp(series->name, name) != 0)) {
        series = series->next;
    }
    if (series != NULL) {
        unlink_series(table, series);
        link_newest(table, series);
    } else {
        while (table->count >= table->most && table->oldest != NULL &&
               table->oldest->used != turn) {
            drop_oldest(table);
        }
        series = add_series(table, name, hash);
    }
    if (series == NULL || !keep(series, capacity)) {
        return NULL;
    }
    series->used = turn;
    return series;
}

void ir_series_state_push(ir_series_state_t *series, double value) {
    const size_t kept =
        series->n_values < series->capacity ? series->n_values : series->capacity - 1;
    if (series->begin == 0) {
        const size_t begin = series->capacity * SLACK - kept;
        memmove(series->values + begin, series->values, kept * sizeof *series->values);
        series->begin = begin;
    }
    series->values[--series->begin] = value;
    series->n_values = kept + 1;
}
