#include "store/command/verify_raw.h"

#include "common/clock.h"
#include "observation/analysis.h"
#include "tests/unit/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ARRIVAL_NS (INT64_C(1764500000) * IR_SECOND_NS + 123 * IR_MILLISECOND_NS)
#define LATER_NS (ARRIVAL_NS + 5 * IR_SECOND_NS)
#define MOTE "creek"
#define BODY                                                                                       \
    "[{\"bn\":\"creek/"                                                                            \
    "\",\"n\":\"a\",\"u\":\"m\",\"v\":1,\"t\":-60},{\"n\":\"b\",\"u\":\"m\",\"v\":2}]"
#define DEFECTIVE                                                                                  \
    "[{\"bn\":\"creek/\",\"n\":\"a\",\"u\":\"m\",\"v\":1},{\"n\":\"b\",\"u\":\"m\",\"vs\":3}]"

static ir_registry_t *registry;
static ir_batch_t *batch;
static ir_ledger_t *ledger;
static ir_ledger_result_t raw_result, result;

static const ir_analysis_t analysis = {.limits = {1024 * 1024, 16, 10000, 86400 * IR_SECOND_NS},
                                       .accept_unregistered = true,
                                       .base_iri = "http://example.org/"};

static int begin(void **state) {
    (void)state;
    batch = ir_batch_new(registry);
    ledger = NULL;
    return batch == NULL;
}

static int end(void **state) {
    (void)state;
    ir_ledger_free(ledger);
    ir_batch_free(batch);
    return 0;
}

/* ---- the worker's results for a message ---- */

static ir_message_t *receive(const char *body, const char *name, int64_t arrival_ns) {
    const ir_batch_input_t input = {.routing_key = ir_view_text("ir." MOTE),
                                    .body = ir_view_text(body),
                                    .name = ir_view_text(name),
                                    .arrival_ns = arrival_ns,
                                    .now_ns = ARRIVAL_NS + IR_SECOND_NS};
    assert_int_equal(ir_batch_add(batch, &analysis, &input), IR_OK);
    return &batch->messages[batch->n_messages - 1];
}

/* ---- entries of the ledger ---- */

static void open_ledger(ir_ledger_writer_t **writer) {
    ir_error_t error;
    assert_int_equal(ir_ledger_create(sources_path, writer, &error), IR_OK);
}

static void note(ir_ledger_writer_t *writer, const char *body, const char *name, uint32_t sent,
                 uint32_t confirmed) {
    ir_error_t error;
    ir_ledger_arrival_t arrival = {.mote = ir_view_text(MOTE),
                                   .records = 2,
                                   .sent = sent,
                                   .confirmed = confirmed,
                                   .name = ir_view_text(name)};
    ir_raw_key_t key = {.kind = IR_RAW_PLAIN,
                        .mote = arrival.mote,
                        .body = ir_view_text(body),
                        .name = arrival.name};
    ir_id_raw(&key, &arrival.content);
    key.kind = IR_RAW_NAMED;
    ir_id_raw(&key, &arrival.raw_id);
    assert_int_equal(ir_ledger_write_arrival(writer, &arrival, &error), IR_OK);
}

static void close_ledger(ir_ledger_writer_t *writer) {
    ir_ledger_extent_t extent;
    ir_error_t error;
    assert_int_equal(ir_ledger_close(writer, &error), IR_OK);
    ledger = ir_ledger_new();
    assert_int_equal(ir_ledger_add(ledger, sources_path, false, &extent, &error), IR_OK);
}

static void note_one(const char *body, const char *name) {
    ir_ledger_writer_t *writer = NULL;
    open_ledger(&writer);
    note(writer, body, name, 1, 1);
    close_ledger(writer);
}

/* ---- contents of the stores ---- */

static void see_message(ir_verify_walk_t *walk, const ir_message_t *message) {
    ir_stored_refusal_t refusals[10] = {{.record = 0}};
    ir_raw_document_t raw = {.id = message->raw_id,
                             .mote = message->mote,
                             .type_text = message->type_text,
                             .body = message->body,
                             .clock = {.arrival_ns = message->arrival_ns},
                             .refusals = refusals,
                             .n_refusals = message->n_refusals};
    for (size_t i = 0; i < raw.n_refusals; i++) {
        refusals[i].record = batch->refusals[message->first_refusal + i].record;
    }
    assert_int_equal(ir_verify_walk_see(walk, &raw), IR_OK);
}

/* Reports all messages of the batch to the ledger, and all observations except `without`. */
static void compare(uint32_t without) {
    ir_verify_walk_t *walk = ir_verify_walk_new(ledger);
    assert_non_null(walk);
    ir_ledger_begin(ledger, IR_LEDGER_RAW);
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        see_message(walk, &batch->messages[i]);
    }
    ir_ledger_end(ledger, &raw_result);
    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    for (uint32_t i = 0; i < batch->n_observations; i++) {
        if (i != without) {
            assert_true(ir_ledger_see(ledger, &batch->observations[i].id, ir_view(NULL, 0)));
        }
    }
    ir_ledger_end(ledger, &result);
    ir_verify_walk_free(walk);
}

static void assert_all_there(uint64_t messages, uint64_t observations) {
    assert_int_equal(raw_result.expected, messages);
    assert_int_equal(raw_result.present, messages);
    assert_int_equal(raw_result.missing + raw_result.doubled + raw_result.foreign, 0);
    assert_int_equal(result.expected, observations);
    assert_int_equal(result.present, observations);
    assert_int_equal(result.missing + result.doubled + result.foreign, 0);
}

static void what_follows_from_the_arrival_is_found(void **state) {
    (void)state;
    receive(BODY, NULL, ARRIVAL_NS);
    note_one(BODY, NULL);
    compare(UINT32_MAX);
    assert_all_there(1, 2);
}

