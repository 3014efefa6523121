#include "annotation/quality/quality.h"

#include "annotation/quality/qartod.h"
#include "annotation/quality/series_state.h"

#include <stdlib.h>
#include <string.h>

#define VALUES_MIN 3 /* for the spike test: the third point decides the flags of the first two */

struct ir_quality {
    ir_series_table_t *series;
    ir_recent_fn recent;
    void *context;
    bool revise_all;
    uint64_t turn;
    ir_point_t *points; /* buffer for the points that `recent` reads */
    size_t points_capacity;
};

uint8_t ir_quality_aggregate(const uint8_t flags[static IR_TEST_COUNT]) {
    static const uint8_t precedence[] = {IR_FLAG_FAIL, IR_FLAG_SUSPECT, IR_FLAG_GOOD,
                                         IR_FLAG_NOT_EVALUATED};
    for (size_t i = 0; i < sizeof precedence; i++) {
        if (memchr(flags, precedence[i], IR_TEST_COUNT) != NULL) {
            return precedence[i];
        }
    }
    return IR_FLAG_MISSING;
}

ir_quality_t *ir_quality_new(size_t max_series, ir_recent_fn recent, void *context,
                             bool revise_all) {
    ir_quality_t *quality = calloc(1, sizeof *quality);
    ir_series_table_t *series = quality != NULL ? ir_series_table_new(max_series) : NULL;
    if (series == NULL) {
        free(quality);
        return NULL;
    }
    quality->series = series;
    quality->recent = recent;
    quality->context = context;
    quality->revise_all = revise_all;
    return quality;
}

void ir_quality_free(ir_quality_t *quality) {
    if (quality != NULL) {
        ir_series_table_free(quality->series);
        free(quality->points);
        free(quality);
    }
}

void ir_quality_reset(ir_quality_t *quality) {
    ir_series_table_clear(quality->series);
}

size_t ir_quality_series(const ir_quality_t *quality) {
    return ir_series_table_count(quality->series);
}

/* ---- the state of a series ---- */

static void take_point(ir_series_state_t *series, const ir_point_t *point) {
    series->last[1] = series->last[0];
    series->last[0] = *point;
    series->seen++;
    ir_series_state_push(series, point->value);
}

static ir_outcome_t read_recent(ir_quality_t *quality, ir_series_state_t *series,
                                const ir_observation_t *observation, ir_error_t *error) {
    const size_t limit = series->capacity;
    if (limit > quality->points_capacity) {
        ir_point_t *points = realloc(quality->points, limit * sizeof *points);
        if (points == NULL) {
            ir_error_set(error, IR_ERR_MEMORY, "quality control: out of memory");
            return IR_OUTCOME_RETRY;
        }
        quality->points = points;
        quality->points_capacity = limit;
    }
    size_t count = 0;
    const ir_outcome_t outcome =
        quality->recent(quality->context, observation->sensor, observation->time_ns, limit,
                        quality->points, &count, error);
    if (outcome != IR_OUTCOME_OK) {
        return IR_OUTCOME_RETRY;
    }
    for (size_t i = count; i > 0; i--) {
        const ir_point_t *point = &quality->points[i - 1];
        const ir_value_t sent = {.kind = IR_VALUE_NUMBER, .number = point->source_value};
        if (!ir_sensor_misses(observation->sensor,
                              &sent)) { /* stored before its value was declared missing */
            take_point(series, point);
        }
    }
    return IR_OUTCOME_OK;
}

static size_t values_wanted(const ir_sensor_t *sensor) {
    const size_t window = ir_test_flat_line_window(ir_sensor_limits(sensor), sensor->interval_ns);
    return window > VALUES_MIN ? window : VALUES_MIN;
}

/* Returns the series in its state just before the observation. NULL on failure; `error` holds the
 * reason. */
static ir_series_state_t *series_of(ir_quality_t *quality, const ir_observation_t *observation,
                                    uint32_t session, ir_error_t *error) {
    const ir_sensor_t *sensor = observation->sensor;
    ir_series_state_t *series =
        ir_series_table_get(quality->series, sensor->name, values_wanted(sensor), quality->turn);
    if (series == NULL) {
        ir_error_set(error, IR_ERR_MEMORY, "quality control: out of memory");
        return NULL;
    }
    if (series->fresh || series->session != session) {
        series->fresh = false;
        series->session = session;
        series->seen = 0;
        series->n_values = 0;
        series->begin = series->capacity;
        if (quality->recent != NULL &&
            read_recent(quality, series, observation, error) != IR_OUTCOME_OK) {
            return NULL;
        }
    }
    return series;
}

