#include "loadgen/source/simulation.h"

#include "common/arena.h"
#include "common/clock.h"
#include "loadgen/source/river_registry.h"
#include "loadgen/source/source_open.h"
#include "observation/registry/registry.h"
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

#define START_NS (INT64_C(1735689600) * IR_SECOND_NS) /* 2025-01-01 */
#define QUARTER_NS (900 * IR_SECOND_NS)
#define IDS_MAX 40

static const ir_source_options_t plain = {.simulate = 20,
                                          .seed = 42,
                                          .records = 7,
                                          .interval_ns = QUARTER_NS,
                                          .messages = 2000,
                                          .start_ns = START_NS};

static const ir_faults_t all_faults = {
    .duplicates = 0.1, .late = 0.1, .malformed = 0.1, .unknown = 0.1, .skew = 0.2, .bursts = 0.2};

/* ---- the messages ---- */

static void first_messages(void **state) {
    (void)state;
    ir_source_t source = sources_open(&plain);
    ir_source_message_t message;
    assert_int_equal(source.messages, 2000);
    assert_int_equal(source.observations, 14000);
    assert_int_equal(source.motes, 20);
    assert_int_equal(source.records_max, 7);
    ir_source_get(&source, 21, &message);
    assert_true(ir_view_equal(message.routing_key, ir_view_text("ir.sim-0000001")));
    assert_true(ir_view_equal(message.mote, ir_view_text("sim-0000001")));
    assert_true(ir_view_equal(ir_source_mote(&source, 19), ir_view_text("sim-0000019")));
    assert_int_equal(message.mote_number, 1);
    assert_int_equal(message.n_records, 7);
    assert_int_equal(message.n_accepted, 7);
    assert_int_equal(message.original, 21);
    assert_int_equal(message.due_ns, QUARTER_NS * 21 / 20);
    assert_int_equal(message.faults, 0);
    static const char expected[] =
        "[{\"bn\":\"sim-0000001/\",\"bt\":1735690545,\"n\":\"00010\",\"u\":\"Cel\",\"v\":";
    assert_int_equal(strncmp(sources_body(&source, 21), expected, strlen(expected)), 0);
    ir_source_close(&source);
}

/* With fewer or more records than sensors, the same observations are in other messages. */
static void records_fill_messages_in_order(void **state) {
    (void)state;
    static const unsigned records[] = {1, 3, 20};
    ir_source_options_t options = plain;
    options.simulate = 1;
    options.messages = 20;
    ir_source_t source = sources_open(&options);
    ir_id_t expected[140];
    for (uint64_t number = 0; number < 20; number++) {
        ir_source_ids(&source, number, expected + 7 * number);
    }
    ir_source_close(&source);
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        options.records = records[i];
        options.messages = 140 / records[i];
        source = sources_open(&options);
        ir_id_t found[140];
        for (uint64_t number = 0; number < options.messages; number++) {
            ir_source_ids(&source, number, found + records[i] * number);
        }
        assert_memory_equal(found, expected, options.messages * records[i] * sizeof found[0]);
        ir_source_close(&source);
    }
}

static void seeds_and_starts_decide(void **state) {
    (void)state;
    ir_source_options_t options = plain;
    options.faults = all_faults;
    ir_source_t one = sources_open(&options);
    ir_source_t same = sources_open(&options);
    options.seed++;
    ir_source_t other = sources_open(&options);
    unsigned differ = 0;
    for (uint64_t number = 0; number < 500; number++) {
        char text[4000];
        strcpy(text, sources_body(&one, number));
        assert_string_equal(text, sources_body(&same, number));
        differ += strcmp(text, sources_body(&other, number)) != 0;
    }
    assert_true(differ > 450);
    ir_source_close(&one);
    ir_source_close(&same);
    ir_source_close(&other);
}

/* ---- the worker computes the same ids as the source announces ---- */

/* Returns the ids of the records that the decoder accepts and whose sensors are registered. */
static size_t worker_ids(const ir_registry_t *registry, const ir_senml_pack_t *pack,
                         ir_id_t ids[static IDS_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < pack->n_records; i++) {
        const ir_senml_record_t *record = &pack->records[i];
        const ir_sensor_t *sensor = ir_registry_sensor(registry, record->name);
        if (sensor != NULL) {
            const ir_unit_t *unit = ir_unit_find(record->unit);
            assert_true(unit != NULL && ir_unit_converts(unit, sensor->unit));
            assert_true(count < IDS_MAX);
            ir_id_observation(record->name, record->time_ns, &record->value, &ids[count]);
            count++;
        }
    }
    return count;
}

static ir_registry_t *load_registry(unsigned motes) {
    ir_registry_t *registry = NULL;
    ir_error_t error = {.text = ""};
    FILE *file = fopen(sources_path, "w");
    assert_non_null(file);
    ir_river_registry_write(motes, QUARTER_NS, file);
    assert_int_equal(fclose(file), 0);
    if (ir_registry_load(sources_path, &registry, NULL, &error) != IR_OK) {
        fail_msg("%s", error.text);
    }
    return registry;
}