static void what_follows_from_the_name_is_found(void **state) {
    (void)state;
    receive(BODY, "my name", ARRIVAL_NS);
    note_one(BODY, "my name");
    compare(UINT32_MAX);
    assert_all_there(1, 2);
}

/* The broker did not stamp the message, so relative times count from the moment when the worker
 * received it. */
static void what_has_no_stamp_is_found(void **state) {
    (void)state;
    receive(BODY, NULL, 0);
    note_one(BODY, NULL);
    compare(UINT32_MAX);
    assert_all_there(1, 2);
}

static void refused_records_are_not_asked_for(void **state) {
    (void)state;
    static const char two[] =
        "[{\"bn\":\"creek/\",\"n\":\"a\",\"u\":\"m\",\"v\":1},{\"n\":\"b\",\"u\":\"m\"},"
        "{\"n\":\"c\",\"u\":\"m\",\"v\":1},{\"n\":\"c\",\"u\":\"m\",\"v\":1}]";
    const ir_message_t *message = receive(two, NULL, ARRIVAL_NS);
    assert_int_equal(message->n_observations, 2);
    assert_int_equal(message->n_refusals, 2); /* one from the decoder, one from a later check */
    note_one(two, NULL);
    compare(UINT32_MAX);
    assert_all_there(1, 2);
}

/* The worker refused a message that the sender considers good. It counts as missing, although its
 * refusal is stored. */
static void a_refusal_too_many_is_missing(void **state) {
    (void)state;
    assert_int_equal(receive(DEFECTIVE, NULL, ARRIVAL_NS)->n_observations, 1);
    note_one(DEFECTIVE, NULL);
    compare(UINT32_MAX);
    assert_int_equal(raw_result.missing, 0);
    assert_int_equal(result.expected, 2);
    assert_int_equal(result.missing, 1);
}

static void an_observation_that_is_gone_is_missing(void **state) {
    (void)state;
    receive(BODY, NULL, ARRIVAL_NS);
    note_one(BODY, NULL);
    compare(1);
    assert_int_equal(result.missing, 1);
    assert_int_equal(result.present, 1);
}

/* Stores each delivery as if it had its own arrival. */
static void a_second_arrival_of_what_was_sent_once_is_doubled(void **state) {
    (void)state;
    receive(BODY, NULL, ARRIVAL_NS);
    receive(BODY, NULL, LATER_NS);
    note_one(BODY, NULL);
    compare(UINT32_MAX);
    assert_int_equal(raw_result.doubled, 1);
    assert_int_equal(result.doubled, 2);
    assert_int_equal(raw_result.again, 0);
}

static void a_second_arrival_of_what_was_sent_again_is_counted_apart(void **state) {
    (void)state;
    ir_ledger_writer_t *writer = NULL;
    receive(BODY, NULL, ARRIVAL_NS);
    receive(BODY, NULL, LATER_NS);
    open_ledger(&writer);
    note(writer, BODY, NULL, 2, 1);
    close_ledger(writer);
    compare(UINT32_MAX);
    assert_int_equal(raw_result.again, 1);
    assert_int_equal(raw_result.missing + raw_result.doubled + raw_result.foreign, 0);
    assert_int_equal(result.expected, 4);
    assert_int_equal(result.present, 4);
}

/* Observations whose time differs from that of the stored message are foreign. */
static void an_observation_of_another_arrival_is_foreign(void **state) {
    (void)state;
    receive(BODY, "my name", ARRIVAL_NS);
    receive(BODY, "my name", LATER_NS);
    batch->n_messages = 1;
    note_one(BODY, "my name");
    compare(UINT32_MAX);
    assert_int_equal(raw_result.doubled + raw_result.foreign, 0);
    assert_int_equal(result.present, 2);
    assert_int_equal(result.foreign, 2);
}

/* A stored id that does not follow from the stored arrival. */
static void a_message_with_another_id_is_foreign(void **state) {
    (void)state;
    receive(BODY, NULL, ARRIVAL_NS)->arrival_ns = LATER_NS;
    note_one(BODY, NULL);
    compare(UINT32_MAX);
    assert_int_equal(raw_result.foreign, 1);
    assert_int_equal(raw_result.missing, 1);
    assert_int_equal(result.missing, 2);
}

static void what_nobody_sent_is_foreign(void **state) {
    (void)state;
    receive(BODY, NULL, ARRIVAL_NS);
    receive(BODY, "another name", ARRIVAL_NS);
    receive(DEFECTIVE, NULL, ARRIVAL_NS);
    note_one(BODY, NULL);
    compare(UINT32_MAX);
    assert_int_equal(raw_result.foreign, 2);
    assert_int_equal(raw_result.present, 1);
}

static int begin_all(void **state) {
    ir_error_t error;
    return sources_make_file(state) != 0 ||
           ir_registry_load("tests/data/annotate/lake.ttl", &registry, NULL, &error) != IR_OK;
}

static int end_all(void **state) {
    ir_registry_unref(registry);
    return sources_remove_file(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_follows_from_the_arrival_is_found),
        TEST(what_follows_from_the_name_is_found),
        TEST(what_has_no_stamp_is_found),
        TEST(refused_records_are_not_asked_for),
        TEST(a_refusal_too_many_is_missing),
        TEST(an_observation_that_is_gone_is_missing),
        TEST(a_second_arrival_of_what_was_sent_once_is_doubled),
        TEST(a_second_arrival_of_what_was_sent_again_is_counted_apart),
        TEST(an_observation_of_another_arrival_is_foreign),
        TEST(a_message_with_another_id_is_foreign),
        TEST(what_nobody_sent_is_foreign),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
