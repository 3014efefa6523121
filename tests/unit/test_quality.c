/* Compares quality control with flags that ioos_qc computed (tests/data/quality). Points come as a
 * whole series, in batches, and with the state of the series lost and read back at any point. */
#include "annotation/quality/quality.h"

#include "annotation/quality/qartod.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define POINTS_MAX 4096
#define MEMBERS_MAX 16

typedef struct golden {
    ir_sensor_t sensor;
    ir_limits_t limits;
    ir_climatology_t members[MEMBERS_MAX];
    size_t n_points;
    int64_t times[POINTS_MAX];
    double values[POINTS_MAX];
    uint8_t flags[POINTS_MAX][IR_TEST_COUNT];
    uint8_t aggregates[POINTS_MAX];
} golden_t;

/* Stands in for the document store: every point with the flags that it got on arrival. */
typedef struct memory {
    ir_point_t points[POINTS_MAX];
    size_t n_points;
    unsigned failures; /* number of the next calls that will fail */
    unsigned calls;
} memory_t;

static ir_span_t span(const char *low, const char *high) {
    return (ir_span_t){.given = true, .low = atof(low), .high = atof(high)};
}

static void read_climatology(golden_t *golden, char **word, int n) {
    ir_climatology_t *member = &golden->members[golden->limits.n_climatology++];
    static const char *const periods[] = {"time", "month", "week", "day"};
    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(word[1], periods[i]) == 0) {
            member->period = (ir_period_t)i;
        }
    }
    const int64_t unit = member->period == IR_PERIOD_TIME ? SECOND : 1;
    member->begin = atoll(word[2]) * unit;
    member->end = atoll(word[3]) * unit;
    member->suspect = span(word[4], word[5]);
    if (n > 6) {
        member->fail = span(word[6], word[7]);
    }
    golden->limits.climatology = golden->members;
}

static void read_limit(golden_t *golden, char **word, int n) {
    ir_limits_t *limits = &golden->limits;
    if (strcmp(word[0], "interval") == 0) {
        golden->sensor.interval_ns = atoll(word[1]) * SECOND;
    } else if (strcmp(word[0], "gross_fail") == 0) {
        limits->gross_fail = span(word[1], word[2]);
    } else if (strcmp(word[0], "gross_suspect") == 0) {
        limits->gross_suspect = span(word[1], word[2]);
    } else if (strcmp(word[0], "spike") == 0) {
        limits->has_spike = limits->has_spike_suspect = true;
        limits->spike_method =
            strcmp(word[1], "average") == 0 ? IR_SPIKE_AVERAGE : IR_SPIKE_DIFFERENTIAL;
        limits->spike_suspect = atof(word[2]);
        limits->has_spike_fail = strcmp(word[3], "-") != 0;
        limits->spike_fail = atof(word[3]);
    } else if (strcmp(word[0], "rate") == 0) {
        limits->has_rate = true;
        limits->rate = atof(word[1]);
    } else if (strcmp(word[0], "flat") == 0) {
        limits->has_flat_suspect = limits->has_flat_fail = true;
        limits->flat_tolerance = atof(word[1]);
        limits->flat_suspect_ns = atoll(word[2]) * SECOND;
        limits->flat_fail_ns = atoll(word[3]) * SECOND;
    } else if (strcmp(word[0], "climatology") == 0) {
        read_climatology(golden, word, n);
    } else {
        fail_msg("unknown line '%s'", word[0]);
    }
}

static void read_point(golden_t *golden, char **word) {
    const size_t i = golden->n_points++;
    golden->times[i] = atoll(word[1]) * SECOND;
    golden->values[i] = strtod(word[2], NULL);
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        golden->flags[i][test] = (uint8_t)atoi(word[3 + test]);
    }
    golden->aggregates[i] = (uint8_t)atoi(word[3 + IR_TEST_COUNT]);
}

static golden_t *read_golden(const char *path) {
    golden_t *golden = calloc(1, sizeof *golden);
    assert_non_null(golden);
    golden->sensor.limits = &golden->limits;
    golden->sensor.name = "station/parameter";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        char none[] = "";
        char *words[16];
        for (int i = 0; i < 16; i++) {
            words[i] = none;
        }
        int n = 0;
        for (char *word = strtok(line, " \n"); word != NULL && n < 16; word = strtok(NULL, " \n")) {
            words[n++] = word;
        }
        if (strcmp(words[0], "p") == 0) {
            read_point(golden, words);
        } else {
            read_limit(golden, words, n);
        }
    }
    fclose(file);
    return golden;
}

static ir_id_t id_of(size_t i) {
    ir_id_t id = {{0}};
    memcpy(id.bytes, &i, sizeof i);
    return id;
}

