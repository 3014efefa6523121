/* Messages whose arrival only the document store knows; with a real SQLite store. */
#include "observation/analysis.h"
#include "worker/arrivals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define NOON (INT64_C(1400000000) * SECOND)
#define CLOCKLESS "[{\"n\":\"BUOY-7/temp\",\"u\":\"Cel\",\"v\":7}]"
#define EARLIER "[{\"n\":\"BUOY-7/temp\",\"u\":\"Cel\",\"v\":7,\"t\":-60}]"
#define ABSOLUTE "[{\"n\":\"BUOY-7/temp\",\"u\":\"Cel\",\"v\":7,\"t\":1399999999}]"

static ir_registry_t *registry;
static ir_analysis_t analysis;

typedef struct fixture {
    char directory[64];
    ir_documents_t *documents;
    ir_batch_t *batch, *scratch;
    ir_error_t error;
} fixture_t;

static int load(void **state) {
    (void)state;
    ir_error_t error;
    analysis = (ir_analysis_t){.limits = ir_senml_limits_default, .base_iri = "http://e.example/"};
    return ir_registry_load("tests/data/annotate/lake.ttl", &registry, NULL, &error) == IR_OK ? 0
                                                                                              : -1;
}

static int unload(void **state) {
    (void)state;
    ir_registry_unref(registry);
    return 0;
}

