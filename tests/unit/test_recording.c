#include "loadgen/source/recording.h"

#include "common/arena.h"
#include "common/clock.h"
#include "loadgen/source/replay.h"
#include "observation/senml/senml.h"
#include "tests/unit/failing_source.h"
#include "tests/unit/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define IDS_MAX 16

#define HEAD "station,parameter,time_utc,value,unit,qualifier\n"
#define TWO                                                                                        \
    HEAD "S,00065,2011-05-01T04:00:00Z,10,ft,\nS,00010,2011-05-01T04:00:00Z,1.5,deg C,\n"          \
         "S,00065,2011-05-01T04:15:00.250Z,10,ft,\n"

static void json_text(void **state) {
    (void)state;
    sources_write_text(TWO);
    ir_source_t source = sources_open(&(ir_source_options_t){.replay = sources_path, .repeat = 2});
    assert_int_equal(source.messages, 4);
    assert_int_equal(source.observations, 6);
    assert_int_equal(source.records_max, 2);
    assert_int_equal(source.motes, 1);
    assert_string_equal(sources_body(&source, 2),
                        "[{\"bn\":\"S/\",\"bt\":1304222400,\"n\":\"00065\",\"u\":\"m\",\"v\":3.048}"
                        ",{\"n\":\"00010\",\"u\":\"Cel\",\"v\":1.5}]");
    assert_string_equal(
        sources_body(&source, 3),
        "[{\"bn\":\"S/\",\"bt\":1304223300.25,\"n\":\"00065\",\"u\":\"m\",\"v\":3.048}]");
    /* the first repetition is one day earlier */
    assert_string_equal(
        sources_body(&source, 1),
        "[{\"bn\":\"S/\",\"bt\":1304136900.25,\"n\":\"00065\",\"u\":\"m\",\"v\":3.048}]");
    ir_source_message_t message;
    ir_source_get(&source, 2, &message);
    assert_true(ir_view_equal(message.routing_key, ir_view_text("ir.S")));
    assert_true(ir_view_equal(message.mote, ir_view_text("S")));
    assert_true(ir_view_equal(ir_source_mote(&source, 0), ir_view_text("S")));
    assert_int_equal(message.n_records, 2);
    assert_int_equal(message.n_accepted, 2);
    assert_int_equal(message.original, 2);
    ir_source_close(&source);
}

/* Gaps of more than an hour are shortened, including those between repetitions. */
static void own_pace(void **state) {
    (void)state;
    sources_write_text(HEAD "S,a,2011-05-01T04:00:00Z,1,m,\nT,a,2011-05-01T04:00:00Z,1,m,\n"
                            "S,a,2011-05-01T04:15:00Z,1,m,\nT,a,2011-05-01T08:00:00Z,1,m,\n");
    ir_source_t source = sources_open(&(ir_source_options_t){.replay = sources_path, .repeat = 2});
    static const int64_t minutes[] = {0, 0, 15, 75, 135, 135, 150, 210};
    for (uint64_t number = 0; number < source.messages; number++) {
        ir_source_message_t message;
        ir_source_get(&source, number, &message);
        assert_int_equal(message.due_ns, minutes[number] * 60 * IR_SECOND_NS);
    }
    ir_source_close(&source);
}

static void single_records_and_limits(void **state) {
    (void)state;
    sources_write_text(TWO);
    ir_source_t source = sources_open(&(ir_source_options_t){
        .replay = sources_path, .repeat = 2, .single_records = true, .messages = 4});
    assert_int_equal(source.messages, 4);
    assert_int_equal(source.observations, 4);
    assert_string_equal(
        sources_body(&source, 4),
        "[{\"bn\":\"S/\",\"bt\":1304222400,\"n\":\"00010\",\"u\":\"Cel\",\"v\":1.5}]");
    ir_source_close(&source);
    source =
        sources_open(&(ir_source_options_t){.replay = sources_path, .repeat = 3, .messages = 3});
    assert_int_equal(source.observations, 5);
    ir_source_close(&source);
}