static ir_outcome_t recall(void *context, const ir_sensor_t *sensor, int64_t before_ns,
                           size_t limit, ir_point_t *points, size_t *count, ir_error_t *error) {
    (void)sensor;
    memory_t *memory = context;
    memory->calls++;
    if (memory->failures > 0) {
        memory->failures--;
        ir_error_set(error, IR_ERR_CONNECT, "away");
        return IR_OUTCOME_RETRY;
    }
    *count = 0;
    for (size_t i = memory->n_points; i > 0 && *count < limit; i--) {
        if (memory->points[i - 1].time_ns < before_ns) {
            points[(*count)++] = memory->points[i - 1];
        }
    }
    return IR_OUTCOME_OK;
}

/* Makes a batch of the points begin … end-1, each in its own message. */
static ir_batch_t *make_batch(const golden_t *golden, size_t begin, size_t end, uint32_t session) {
    ir_batch_t *batch = ir_batch_new(NULL);
    assert_non_null(batch);
    const size_t n = end - begin;
    batch->messages = calloc(n, sizeof *batch->messages);
    batch->observations = calloc(n, sizeof *batch->observations);
    batch->n_messages = batch->n_observations = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        batch->messages[i].session = session;
        batch->messages[i].raw_id = id_of(begin + i);
        batch->observations[i] = (ir_observation_t){
            .id = id_of(begin + i),
            .sensor = &golden->sensor,
            .time_ns = golden->times[begin + i],
            .value = {.kind = IR_VALUE_NUMBER, .number = golden->values[begin + i]},
            .source_value = {.kind = IR_VALUE_NUMBER, .number = golden->values[begin + i]},
            .message = (uint32_t)i,
        };
    }
    return batch;
}

static void remember(memory_t *memory, const ir_batch_t *batch) {
    for (uint32_t i = 0; i < batch->n_observations; i++) {
        const ir_observation_t *observation = &batch->observations[i];
        ir_point_t *point = &memory->points[memory->n_points++];
        *point = (ir_point_t){.id = observation->id,
                              .raw_id = observation->id,
                              .time_ns = observation->time_ns,
                              .value = observation->value.number,
                              .source_value = observation->value.number,
                              .aggregate = observation->aggregate};
        memcpy(point->flags, observation->flags, sizeof point->flags);
    }
}

typedef struct seen {
    uint8_t flags[POINTS_MAX][IR_TEST_COUNT];
    uint8_t aggregates[POINTS_MAX];
} seen_t;

static void note(seen_t *seen, const ir_batch_t *batch) {
    for (uint32_t i = 0; i < batch->n_observations; i++) {
        size_t at = 0;
        memcpy(&at, batch->observations[i].id.bytes, sizeof at);
        memcpy(seen->flags[at], batch->observations[i].flags, IR_TEST_COUNT);
        seen->aggregates[at] = batch->observations[i].aggregate;
    }
    for (uint32_t i = 0; i < batch->n_revisions; i++) {
        const ir_observation_t *revised = &batch->revisions[i].observation;
        size_t at = 0;
        memcpy(&at, revised->id.bytes, sizeof at);
        assert_int_equal(revised->flags[batch->revisions[i].test], batch->revisions[i].flag);
        memcpy(seen->flags[at], revised->flags, IR_TEST_COUNT);
        seen->aggregates[at] = revised->aggregate;
    }
}

/* Runs the series in batches of at most `size` points. With `memory`, every batch is a new
 * session. */
static seen_t *run(const golden_t *golden, size_t size, memory_t *memory) {
    seen_t *seen = calloc(1, sizeof *seen);
    ir_quality_t *quality = ir_quality_new(10, memory != NULL ? recall : NULL, memory, true);
    assert_non_null(quality);
    ir_error_t error;
    uint32_t session = 1;
    for (size_t begin = 0; begin < golden->n_points; begin += size, session++) {
        const size_t end = begin + size < golden->n_points ? begin + size : golden->n_points;
        ir_batch_t *batch = make_batch(golden, begin, end, memory != NULL ? session : 1);
        assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
        note(seen, batch);
        if (memory != NULL) {
            remember(memory, batch);
        }
        ir_batch_free(batch);
    }
    ir_quality_free(quality);
    return seen;
}

static void compare(const char *path, const golden_t *golden, const seen_t *seen) {
    for (size_t i = 0; i < golden->n_points; i++) {
        for (int test = 0; test < IR_TEST_COUNT; test++) {
            if (seen->flags[i][test] != golden->flags[i][test]) {
                fail_msg("%s: point %zu: %s is %d, ioos_qc says %d", path, i,
                         ir_test_text((ir_test_t)test), seen->flags[i][test],
                         golden->flags[i][test]);
            }
        }
        assert_int_equal(seen->aggregates[i], golden->aggregates[i]);
    }
}