static int set_up(void **state) {
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    char uri[96];
    strcpy(fixture->directory, "/tmp/test_arrivals.XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(uri, sizeof uri, "sqlite:%s/d.sqlite", fixture->directory);
    const ir_documents_options_t options = {.uri = uri, .timeout_ns = SECOND};
    assert_int_equal(ir_documents_open(&options, &fixture->documents, &fixture->error), IR_OK);
    assert_int_equal(ir_documents_init(fixture->documents, &fixture->error), IR_OK);
    fixture->batch = ir_batch_new(registry);
    fixture->scratch = ir_batch_new(NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_t *fixture = *state;
    char command[128];
    ir_documents_close(fixture->documents);
    ir_batch_free(fixture->batch);
    ir_batch_free(fixture->scratch);
    snprintf(command, sizeof command, "rm -rf '%s'", fixture->directory);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

/* `arrival_ns` 0: the message has no stamp, and the worker's clock shows NOON + 1 h. */
static void add(const fixture_t *fixture, const char *body, const char *name, int64_t arrival_ns) {
    const ir_batch_input_t input = {.routing_key = ir_view_text("ir.BUOY-7"),
                                    .body = ir_view_text(body),
                                    .name = ir_view_text(name),
                                    .arrival_ns = arrival_ns,
                                    .now_ns = NOON + 3600 * SECOND};
    assert_int_equal(ir_batch_add(fixture->batch, &analysis, &input), IR_OK);
}

static ir_outcome_t settle(fixture_t *fixture) {
    return ir_arrivals_settle(fixture->documents, &analysis, fixture->batch, fixture->scratch,
                              &fixture->error);
}

static void store(fixture_t *fixture) {
    assert_int_equal(settle(fixture), IR_OUTCOME_OK);
    assert_int_equal(ir_documents_put(fixture->documents, fixture->batch, &fixture->error),
                     IR_OUTCOME_OK);
}

static void begin(const fixture_t *fixture) {
    ir_batch_reset(fixture->batch, registry);
}

static void expect_stored(fixture_t *fixture, uint64_t raw, uint64_t observations) {
    ir_documents_counts_t counts;
    assert_int_equal(ir_documents_count(fixture->documents, &counts, &fixture->error), IR_OK);
    assert_int_equal(counts.raw, raw);
    assert_int_equal(counts.observations, observations);
}

static int64_t time_of(const fixture_t *fixture, uint32_t observation) {
    return fixture->batch->observations[observation].time_ns;
}

/* A message with a name is sent again later. The first arrival counts, also for the times in the
 * message. */
static void the_stored_arrival_wins(void **state) {
    fixture_t *fixture = *state;
    add(fixture, EARLIER, "k", NOON);
    store(fixture);
    assert_int_equal(time_of(fixture, 0), NOON - 60 * SECOND);
    begin(fixture);
    add(fixture, ABSOLUTE, "", NOON + 90 * SECOND);
    add(fixture, EARLIER, "k", NOON + 100 * SECOND);
    store(fixture);
    assert_int_equal(fixture->batch->messages[1].arrival_ns, NOON);
    assert_true(fixture->batch->messages[1].duplicate);
    assert_int_equal(fixture->batch->messages[0].arrival_ns, NOON + 90 * SECOND);
    assert_false(fixture->batch->messages[0].duplicate);
    assert_int_equal(time_of(fixture, 1), NOON - 60 * SECOND);
    assert_int_equal(fixture->batch->observations[1].state, IR_OBSERVATION_DUPLICATE);
    expect_stored(fixture, 2, 2);
}

static void two_of_one_name_in_a_batch_are_one(void **state) {
    fixture_t *fixture = *state;
    add(fixture, CLOCKLESS, "k", NOON);
    add(fixture, CLOCKLESS, "other", NOON + SECOND);
    add(fixture, CLOCKLESS, "k", NOON + 2 * SECOND);
    store(fixture);
    assert_int_equal(time_of(fixture, 0), NOON);
    assert_int_equal(time_of(fixture, 1), NOON + SECOND);
    assert_int_equal(time_of(fixture, 2), NOON);
    assert_false(fixture->batch->contested);
    expect_stored(fixture, 2, 2);
}

/* A mote without a clock sends the same reading repeatedly. */
static void equal_bodies_without_a_name_are_other_messages(void **state) {
    fixture_t *fixture = *state;
    for (int i = 0; i < 3; i++) {
        begin(fixture);
        add(fixture, CLOCKLESS, "", NOON + i * SECOND);
        assert_false(fixture->batch->messages[0].ask);
        store(fixture);
        assert_false(fixture->batch->messages[0].duplicate);
    }
    begin(fixture);
    add(fixture, CLOCKLESS, "", NOON + SECOND); /* delivered again */
    store(fixture);
    assert_true(fixture->batch->messages[0].duplicate);
    expect_stored(fixture, 3, 3);
}

static void without_a_stamp_the_first_clock_wins(void **state) {
    fixture_t *fixture = *state;
    add(fixture, CLOCKLESS, "", 0);
    store(fixture);
    assert_int_equal(time_of(fixture, 0), NOON + 3600 * SECOND);
    begin(fixture);
    const ir_batch_input_t later = {.routing_key = ir_view_text("ir.BUOY-7"),
                                    .body = ir_view_text(CLOCKLESS),
                                    .now_ns = NOON + 7200 * SECOND};
    assert_int_equal(ir_batch_add(fixture->batch, &analysis, &later), IR_OK);
    store(fixture);
    assert_int_equal(time_of(fixture, 0), NOON + 3600 * SECOND);
    expect_stored(fixture, 1, 1);
}

/* If all times are absolute, the content identifies the message: however it is sent again, it is
 * the same message. */
static void absolute_messages_need_no_answer(void **state) {
    fixture_t *fixture = *state;
    add(fixture, ABSOLUTE, "k", NOON);
    add(fixture, ABSOLUTE, "", NOON + SECOND);
    assert_false(fixture->batch->messages[0].ask);
    ir_documents_close(fixture->documents);
    fixture->documents = NULL; /* no message needs a query */
    assert_int_equal(settle(fixture), IR_OUTCOME_OK);
    assert_int_equal(
        ir_id_compare(&fixture->batch->messages[0].raw_id, &fixture->batch->messages[1].raw_id), 0);
}

/* Whether a time is too far in the future depends on the stored arrival. */
static void the_future_begins_at_the_stored_arrival(void **state) {
    fixture_t *fixture = *state;
    static const char body[] = "[{\"n\":\"BUOY-7/temp\",\"u\":\"Cel\",\"v\":7},"
                               "{\"n\":\"BUOY-7/temp\",\"u\":\"Cel\",\"v\":7,\"t\":1400086500}]";
    add(fixture, body, "k", NOON);
    assert_int_equal(fixture->batch->n_refusals, 1);
    store(fixture);
    begin(fixture);
    add(fixture, body, "k", NOON + 86400 * SECOND);
    assert_int_equal(fixture->batch->n_refusals, 0);
    store(fixture);
    assert_int_equal(fixture->batch->n_refusals, 1);
    expect_stored(fixture, 1, 1);
}

/* Two workers store the first delivery of one message at the same moment. The later one detects
 * this and uses the arrival that the other one stored. */
static void a_contested_message_is_settled_again(void **state) {
    fixture_t *fixture = *state;
    ir_batch_t *mine = fixture->batch;
    add(fixture, CLOCKLESS, "k", NOON + SECOND);
    add(fixture, ABSOLUTE, "", NOON + SECOND);
    assert_int_equal(settle(fixture), IR_OUTCOME_OK);
    fixture->batch = ir_batch_new(registry);
    add(fixture, CLOCKLESS, "k", NOON);
    store(fixture);
    ir_batch_free(fixture->batch);
    fixture->batch = mine;
    assert_int_equal(ir_documents_put(fixture->documents, mine, &fixture->error), IR_OUTCOME_RETRY);
    assert_true(mine->contested);
    expect_stored(fixture, 1, 1);
    store(fixture);
    assert_false(mine->contested);
    assert_int_equal(time_of(fixture, 0), NOON);
    expect_stored(fixture, 2, 2);
}

/* The sender's own time stamp is only used as the base of relative times. */
static void the_time_of_sending_is_a_base_only(void **state) {
    fixture_t *fixture = *state;
    const ir_batch_input_t input = {.routing_key = ir_view_text("ir.BUOY-7"),
                                    .body = ir_view_text(CLOCKLESS),
                                    .name = ir_view_text("k"),
                                    .arrival_ns = NOON + 1,
                                    .sent_ns = NOON - 500 * SECOND};
    assert_int_equal(ir_batch_add(fixture->batch, &analysis, &input), IR_OK);
    assert_int_equal(fixture->batch->messages[0].arrival_ns, NOON);
    store(fixture);
    begin(fixture);
    const ir_batch_input_t far = {.routing_key = ir_view_text("ir.BUOY-7"),
                                  .body = ir_view_text(EARLIER),
                                  .arrival_ns = NOON,
                                  .sent_ns = NOON + 90000 * SECOND};
    assert_int_equal(ir_batch_add(fixture->batch, &analysis, &far), IR_OK);
    assert_int_equal(fixture->batch->refusals[0].reason, IR_REASON_FUTURE);
    begin(fixture);
    add(fixture, ABSOLUTE, "", NOON + SECOND);
    const ir_batch_input_t again = {.routing_key = ir_view_text("ir.BUOY-7"),
                                    .body = ir_view_text(CLOCKLESS),
                                    .name = ir_view_text("k"),
                                    .arrival_ns = NOON + 5 * SECOND,
                                    .sent_ns =
                                        NOON + 4 * SECOND}; /* a new time stamp for each attempt */
    assert_int_equal(ir_batch_add(fixture->batch, &analysis, &again), IR_OK);
    store(fixture);
    assert_int_equal(time_of(fixture, 1), NOON - 500 * SECOND);
    expect_stored(fixture, 2, 2);
}

static void a_store_that_is_away_is_asked_again(void **state) {
    fixture_t *fixture = *state;
    char path[96];
    char other[112];
    snprintf(path, sizeof path, "%s/d.sqlite", fixture->directory);
    snprintf(other, sizeof other, "%s.away", path);
    ir_documents_close(fixture->documents);
    char uri[112];
    snprintf(uri, sizeof uri, "sqlite:%s", path);
    const ir_documents_options_t options = {.uri = uri, .timeout_ns = SECOND};
    assert_int_equal(ir_documents_open(&options, &fixture->documents, &fixture->error), IR_OK);
    assert_int_equal(rename(path, other), 0);
    add(fixture, CLOCKLESS, "k", NOON);
    assert_int_equal(settle(fixture), IR_OUTCOME_RETRY);
    assert_int_equal(rename(other, path), 0);
    store(fixture);
    expect_stored(fixture, 1, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_stored_arrival_wins),
        TEST(two_of_one_name_in_a_batch_are_one),
        TEST(equal_bodies_without_a_name_are_other_messages),
        TEST(without_a_stamp_the_first_clock_wins),
        TEST(absolute_messages_need_no_answer),
        TEST(the_future_begins_at_the_stored_arrival),
        TEST(a_contested_message_is_settled_again),
        TEST(the_time_of_sending_is_a_base_only),
        TEST(a_store_that_is_away_is_asked_again),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
