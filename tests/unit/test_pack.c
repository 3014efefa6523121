#include "loadgen/pack.h"

#include "common/arena.h"
#include "common/clock.h"
#include "observation/senml.h"
#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define REAL_FILE "loadgen/usgs_river_observations.csv.gz"
#define IDS_MAX 16

static ir_replay_t *load(const char *path) {
    ir_replay_t *replay = NULL;
    ir_error_t error;
    assert_int_equal(ir_replay_load(path, &replay, &error), IR_OK);
    return replay;
}

static ir_replay_t *load_text(const char *text) {
    char path[] = "/tmp/ir-test-pack-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    ir_replay_t *replay = load(path);
    assert_int_equal(unlink(path), 0);
    return replay;
}

static ir_packs_t *make(const ir_replay_t *replay, const ir_packs_options_t *options) {
    ir_packs_t *packs = NULL;
    ir_error_t error;
    assert_int_equal(ir_packs_new(replay, options, &packs, &error), IR_OK);
    return packs;
}

static const char *body_of(const ir_packs_t *packs, uint64_t number) {
    static char text[1000];
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_packs_body(packs, number, &body);
    assert_true(body.size < sizeof text);
    memcpy(text, body.data, body.size);
    text[body.size] = '\0';
    ir_buffer_free(&body);
    return text;
}

#define HEAD "station,parameter,time_utc,value,unit,qualifier\n"
#define TWO                                                                                        \
    HEAD "S,00065,2011-05-01T04:00:00Z,10,ft,\nS,00010,2011-05-01T04:00:00Z,1.5,deg C,\n"          \
         "S,00065,2011-05-01T04:15:00.250Z,10,ft,\n"

static void json_text(void **state) {
    (void)state;
    ir_replay_t *replay = load_text(TWO);
    ir_packs_t *packs = make(replay, &(ir_packs_options_t){.repeat = 2});
    assert_int_equal(ir_packs_messages(packs), 4);
    assert_int_equal(ir_packs_observations(packs), 6);
    assert_int_equal(ir_packs_records_max(packs), 2);
    assert_string_equal(body_of(packs, 2),
                        "[{\"bn\":\"S/\",\"bt\":1304222400,\"n\":\"00065\",\"u\":\"m\",\"v\":3.048}"
                        ",{\"n\":\"00010\",\"u\":\"Cel\",\"v\":1.5}]");
    assert_string_equal(
        body_of(packs, 3),
        "[{\"bn\":\"S/\",\"bt\":1304223300.25,\"n\":\"00065\",\"u\":\"m\",\"v\":3.048}]");
    /* the first repetition lies one day before */
    assert_string_equal(
        body_of(packs, 1),
        "[{\"bn\":\"S/\",\"bt\":1304136900.25,\"n\":\"00065\",\"u\":\"m\",\"v\":3.048}]");
    ir_pack_t pack;
    ir_packs_get(packs, 2, &pack);
    assert_true(ir_view_equal(pack.routing_key, ir_view_text("ir.S")));
    assert_true(ir_view_equal(pack.mote, ir_view_text("S")));
    assert_int_equal(pack.n_records, 2);
    ir_packs_free(packs);
    ir_replay_free(replay);
}

static void single_records_and_limits(void **state) {
    (void)state;
    ir_replay_t *replay = load_text(TWO);
    ir_packs_t *packs =
        make(replay, &(ir_packs_options_t){.repeat = 2, .single_records = true, .messages = 4});
    assert_int_equal(ir_packs_messages(packs), 4);
    assert_int_equal(ir_packs_observations(packs), 4);
    assert_string_equal(
        body_of(packs, 4),
        "[{\"bn\":\"S/\",\"bt\":1304222400,\"n\":\"00010\",\"u\":\"Cel\",\"v\":1.5}]");
    ir_packs_free(packs);
    packs = make(replay, &(ir_packs_options_t){.repeat = 3, .messages = 3});
    assert_int_equal(ir_packs_observations(packs), 5);
    ir_packs_free(packs);
    ir_replay_free(replay);
}

static void too_many_repetitions(void **state) {
    (void)state;
    ir_replay_t *replay = load_text(TWO);
    ir_packs_t *packs = NULL;
    ir_error_t error;
    const int64_t most = ir_replay_repeats(replay);
    assert_int_equal(
        ir_packs_new(replay, &(ir_packs_options_t){.repeat = most + 1}, &packs, &error),
        IR_ERR_USAGE);
    assert_int_equal(ir_packs_new(replay, &(ir_packs_options_t){.repeat = 0}, &packs, &error),
                     IR_ERR_USAGE);
    assert_null(packs);
    packs = make(replay, &(ir_packs_options_t){.repeat = most});
    ir_packs_free(packs);
    ir_replay_free(replay);
}