static void check_message(const ir_source_t *source, uint64_t number, const ir_registry_t *registry,
                          ir_arena_t *arena) {
    ir_source_message_t message;
    ir_id_t expected[IDS_MAX];
    ir_id_t found[IDS_MAX];
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_source_get(source, number, &message);
    ir_source_body(source, number, &body);
    ir_source_ids(source, number, expected);
    ir_senml_pack_t pack = {0};
    assert_int_equal(ir_senml_decode(ir_media_parse(ir_view_text(source->content_type)),
                                     ir_buffer_view(&body),
                                     (ir_senml_clock_t){.arrival_ns = ir_clock_now()},
                                     &ir_senml_limits_default, arena, &pack),
                     IR_OK);
    const size_t count = worker_ids(registry, &pack, found);
    assert_int_equal(count, message.n_accepted);
    assert_memory_equal(found, expected, count * sizeof found[0]);
    const bool partly = message.faults & IR_FAULT_UNKNOWN;
    const bool refused = message.faults & IR_FAULT_MALFORMED;
    assert_int_equal(pack.n_valid, refused ? 0 : message.n_records);
    assert_true(refused || (!pack.relative && pack.first_ns == message.time_ns));
    assert_int_equal(message.n_accepted, refused ? 0 : message.n_records - (partly ? 1 : 0));
    assert_int_equal((message.faults & IR_FAULT_DUPLICATE) != 0, message.original != number);
    ir_buffer_free(&body);
}

static void ids_are_those_of_the_decoder(void **state) {
    (void)state;
    static const unsigned records[] = {1, 7, 10};
    ir_registry_t *registry = load_registry(20);
    ir_arena_t *arena = ir_arena_new(65536);
    ir_source_options_t options = plain;
    options.faults = all_faults;
    options.start_ns += 123 * IR_MILLISECOND_NS;
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        for (options.format = IR_PACK_JSON; options.format <= IR_PACK_CBOR; options.format++) {
            options.records = records[i];
            ir_source_t source = sources_open(&options);
            for (uint64_t number = 0; number < source.messages; number++) {
                check_message(&source, number, registry, arena);
                ir_arena_reset(arena);
            }
            ir_source_close(&source);
        }
    }
    ir_arena_free(arena);
    ir_registry_unref(registry);
}

static int compare_ids(const void *a, const void *b) {
    return ir_id_compare(a, b);
}

/* Whatever the faults, ids are distinct: only duplicates share the id of a message or an
 * observation. */
static void ids_are_distinct(void **state) {
    (void)state;
    ir_source_options_t options = plain;
    options.faults = all_faults;
    ir_source_t source = sources_open(&options);
    ir_id_t *ids = calloc(source.observations + source.messages, sizeof *ids);
    size_t count = 0;
    for (uint64_t number = 0; number < source.messages; number++) {
        ir_source_message_t message;
        ir_source_get(&source, number, &message);
        if (message.original == number) {
            ir_source_ids(&source, number, ids + count);
            count += message.n_accepted;
            const ir_raw_key_t key = {.kind = IR_RAW_ABSOLUTE,
                                      .mote = message.mote,
                                      .body = ir_view_text(sources_body(&source, number)),
                                      .time_ns = message.time_ns};
            ir_id_raw(&key, &ids[count++]);
        } else {
            char text[4000];
            strcpy(text, sources_body(&source, number));
            assert_string_equal(text, sources_body(&source, message.original));
        }
    }
    qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t i = 1; i < count; i++) {
        assert_true(ir_id_compare(&ids[i - 1], &ids[i]) != 0);
    }
    free(ids);
    ir_source_close(&source);
}

/* ---- times ---- */

static int64_t time_of(const ir_source_t *source, uint64_t number) {
    ir_buffer_t body;
    ir_senml_pack_t pack = {0};
    ir_arena_t *arena = ir_arena_new(4096);
    ir_buffer_init(&body);
    ir_source_body(source, number, &body);
    assert_int_equal(ir_senml_decode(IR_MEDIA_SENML_JSON, ir_buffer_view(&body),
                                     (ir_senml_clock_t){.arrival_ns = ir_clock_now()},
                                     &ir_senml_limits_default, arena, &pack),
                     IR_OK);
    assert_int_equal(pack.n_refusals, 0);
    const int64_t time_ns = pack.records[pack.n_records - 1].time_ns;
    ir_buffer_free(&body);
    ir_arena_free(arena);
    return time_ns;
}