static ir_point_t point_of(const ir_observation_t *observation, const ir_message_t *message) {
    ir_point_t point = {
        .id = observation->id,
        .raw_id = message->raw_id,
        .time_ns = observation->time_ns,
        .value = observation->value.number,
        .source_value = observation->source_value.number,
        .aggregate = observation->aggregate,
        .record = observation->record,
    };
    memcpy(point.flags, observation->flags, sizeof point.flags);
    if (observation->source_unit.size > 0 &&
        observation->source_unit.size < sizeof point.source_unit) {
        memcpy(point.source_unit, observation->source_unit.data, observation->source_unit.size);
    }
    return point;
}

/* ---- revisions ---- */

typedef struct decision {
    ir_quality_t *quality;
    ir_batch_t *batch;
    const ir_observation_t *by;
    bool out_of_memory;
} decision_t;

static bool fill_revision(const decision_t *decision, const ir_point_t *point, ir_test_t test,
                          uint8_t previous, ir_revision_t *revision) {
    const ir_view_t unit = ir_arena_copy(decision->batch->arena, ir_view_text(point->source_unit));
    *revision = (ir_revision_t){
        .test = test,
        .flag = point->flags[test],
        .previous = previous,
        .raw_id = point->raw_id,
        .decided_by = decision->by->id,
        .observation = {.id = point->id,
                        .sensor = decision->by->sensor,
                        .time_ns = point->time_ns,
                        .value = {.kind = IR_VALUE_NUMBER, .number = point->value},
                        .source_value = {.kind = IR_VALUE_NUMBER, .number = point->source_value},
                        .source_unit = unit,
                        .aggregate = point->aggregate,
                        .message = decision->by->message,
                        .record = point->record},
    };
    memcpy(revision->observation.flags, point->flags, sizeof point->flags);
    ir_id_revision(&point->id, ir_test_text(test), revision->flag, NULL, &revision->id);
    return unit.data != NULL;
}

/* Sets the flag of an earlier point, now that it is known. */
static void decide(decision_t *decision, ir_point_t *point, ir_test_t test, uint8_t flag) {
    const uint8_t previous = point->flags[test];
    if (flag == previous) {
        return;
    }
    point->flags[test] = flag;
    point->aggregate = ir_quality_aggregate(point->flags);
    if (flag != IR_FLAG_SUSPECT && flag != IR_FLAG_FAIL && !decision->quality->revise_all) {
        return;
    }
    ir_revision_t revision;
    decision->out_of_memory = decision->out_of_memory ||
                              !fill_revision(decision, point, test, previous, &revision) ||
                              !ir_batch_add_revision(decision->batch, &revision);
}

/* The third point of a series makes the flat-line test possible for the first two: evaluates it for
 * them now. */
static void decide_first_two(decision_t *decision, ir_series_state_t *series) {
    const ir_sensor_t *sensor = decision->by->sensor;
    const double *values = ir_series_state_values(series); /* the values of the first two points */
    for (size_t i = 0; i < 2; i++) {
        if (ir_test_flat_line_window(ir_sensor_limits(sensor), sensor->interval_ns) > 0) {
            decide(decision, &series->last[i], IR_TEST_FLAT_LINE,
                   ir_test_flat_line(ir_sensor_limits(sensor), sensor->interval_ns, values + i,
                                     2 - i));
        }
    }
}

static void decide_earlier(decision_t *decision, ir_series_state_t *series, double value) {
    const ir_limits_t *limits = ir_sensor_limits(decision->by->sensor);
    if (series->seen < 2) {
        return;
    }
    if (limits->has_spike) {
        decide(decision, &series->last[0], IR_TEST_SPIKE,
               ir_test_spike(limits, series->last[1].value, series->last[0].value, value));
    }
    if (series->seen == 2) {
        decide_first_two(decision, series);
    }
}

