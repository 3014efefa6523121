#include "store/command/touched.h"

#include <stdlib.h>
#include <string.h>

#define LEAST 1024

static int compare(const void *a, const void *b) {
    const ir_touched_series_t *first = a;
    const ir_touched_series_t *second = b;
    return first->sensor == second->sensor ? 0 : strcmp(first->sensor->name, second->sensor->name);
}

static void widen(ir_touched_series_t *series, int64_t from_ns, int64_t to_ns) {
    series->from_ns = from_ns < series->from_ns ? from_ns : series->from_ns;
    series->to_ns = to_ns > series->to_ns ? to_ns : series->to_ns;
}

void ir_touched_sort(ir_touched_t *touched) {
    size_t distinct = 0;
    if (touched->count > 0) {
        qsort(touched->series, touched->count, sizeof *touched->series, compare);
    }
    for (size_t i = 0; i < touched->count; i++) {
        const ir_touched_series_t *one = &touched->series[i];
        if (distinct > 0 && touched->series[distinct - 1].sensor == one->sensor) {
            widen(&touched->series[distinct - 1], one->from_ns, one->to_ns);
        } else {
            touched->series[distinct++] = *one;
        }
    }
    touched->count = distinct;
}

/* Merges repeats before it makes room, so that memory is limited by the size of the registry. */
static bool make_room(ir_touched_t *touched) {
    ir_touched_sort(touched);
    if (touched->count < touched->capacity / 2) {
        return true;
    }
    const size_t capacity = touched->capacity > 0 ? touched->capacity * 2 : LEAST;
    ir_touched_series_t *grown = realloc(touched->series, capacity * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    touched->series = grown;
    touched->capacity = capacity;
    return true;
}

bool ir_touched_add(ir_touched_t *touched, const ir_observation_t *observation) {
    const ir_sensor_t *sensor = observation->sensor;
    if (!sensor->registered || observation->value.kind != IR_VALUE_NUMBER) {
        return true;
    }
    if (touched->count > 0 && touched->series[touched->count - 1].sensor == sensor) {
        widen(&touched->series[touched->count - 1], observation->time_ns, observation->time_ns);
        return true;
    }
    if (touched->count == touched->capacity && !make_room(touched)) {
        return false;
    }
    touched->series[touched->count++] = (ir_touched_series_t){
        .sensor = sensor, .from_ns = observation->time_ns, .to_ns = observation->time_ns};
    return true;
}

void ir_touched_free(ir_touched_t *touched) {
    free(touched->series);
    *touched = (ir_touched_t){.series = NULL};
}