static void each_golden(void (*check)(const char *path, const golden_t *golden)) {
    glob_t found;
    assert_int_equal(glob("tests/data/quality/*.golden", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 10);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        golden_t *golden = read_golden(found.gl_pathv[i]);
        check(found.gl_pathv[i], golden);
        free(golden);
    }
    globfree(&found);
}

static void check_in_batches(const char *path, const golden_t *golden) {
    static const size_t sizes[] = {POINTS_MAX, 100, 7, 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        seen_t *seen = run(golden, sizes[i], NULL);
        compare(path, golden, seen);
        free(seen);
    }
}

static void check_with_lost_state(const char *path, const golden_t *golden) {
    static const size_t sizes[] = {50, 3, 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memory_t *memory = calloc(1, sizeof *memory);
        seen_t *seen = run(golden, sizes[i], memory);
        compare(path, golden, seen);
        free(seen);
        free(memory);
    }
}

static void flags_are_those_of_ioos_qc(void **state) {
    (void)state;
    each_golden(check_in_batches);
}

static void flags_do_not_depend_on_hand_overs(void **state) {
    (void)state;
    each_golden(check_with_lost_state);
}

/* Unacknowledged messages are redelivered, and get the same flags as the first time. */
static void a_redelivered_stretch_gets_the_same_flags(void **state) {
    (void)state;
    golden_t *golden = read_golden("tests/data/quality/made_everything.golden");
    memory_t *memory = calloc(1, sizeof *memory);
    ir_quality_t *quality = ir_quality_new(10, recall, memory, false);
    ir_error_t error;
    ir_batch_t *first = make_batch(golden, 0, 200, 1);
    assert_int_equal(ir_quality_check(quality, first, &error), IR_OUTCOME_OK);
    remember(memory, first);
    ir_batch_t *again = make_batch(golden, 120, 200, 2);
    assert_int_equal(ir_quality_check(quality, again, &error), IR_OUTCOME_OK);
    for (uint32_t i = 0; i < again->n_observations; i++) {
        assert_memory_equal(again->observations[i].flags, first->observations[120 + i].flags,
                            IR_TEST_COUNT);
        assert_false(again->observations[i].late);
    }
    assert_true(again->n_revisions > 0);
    for (uint32_t i = 0; i < again->n_revisions; i++) {
        bool known = false;
        for (uint32_t j = 0; j < first->n_revisions; j++) {
            known = known || ir_id_compare(&again->revisions[i].id, &first->revisions[j].id) == 0;
        }
        assert_true(known);
    }
    ir_batch_free(first);
    ir_batch_free(again);
    ir_quality_free(quality);
    free(memory);
    free(golden);
}

static void only_suspect_and_fail_are_published_as_revisions(void **state) {
    (void)state;
    golden_t *golden = read_golden("tests/data/quality/made_everything.golden");
    ir_quality_t *quality = ir_quality_new(10, NULL, NULL, false);
    ir_error_t error;
    ir_batch_t *batch = make_batch(golden, 0, golden->n_points, 1);
    assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
    assert_true(batch->n_revisions > 0);
    for (uint32_t i = 0; i < batch->n_revisions; i++) {
        assert_true(batch->revisions[i].flag == IR_FLAG_SUSPECT ||
                    batch->revisions[i].flag == IR_FLAG_FAIL);
    }
    ir_batch_free(batch);
    ir_quality_free(quality);
    free(golden);
}

static void a_late_point_is_flagged_alone_and_leaves_the_series_as_it_was(void **state) {
    (void)state;
    golden_t *golden = read_golden("tests/data/quality/made_everything.golden");
    ir_quality_t *quality = ir_quality_new(10, NULL, NULL, true);
    ir_error_t error;
    ir_batch_t *batch = make_batch(golden, 0, 12, 1);
    ir_observation_t *late = &batch->observations[5];
    late->time_ns = batch->observations[2].time_ns;
    late->value.number = 1000;
    ir_observation_t *again = &batch->observations[8];
    *again = batch->observations[7];
    again->message = 8;
    assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
    assert_true(late->late);
    assert_int_equal(late->flags[IR_TEST_GROSS_RANGE], IR_FLAG_FAIL);
    assert_int_equal(late->flags[IR_TEST_CLIMATOLOGY], IR_FLAG_FAIL);
    assert_int_equal(late->flags[IR_TEST_SPIKE], IR_FLAG_NOT_EVALUATED);
    assert_int_equal(late->flags[IR_TEST_RATE_OF_CHANGE], IR_FLAG_NOT_EVALUATED);
    assert_int_equal(late->flags[IR_TEST_FLAT_LINE], IR_FLAG_NOT_EVALUATED);
    assert_int_equal(late->aggregate, IR_FLAG_FAIL);
    assert_int_equal(batch->observations[6].flags[IR_TEST_RATE_OF_CHANGE],
                     golden->flags[6][IR_TEST_RATE_OF_CHANGE]);
    assert_false(again->late);
    assert_memory_equal(again->flags, batch->observations[7].flags, IR_TEST_COUNT);
    ir_batch_free(batch);
    ir_quality_free(quality);
    free(golden);
}