static void too_many_repetitions(void **state) {
    (void)state;
    sources_write_text(TWO);
    ir_replay_t *replay = NULL;
    ir_source_t source = {0};
    ir_error_t error;
    assert_int_equal(ir_replay_load(sources_path, &replay, &error), IR_OK);
    const int64_t most = ir_replay_repeats(replay);
    ir_replay_free(replay);
    ir_source_options_t options = {.replay = sources_path, .repeat = most + 1};
    assert_int_equal(ir_recording_open(&options, &source, &error), IR_ERR_USAGE);
    options.repeat = 0;
    assert_int_equal(ir_recording_open(&options, &source, &error), IR_ERR_USAGE);
    assert_null(source.kind);
    options.repeat = most;
    source = sources_open(&options);
    ir_source_close(&source);
}

/* The worker's decoder computes the same ids from the body as the ledger will contain. */
static size_t check_message(const ir_source_t *source, uint64_t number, ir_arena_t *arena) {
    ir_buffer_t body;
    ir_senml_pack_t decoded = {0};
    ir_id_t ids[IDS_MAX];
    ir_source_message_t message;
    ir_buffer_init(&body);
    ir_source_body(source, number, &body);
    ir_source_get(source, number, &message);
    assert_int_equal(ir_senml_decode(ir_media_parse(ir_view_text(source->content_type)),
                                     ir_buffer_view(&body),
                                     (ir_senml_clock_t){.arrival_ns = ir_clock_now()},
                                     &ir_senml_limits_default, arena, &decoded),
                     IR_OK);
    assert_int_equal(decoded.n_refusals, 0);
    assert_int_equal(decoded.n_records, message.n_records);
    assert_false(decoded.relative);
    assert_int_equal(decoded.first_ns, message.time_ns);
    ir_source_ids(source, number, ids);
    for (size_t i = 0; i < decoded.n_records; i++) {
        const ir_senml_record_t *record = &decoded.records[i];
        ir_id_t id;
        ir_id_observation(record->name, record->time_ns, &record->value, &id);
        assert_int_equal(ir_id_compare(&id, &ids[i]), 0);
    }
    ir_buffer_free(&body);
    return message.n_records;
}

static void check_all(const ir_source_options_t *options, uint64_t step) {
    ir_source_t source = sources_open(options);
    ir_arena_t *arena = ir_arena_new(65536);
    size_t observations = 0;
    for (uint64_t number = 0; number < source.messages; number += step) {
        observations += check_message(&source, number, arena);
        ir_arena_reset(arena);
    }
    if (step == 1) {
        assert_int_equal(observations, source.observations);
    }
    ir_arena_free(arena);
    ir_source_close(&source);
}

static void ids_are_those_of_the_decoder(void **state) {
    (void)state;
    ir_source_options_t options = {.replay = SOURCES_REAL_FILE, .repeat = 1};
    ir_source_t source = sources_open(&options);
    assert_int_equal(source.messages, 9383);
    assert_int_equal(source.observations, 40337);
    ir_source_close(&source);
    check_all(&options, 1);
    options.format = IR_PACK_CBOR;
    check_all(&options, 1);
    options.repeat = 300;
    check_all(&options, 997);
    options =
        (ir_source_options_t){.replay = SOURCES_REAL_FILE, .repeat = 300, .single_records = true};
    check_all(&options, 2999);
    sources_write_text(HEAD "S,a,2011-05-01T04:00:00.000001Z,-1.25e-7,m,\n"
                            "S,b,2025-12-31T23:59:59.999999Z,-0,m,\n"
                            "S,c,2011-05-01T04:00:00.1Z,999999999999999,m,\n"
                            "S,d,2011-05-01T04:00:00.123456Z,100000,ft,\n");
    options = (ir_source_options_t){.replay = sources_path, .repeat = 2};
    check_all(&options, 1);
    options.format = IR_PACK_CBOR;
    check_all(&options, 1);
}

static void every_allocation_failing(void **state) {
    (void)state;
    sources_write_text(TWO);
    failing_source_open(ir_recording_open,
                        &(ir_source_options_t){.replay = sources_path, .repeat = 1});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_text),
        cmocka_unit_test(own_pace),
        cmocka_unit_test(single_records_and_limits),
        cmocka_unit_test(too_many_repetitions),
        cmocka_unit_test(ids_are_those_of_the_decoder),
        cmocka_unit_test(every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, sources_make_file, sources_remove_file);
}