/* What the worker's decoder finds in the body has the ids that the ledger will say. */
static size_t check_message(const ir_packs_t *packs, uint64_t number, ir_arena_t *arena) {
    ir_buffer_t body;
    ir_senml_pack_t decoded = {0};
    ir_id_t ids[IDS_MAX];
    ir_pack_t pack;
    ir_buffer_init(&body);
    ir_packs_body(packs, number, &body);
    ir_packs_get(packs, number, &pack);
    assert_int_equal(ir_senml_decode(ir_media_parse(ir_view_text(ir_packs_content_type(packs))),
                                     ir_buffer_view(&body), ir_clock_now(),
                                     &ir_senml_limits_default, arena, &decoded),
                     IR_OK);
    assert_int_equal(decoded.n_refusals, 0);
    assert_int_equal(decoded.n_records, pack.n_records);
    assert_true(ir_packs_ids(packs, number, ids));
    for (size_t i = 0; i < decoded.n_records; i++) {
        const ir_senml_record_t *record = &decoded.records[i];
        ir_id_t id;
        assert_true(ir_id_observation(record->name, record->time_ns, &record->value, &id));
        assert_int_equal(ir_id_compare(&id, &ids[i]), 0);
    }
    ir_buffer_free(&body);
    return pack.n_records;
}

static void check_all(const ir_replay_t *replay, const ir_packs_options_t *options, uint64_t step) {
    ir_packs_t *packs = make(replay, options);
    ir_arena_t *arena = ir_arena_new(65536);
    size_t observations = 0;
    for (uint64_t number = 0; number < ir_packs_messages(packs); number += step) {
        observations += check_message(packs, number, arena);
        ir_arena_reset(arena);
    }
    if (step == 1) {
        assert_int_equal(observations, ir_packs_observations(packs));
    }
    ir_arena_free(arena);
    ir_packs_free(packs);
}

static void ids_are_those_of_the_decoder(void **state) {
    (void)state;
    ir_replay_t *replay = load(REAL_FILE);
    ir_packs_t *packs = make(replay, &(ir_packs_options_t){.repeat = 1});
    assert_int_equal(ir_packs_messages(packs), 9383);
    assert_int_equal(ir_packs_observations(packs), 40337);
    ir_packs_free(packs);
    check_all(replay, &(ir_packs_options_t){.repeat = 1}, 1);
    check_all(replay, &(ir_packs_options_t){.repeat = 1, .format = IR_PACK_CBOR}, 1);
    check_all(replay, &(ir_packs_options_t){.repeat = 300, .single_records = true}, 2999);
    check_all(replay, &(ir_packs_options_t){.repeat = 300, .format = IR_PACK_CBOR}, 997);
    ir_replay_free(replay);
    replay = load_text(HEAD "S,a,2011-05-01T04:00:00.000001Z,-1.25e-7,m,\n"
                            "S,b,2025-12-31T23:59:59.999999Z,-0,m,\n"
                            "S,c,2011-05-01T04:00:00.1Z,999999999999999,m,\n"
                            "S,d,2011-05-01T04:00:00.123456Z,100000,ft,\n");
    check_all(replay, &(ir_packs_options_t){.repeat = 2}, 1);
    check_all(replay, &(ir_packs_options_t){.repeat = 2, .format = IR_PACK_CBOR}, 1);
    ir_replay_free(replay);
}

static void every_allocation_failing(void **state) {
    (void)state;
    failing_alloc_required();
    ir_replay_t *replay = load_text(TWO);
    for (unsigned nth = 1;; nth++) {
        ir_packs_t *packs = NULL;
        ir_error_t error;
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        const ir_status_t status =
            ir_packs_new(replay, &(ir_packs_options_t){.repeat = 1}, &packs, &error);
        if (!failing_alloc_disarm()) {
            assert_int_equal(status, IR_OK);
            ir_packs_free(packs);
            break;
        }
        assert_int_equal(status, IR_ERR_MEMORY);
        assert_null(packs);
    }
    ir_packs_free(NULL);
    ir_replay_free(replay);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_text),
        cmocka_unit_test(single_records_and_limits),
        cmocka_unit_test(too_many_repetitions),
        cmocka_unit_test(ids_are_those_of_the_decoder),
        cmocka_unit_test(every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