static void a_store_that_is_away_leaves_nothing_behind(void **state) {
    (void)state;
    golden_t *golden = read_golden("tests/data/quality/made_everything.golden");
    memory_t *memory = calloc(1, sizeof *memory);
    memory->failures = 2;
    ir_quality_t *quality = ir_quality_new(10, recall, memory, true);
    ir_error_t error;
    ir_batch_t *batch = make_batch(golden, 0, 100, 1);
    assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_RETRY);
    assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_RETRY);
    assert_int_equal(batch->n_revisions, 0);
    assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
    assert_int_equal(batch->observations[50].flags[IR_TEST_FLAT_LINE],
                     golden->flags[50][IR_TEST_FLAT_LINE]);
    ir_batch_free(batch);
    ir_quality_free(quality);
    free(memory);
    free(golden);
}

static void series_are_bounded(void **state) {
    (void)state;
    ir_quality_t *quality = ir_quality_new(4, NULL, NULL, true);
    ir_error_t error;
    golden_t *golden = read_golden("tests/data/quality/made_everything.golden");
    char names[10][24];
    for (int i = 0; i < 10; i++) {
        ir_sensor_t sensor = golden->sensor;
        snprintf(names[i], sizeof names[i], "series/%d", i);
        sensor.name = names[i];
        ir_batch_t *batch = make_batch(golden, 0, 3, 1);
        for (uint32_t j = 0; j < 3; j++) {
            batch->observations[j].sensor = &sensor;
        }
        assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
        ir_batch_free(batch);
    }
    assert_int_equal(ir_quality_series(quality), 4);
    ir_quality_free(quality);
    free(golden);
}

static void texts_have_no_flags(void **state) {
    (void)state;
    golden_t *golden = read_golden("tests/data/quality/made_everything.golden");
    ir_quality_t *quality = ir_quality_new(4, NULL, NULL, true);
    ir_error_t error;
    ir_batch_t *batch = make_batch(golden, 0, 1, 1);
    batch->observations[0].value = (ir_value_t){.kind = IR_VALUE_BOOL, .boolean = true};
    assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
    assert_int_equal(batch->observations[0].aggregate, IR_FLAG_NOT_EVALUATED);
    ir_batch_free(batch);
    ir_quality_free(quality);
    free(golden);
}

static void remove_one(ir_batch_t *batch, uint32_t place) {
    memmove(&batch->observations[place], &batch->observations[place + 1],
            (batch->n_observations - place - 1) * sizeof *batch->observations);
    batch->n_observations--;
}

enum { MISSING = 10, COUNT = 30 };
static const ir_value_t nothing = {.kind = IR_VALUE_NUMBER, .number = -999999};

/* Points after a missing value get the flags that they would have if it had not been sent. */
static void assert_as_without(const golden_t *golden, const ir_observation_t *behind) {
    ir_quality_t *quality = ir_quality_new(4, NULL, NULL, true);
    ir_batch_t *without = make_batch(golden, 0, COUNT, 1);
    ir_error_t error;
    remove_one(without, MISSING);
    assert_int_equal(ir_quality_check(quality, without, &error), IR_OUTCOME_OK);
    for (uint32_t i = 0; i < COUNT - MISSING - 1; i++) {
        assert_memory_equal(behind[i].flags, without->observations[MISSING + i].flags,
                            IR_TEST_COUNT);
    }
    ir_batch_free(without);
    ir_quality_free(quality);
}

static void what_is_missing_leaves_the_series_as_it_was(void **state) {
    (void)state;
    golden_t *golden = read_golden("tests/data/quality/made_everything.golden");
    ir_quality_t *quality = ir_quality_new(4, NULL, NULL, true);
    ir_batch_t *batch = make_batch(golden, 0, COUNT, 1);
    ir_observation_t *missing = &batch->observations[MISSING];
    ir_error_t error;
    missing->source_value = nothing;
    missing->value = (ir_value_t){.kind = IR_VALUE_NONE};
    assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
    assert_as_without(golden, missing + 1);
    assert_int_equal(missing->aggregate, IR_FLAG_MISSING);
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        assert_int_equal(missing->flags[test], IR_FLAG_MISSING);
    }
    ir_batch_free(batch);
    ir_quality_free(quality);
    free(golden);
}

