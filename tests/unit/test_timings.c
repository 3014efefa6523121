/* Packs without times or with relative times, from both sources (replay and simulation) and in both
 * formats. */
#include "loadgen/source/simulation.h"

#include "common/arena.h"
#include "common/clock.h"
#include "loadgen/source/source_open.h"
#include "observation/senml/senml.h"
#include "tests/unit/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGES 600
#define ARRIVAL_NS (INT64_C(1764500000) * IR_SECOND_NS)

static const ir_source_options_t simulation = {
    .simulate = 7,
    .seed = 3,
    .records = 5,
    .interval_ns = 900 * IR_SECOND_NS,
    .messages = MESSAGES,
    .start_ns = ARRIVAL_NS - 86400 * 90 * IR_SECOND_NS,
    .faults = {.late = 0.1, .malformed = 0.05, .unknown = 0.1, .skew = 0.2, .bursts = 0.2},
    .timings = {.relative = 0.4, .clockless = 0.4, .named = 0.5}};

static const ir_source_options_t replay = {
    .replay = SOURCES_REAL_FILE,
    .repeat = 1,
    .messages = MESSAGES,
    .timings = {.relative = 0.4, .clockless = 0.4, .named = 0.5}};

typedef struct ir_seen {
    unsigned timings[3];
    unsigned named;
    ir_id_t contents[MESSAGES]; /* ids that stand for the bodies */
    char names[MESSAGES][IR_SENDER_NAME_SIZE];
} ir_seen_t;

static void decode(const ir_source_t *source, uint64_t number, ir_arena_t *arena,
                   ir_senml_pack_t *pack, ir_id_t *content) {
    ir_source_message_t message;
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_arena_reset(arena);
    ir_source_get(source, number, &message);
    ir_source_body(source, number, &body);
    assert_true(ir_buffer_ok(&body));
    assert_int_equal(ir_senml_decode(ir_media_parse(ir_view_text(source->content_type)),
                                     ir_buffer_view(&body),
                                     (ir_senml_clock_t){.arrival_ns = ARRIVAL_NS},
                                     &ir_senml_limits_default, arena, pack),
                     IR_OK);
    ir_id_raw(
        &(ir_raw_key_t){.kind = IR_RAW_PLAIN, .mote = message.mote, .body = ir_buffer_view(&body)},
        content);
    ir_buffer_free(&body);
}

static void check_times(const ir_source_message_t *message, const ir_senml_pack_t *pack) {
    assert_int_equal(pack->relative, message->timed.timing != IR_TIMING_ABSOLUTE);
    for (size_t i = 0; i < pack->n_records; i++) {
        const ir_senml_record_t *record = &pack->records[i];
        switch (message->timed.timing) {
        case IR_TIMING_ABSOLUTE:
            assert_false(record->relative);
            break;
        case IR_TIMING_RELATIVE:
            assert_true(record->relative && record->time_ns <= ARRIVAL_NS);
            break;
        case IR_TIMING_CLOCKLESS:
            assert_int_equal(record->time_ns, ARRIVAL_NS);
            break;
        }
    }
}

static int compare_names(const void *a, const void *b) {
    return strcmp(a, b);
}

static int compare_ids(const void *a, const void *b) {
    return ir_id_compare(a, b);
}

static unsigned distinct(void *array, size_t count, size_t size,
                         int (*compare)(const void *, const void *)) {
    unsigned found = count > 0;
    qsort(array, count, size, compare);
    for (size_t i = 1; i < count; i++) {
        found += compare((char *)array + (i - 1) * size, (char *)array + i * size) != 0;
    }
    return found;
}

static void read_messages(const ir_source_options_t *options, ir_seen_t *seen) {
    ir_source_t source = sources_open(options);
    ir_arena_t *arena = ir_arena_new(4096);
    *seen = (ir_seen_t){.named = 0};
    for (uint64_t number = 0; number < MESSAGES; number++) {
        ir_source_message_t message;
        ir_senml_pack_t pack = {0};
        ir_source_get(&source, number, &message);
        decode(&source, number, arena, &pack, &seen->contents[number]);
        seen->timings[message.timed.timing]++;
        if (message.n_accepted > 0) {
            assert_int_equal(pack.n_records, message.n_records);
            check_times(&message, &pack);
        }
        assert_int_equal(message.name[0] != '\0', message.timed.named);
        if (message.timed.named) {
            strcpy(seen->names[seen->named++], message.name);
        }
    }
    ir_arena_free(arena);
    ir_source_close(&source);
}

static void packs_say_what_they_are_to_say(void **state) {
    (void)state;
    static const ir_source_options_t *const sources[] = {&simulation, &replay};
    static ir_seen_t seen;
    for (unsigned i = 0; i < 4; i++) {
        ir_source_options_t options = *sources[i % 2];
        options.format = i < 2 ? IR_PACK_JSON : IR_PACK_CBOR;
        read_messages(&options, &seen);
        assert_in_range(seen.timings[IR_TIMING_ABSOLUTE], MESSAGES / 7, MESSAGES / 4);
        assert_in_range(seen.timings[IR_TIMING_RELATIVE], MESSAGES / 3, MESSAGES / 2);
        assert_in_range(seen.named, MESSAGES / 3, MESSAGES / 2);
        assert_int_equal(distinct(seen.names, seen.named, sizeof seen.names[0], compare_names),
                         seen.named);
        assert_int_equal(distinct(seen.contents, MESSAGES, sizeof(ir_id_t), compare_ids), MESSAGES);
    }
}

/* The same run made twice uses different names for its messages. */
static void names_are_fresh(void **state) {
    (void)state;
    ir_source_options_t options = simulation;
    options.timings = (ir_timings_t){.clockless = 1, .named = 1};
    ir_source_t first = sources_open(&options);
    ir_source_t second = sources_open(&options);
    ir_source_message_t one;
    ir_source_message_t other;
    ir_source_get(&first, 5, &one);
    ir_source_get(&second, 5, &other);
    assert_true(one.name[0] != '\0');
    assert_string_not_equal(one.name, other.name);
    ir_source_get(&first, 5, &other);
    assert_string_equal(one.name, other.name);
    ir_source_close(&first);
    ir_source_close(&second);
}

static void repeated_readings_have_one_body_a_mote(void **state) {
    (void)state;
    static ir_seen_t seen;
    ir_source_options_t options = simulation;
    options.faults = (ir_faults_t){0};
    options.timings = (ir_timings_t){.clockless = 1, .repeated = 1};
    read_messages(&options, &seen);
    assert_int_equal(distinct(seen.contents, MESSAGES, sizeof(ir_id_t), compare_ids),
                     options.simulate);
}

static void several_times_need_a_clock(void **state) {
    (void)state;
    ir_error_t error;
    ir_source_t source = {0};
    ir_source_options_t options = simulation;
    options.records = 8;
    assert_int_equal(ir_source_open(&options, &source, &error), IR_ERR_USAGE);
    options.timings.clockless = 0;
    source = sources_open(&options);
    ir_source_close(&source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_say_what_they_are_to_say),
        cmocka_unit_test(names_are_fresh),
        cmocka_unit_test(repeated_readings_have_one_body_a_mote),
        cmocka_unit_test(several_times_need_a_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