/* ---- one observation ---- */

static uint8_t flat_line(const ir_sensor_t *sensor, const ir_series_state_t *series) {
    if (ir_test_flat_line_window(ir_sensor_limits(sensor), sensor->interval_ns) == 0) {
        return IR_FLAG_NOT_EVALUATED;
    }
    return series->seen < 3 ? IR_FLAG_GOOD
                            : ir_test_flat_line(ir_sensor_limits(sensor), sensor->interval_ns,
                                                ir_series_state_values(series), series->n_values);
}

/* Sets the flags that depend on neighbours and adds the observation to its series. */
static void flag_in_order(decision_t *decision, ir_series_state_t *series,
                          ir_observation_t *observation) {
    const ir_sensor_t *sensor = observation->sensor;
    decide_earlier(decision, series, observation->value.number);
    ir_qartod_after(ir_sensor_limits(sensor), series->seen > 0 ? &series->last[0] : NULL,
                    observation->value.number, observation->time_ns, observation->flags);
    const ir_point_t point =
        point_of(observation, &decision->batch->messages[observation->message]);
    take_point(series, &point);
    observation->flags[IR_TEST_FLAT_LINE] = flat_line(sensor, series);
    observation->aggregate = ir_quality_aggregate(observation->flags);
    memcpy(series->last[0].flags, observation->flags, sizeof observation->flags);
    series->last[0].aggregate = observation->aggregate;
}

/* A point far ahead of its arrival is not added to the series. Otherwise, after one point with a
 * wrong clock, all later points would be late. */
static bool is_ahead(const ir_message_t *message, const ir_observation_t *observation) {
    return message->arrival_ns != 0 &&
           observation->time_ns > message->arrival_ns + IR_QUALITY_AHEAD_NS;
}

static void flag_out_of_order(ir_observation_t *observation, bool ahead) {
    observation->late = true;
    observation->aggregate = ir_quality_aggregate(observation->flags);
    if (ahead && observation->aggregate != IR_FLAG_FAIL) {
        observation->aggregate = IR_FLAG_SUSPECT;
    }
}

static void flag_observation(decision_t *decision, ir_series_state_t *series,
                             ir_observation_t *observation) {
    const ir_limits_t *limits = ir_sensor_limits(observation->sensor);
    ir_qartod_alone(limits, observation->value.number, observation->time_ns, observation->flags);
    decision->by = observation;
    if (is_ahead(&decision->batch->messages[observation->message], observation)) {
        flag_out_of_order(observation, true);
    } else if (series->seen == 0 || observation->time_ns > series->last[0].time_ns) {
        flag_in_order(decision, series, observation);
    } else if (ir_id_compare(&series->last[0].id, &observation->id) == 0) {
        memcpy(observation->flags, series->last[0].flags, sizeof observation->flags);
        observation->aggregate = series->last[0].aggregate;
    } else {
        flag_out_of_order(observation, false);
    }
}

ir_outcome_t ir_quality_check(ir_quality_t *quality, ir_batch_t *batch, ir_error_t *error) {
    decision_t decision = {.quality = quality, .batch = batch};
    quality->turn++;
    for (uint32_t i = 0; i < batch->n_observations; i++) {
        ir_observation_t *observation = &batch->observations[i];
        observation->aggregate =
            observation->value.kind == IR_VALUE_NONE ? IR_FLAG_MISSING : IR_FLAG_NOT_EVALUATED;
        memset(observation->flags, observation->aggregate, sizeof observation->flags);
        observation->late = false;
        if (observation->value.kind != IR_VALUE_NUMBER) {
            continue;
        }
        ir_series_state_t *series =
            series_of(quality, observation, batch->messages[observation->message].session, error);
        if (series != NULL) {
            flag_observation(&decision, series, observation);
        }
        if (series == NULL || decision.out_of_memory) {
            if (decision.out_of_memory) {
                ir_error_set(error, IR_ERR_MEMORY, "quality control: out of memory");
            }
            /* Some series already include points of the failed batch. All states are discarded, and
             * read again when the batch is retried. */
            ir_quality_reset(quality);
            batch->n_revisions = 0;
            return IR_OUTCOME_RETRY;
        }
    }
    return IR_OUTCOME_OK;
}