/* A message is due only after its values were measured. */
static void nothing_is_measured_after_it_is_due(void **state) {
    (void)state;
    static const unsigned records[] = {1, 7, 20};
    ir_source_options_t options = plain;
    options.start_ns = 0;
    options.pace = 1;
    options.faults = (ir_faults_t){.late = 0.3, .bursts = 0.3};
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        options.records = records[i];
        const int64_t before_ns = ir_clock_now();
        ir_source_t source = sources_open(&options);
        int64_t due_ns = 0;
        for (uint64_t number = 0; number < source.messages; number++) {
            ir_source_message_t message;
            ir_source_get(&source, number, &message);
            assert_true(message.due_ns >= due_ns);
            due_ns = message.due_ns;
            if (number < 25) { /* the decoder would refuse later ones, which are in the future */
                assert_true(time_of(&source, number) <= ir_clock_now() + due_ns);
                assert_true(time_of(&source, number) >=
                            before_ns + due_ns - 70 * (int64_t)records[i] * QUARTER_NS / 7);
            }
        }
        ir_source_close(&source);
    }
}

static void data_end_now(void **state) {
    (void)state;
    ir_source_options_t options = plain;
    options.start_ns = 0;
    const int64_t before_ns = ir_clock_now();
    ir_source_t source = sources_open(&options);
    assert_true(time_of(&source, 1999) <= ir_clock_now());
    assert_true(time_of(&source, 1999) >= before_ns - 2 * QUARTER_NS);
    assert_true(time_of(&source, 0) >= before_ns - 102 * QUARTER_NS);
    ir_source_close(&source);
    options.messages = 0;
    source = sources_open(&options);
    assert_true(source.messages > UINT64_C(20) * 20 * 365 * 96 &&
                source.messages < UINT64_C(20) * 21 * 365 * 96);
    assert_true(time_of(&source, source.messages - 1) <= ir_clock_now());
    assert_true(time_of(&source, source.messages - 1) >= before_ns - 2 * QUARTER_NS);
    ir_source_close(&source);
    options.likely = 2000;
    source = sources_open(&options);
    assert_in_range(source.messages, 2300, 2700);
    ir_source_close(&source);
    /* There is room for more than the expected number of messages, even if this number is small. */
    options.likely = 3.5;
    source = sources_open(&options);
    assert_in_range(source.messages, 20, 80);
    assert_true(time_of(&source, source.messages - 1) <= ir_clock_now());
    ir_source_close(&source);
    options.pace = 1;
    source = sources_open(&options);
    assert_true(source.messages == IR_SOURCE_UNLIMITED);
    assert_true(source.observations == IR_SOURCE_UNLIMITED);
    ir_source_close(&source);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    ir_source_t source = {0};
    ir_error_t error;
    ir_source_options_t options = plain;
    options.interval_ns += IR_MILLISECOND_NS;
    assert_int_equal(ir_source_open(&options, &source, &error), IR_ERR_USAGE);
    options = plain;
    options.start_ns = ir_clock_now() - 10 * QUARTER_NS;
    assert_int_equal(ir_source_open(&options, &source, &error), IR_ERR_USAGE);
    assert_non_null(strstr(error.text, "into the future"));
    options = plain;
    options.start_ns = 0;
    options.messages = UINT64_C(1) << 40;
    assert_int_equal(ir_source_open(&options, &source, &error), IR_ERR_USAGE);
    assert_non_null(strstr(error.text, "1978"));
    options.messages = 1;
    options.start_ns = 1;
    assert_int_equal(ir_source_open(&options, &source, &error), IR_ERR_USAGE);
    assert_null(source.kind);
}

/* ---- the registry ---- */

static void registry_knows_every_sensor(void **state) {
    (void)state;
    ir_registry_t *registry = load_registry(33);
    assert_int_equal(ir_registry_motes(registry), 33);
    assert_int_equal(ir_registry_sensors(registry), 33 * 7);
    const ir_sensor_t *sensor = ir_registry_sensor(registry, ir_view_text("sim-0000032/00060"));
    assert_non_null(sensor);
    assert_string_equal(sensor->mote->id, "sim-0000032");
    assert_string_equal(sensor->property->key, "discharge");
    assert_true(sensor->limits->gross_fail.given && sensor->mote->has_place);
    assert_int_equal(sensor->interval_ns, QUARTER_NS);
    assert_null(ir_registry_sensor(registry, ir_view_text("sim-0000032/99999")));
    ir_registry_unref(registry);
}

static void every_allocation_failing(void **state) {
    (void)state;
    failing_source_open(ir_source_open, &plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_messages),
        cmocka_unit_test(records_fill_messages_in_order),
        cmocka_unit_test(seeds_and_starts_decide),
        cmocka_unit_test(ids_are_those_of_the_decoder),
        cmocka_unit_test(ids_are_distinct),
        cmocka_unit_test(nothing_is_measured_after_it_is_due),
        cmocka_unit_test(data_end_now),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(registry_knows_every_sensor),
        cmocka_unit_test(every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, sources_make_file, sources_remove_file);
}