/* The store returns the value as an ordinary one, because it was not registered as missing when it
 * was stored. */
static void what_was_registered_as_missing_later(void **state) {
    (void)state;
    golden_t *golden = read_golden("tests/data/quality/made_everything.golden");
    memory_t *memory = calloc(1, sizeof *memory);
    ir_quality_t *quality = ir_quality_new(4, recall, memory, true);
    ir_batch_t *past = make_batch(golden, 0, MISSING + 1, 1);
    ir_batch_t *batch = make_batch(golden, MISSING + 1, COUNT, 1);
    ir_error_t error;
    past->observations[MISSING].value = past->observations[MISSING].source_value = nothing;
    remember(memory, past);
    golden->sensor.missing = &nothing;
    golden->sensor.n_missing = 1;
    assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
    assert_as_without(golden, batch->observations);
    ir_batch_free(past);
    ir_batch_free(batch);
    ir_quality_free(quality);
    free(memory);
    free(golden);
}

static void a_spike_threshold_of_nothing_is_none(void **state) {
    (void)state;
    ir_limits_t limits = {.has_spike = true, .has_spike_suspect = true, .has_spike_fail = true};
    assert_int_equal(ir_test_spike(&limits, 1, 100, 1), IR_FLAG_GOOD);
    limits.spike_fail = 50;
    assert_int_equal(ir_test_spike(&limits, 1, 20, 1), IR_FLAG_GOOD);
    assert_int_equal(ir_test_spike(&limits, 1, 100, 1), IR_FLAG_FAIL);
}

/* For times 1, 1.0004, 1.0005 and 1.3 s, and for jumps, the flags are those of ioos_qc 2.2.0. */
static void changes_within_a_second(void **state) {
    (void)state;
    static const struct {
        double before, value;
        int64_t before_ms, ms;
        uint8_t flag;
    } cases[] = {
        {1, 1.0004, 0, 500, IR_FLAG_GOOD},          {1.0004, 1.0005, 500, 1000, IR_FLAG_GOOD},
        {1.0005, 1.3, 1000, 2000, IR_FLAG_SUSPECT}, {1, 1.3, 0, 500, IR_FLAG_SUSPECT},
        {1, 1.3, 900, 2100, IR_FLAG_SUSPECT},       {1, 1.3, -900, -100, IR_FLAG_SUSPECT},
        {1, 1.3, -1100, 900, IR_FLAG_GOOD},
    };
    const ir_limits_t limits = {.has_rate = true, .rate = 0.2};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ir_test_rate_of_change(&limits, cases[i].before,
                                                cases[i].before_ms * SECOND / 1000, cases[i].value,
                                                cases[i].ms * SECOND / 1000),
                         cases[i].flag);
    }
}

static void aggregates(void **state) {
    (void)state;
    static const struct {
        uint8_t flags[IR_TEST_COUNT], aggregate;
    } cases[] = {
        {{1, 2, 2, 2, 2}, 1}, {{2, 2, 2, 2, 2}, 2}, {{9, 9, 9, 9, 9}, 9}, {{9, 2, 9, 9, 9}, 2},
        {{1, 3, 1, 1, 1}, 3}, {{4, 3, 1, 2, 9}, 4}, {{1, 1, 1, 1, 9}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ir_quality_aggregate(cases[i].flags), cases[i].aggregate);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_those_of_ioos_qc),
        cmocka_unit_test(flags_do_not_depend_on_hand_overs),
        cmocka_unit_test(a_redelivered_stretch_gets_the_same_flags),
        cmocka_unit_test(only_suspect_and_fail_are_published_as_revisions),
        cmocka_unit_test(a_late_point_is_flagged_alone_and_leaves_the_series_as_it_was),
        cmocka_unit_test(a_store_that_is_away_leaves_nothing_behind),
        cmocka_unit_test(series_are_bounded),
        cmocka_unit_test(texts_have_no_flags),
        cmocka_unit_test(what_is_missing_leaves_the_series_as_it_was),
        cmocka_unit_test(what_was_registered_as_missing_later),
        cmocka_unit_test(a_spike_threshold_of_nothing_is_none),
        cmocka_unit_test(changes_within_a_second),
        cmocka_unit_test(aggregates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
