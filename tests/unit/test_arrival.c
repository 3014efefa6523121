#include "broker/arrival.h"

#include "broker/rabbitmq_c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW_S INT64_C(1796000000)
#define SECOND_NS INT64_C(1000000000)

static amqp_table_entry_t entry(const char *name, uint8_t kind, int64_t value) {
    amqp_table_entry_t made = {.key = amqp_cstring_bytes(name)};
    made.value.kind = kind;
    switch (kind) {
    case AMQP_FIELD_KIND_I8:
        made.value.value.i8 = (int8_t)value;
        break;
    case AMQP_FIELD_KIND_I16:
        made.value.value.i16 = (int16_t)value;
        break;
    case AMQP_FIELD_KIND_I32:
        made.value.value.i32 = (int32_t)value;
        break;
    case AMQP_FIELD_KIND_U32:
        made.value.value.u32 = (uint32_t)value;
        break;
    case AMQP_FIELD_KIND_F64:
        made.value.value.f64 = (double)value;
        break;
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        made.value.value.bytes = amqp_cstring_bytes("1796000000000");
        break;
    case AMQP_FIELD_KIND_BOOLEAN:
        made.value.value.boolean = 1;
        break;
    default:
        made.value.value.i64 = value;
        break;
    }
    return made;
}

static ir_arrival_t read_headers(amqp_table_entry_t *entries, int count) {
    const amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_HEADERS_FLAG, .headers = {.num_entries = count, .entries = entries}};
    return ir_arrival_read(&properties);
}

static int64_t read_one(const char *name, uint8_t kind, int64_t value) {
    amqp_table_entry_t entries[] = {entry("other", AMQP_FIELD_KIND_I64, 7),
                                    entry(name, kind, value)};
    const ir_arrival_t arrival = read_headers(entries, 2);
    return strcmp(name, IR_HEADER_STAMP) == 0 ? arrival.broker_ns : arrival.header_ns;
}

static void both_headers(void **state) {
    (void)state;
    amqp_table_entry_t entries[] = {
        entry(IR_HEADER_STAMP, AMQP_FIELD_KIND_I64, NOW_S * 1000 + 1),
        entry(IR_HEADER_ARRIVAL, AMQP_FIELD_KIND_I64, NOW_S * 1000000 + 2)};
    const ir_arrival_t arrival = read_headers(entries, 2);
    assert_int_equal(arrival.broker_ns, NOW_S * SECOND_NS + 1000000);
    assert_int_equal(arrival.header_ns, NOW_S * SECOND_NS + 2000);
    assert_int_equal(arrival.sent_ns, 0);
}

static void only_integers_count(void **state) {
    (void)state;
    static const uint8_t others[] = {AMQP_FIELD_KIND_F64,   AMQP_FIELD_KIND_UTF8,
                                     AMQP_FIELD_KIND_BYTES, AMQP_FIELD_KIND_BOOLEAN,
                                     AMQP_FIELD_KIND_VOID,  AMQP_FIELD_KIND_TIMESTAMP};
    static const uint8_t small[] = {AMQP_FIELD_KIND_I8, AMQP_FIELD_KIND_I16, AMQP_FIELD_KIND_I32,
                                    AMQP_FIELD_KIND_U32};
    static const char *const names[] = {IR_HEADER_STAMP, IR_HEADER_ARRIVAL};
    for (size_t n = 0; n < 2; n++) {
        const int64_t value = NOW_S * (n == 0 ? 1000 : 1000000);
        assert_int_equal(read_one(names[n], AMQP_FIELD_KIND_I64, value), NOW_S * SECOND_NS);
        assert_int_equal(read_one(names[n], AMQP_FIELD_KIND_U64, value), NOW_S * SECOND_NS);
        for (size_t i = 0; i < sizeof others; i++) {
            assert_int_equal(read_one(names[n], others[i], value), 0);
        }
        for (size_t i = 0; i < sizeof small; i++) {
            assert_int_equal(read_one(names[n], small[i], value), 0);
        }
    }
}

static void absurd_times_do_not_count(void **state) {
    (void)state;
    static const int64_t least = INT64_C(946684800000);
    static const int64_t end = INT64_C(7258118400000);
    static const int64_t absurd[] = {0, 1, -1, INT64_MIN, INT64_MAX, least - 1, end, NOW_S};
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        assert_int_equal(read_one(IR_HEADER_STAMP, AMQP_FIELD_KIND_I64, absurd[i]), 0);
        assert_int_equal(read_one(IR_HEADER_STAMP, AMQP_FIELD_KIND_U64, absurd[i]), 0);
    }
    assert_int_equal(read_one(IR_HEADER_STAMP, AMQP_FIELD_KIND_I64, least), least * 1000000);
    assert_int_equal(read_one(IR_HEADER_STAMP, AMQP_FIELD_KIND_I64, end - 1), (end - 1) * 1000000);
    assert_int_equal(read_one(IR_HEADER_ARRIVAL, AMQP_FIELD_KIND_I64, end * 1000 - 1),
                     (end * 1000 - 1) * 1000);
}

/* The sender's own header has no effect if the broker's stamp is there, too. */
static void twice_does_not_count(void **state) {
    (void)state;
    amqp_table_entry_t entries[] = {entry(IR_HEADER_STAMP, AMQP_FIELD_KIND_I64, NOW_S * 1000),
                                    entry(IR_HEADER_ARRIVAL, AMQP_FIELD_KIND_I64, NOW_S * 1000000),
                                    entry(IR_HEADER_STAMP, AMQP_FIELD_KIND_UTF8, 0),
                                    entry(IR_HEADER_ARRIVAL, AMQP_FIELD_KIND_I64, NOW_S * 1000000)};
    const ir_arrival_t arrival = read_headers(entries, 4);
    assert_int_equal(arrival.broker_ns, 0);
    assert_int_equal(arrival.header_ns, 0);
}

static int64_t sent(uint64_t seconds) {
    const amqp_basic_properties_t properties = {._flags = AMQP_BASIC_TIMESTAMP_FLAG,
                                                .timestamp = seconds};
    return ir_arrival_read(&properties).sent_ns;
}

static void the_senders_timestamp(void **state) {
    (void)state;
    assert_int_equal(sent((uint64_t)NOW_S), NOW_S * SECOND_NS);
    assert_int_equal(sent((uint64_t)NOW_S * 1000), 0); /* milliseconds instead of seconds, by
                                                        * mistake */
    assert_int_equal(sent(0), 0);
    assert_int_equal(sent(UINT64_MAX), 0);
    const amqp_basic_properties_t none = {.timestamp = (uint64_t)NOW_S};
    assert_int_equal(ir_arrival_read(&none).sent_ns, 0);
}

static void trusted_users(void **state) {
    (void)state;
    assert_true(ir_arrival_trusts("gateway,operator", ir_view_text("gateway")));
    assert_true(ir_arrival_trusts("gateway, operator", ir_view_text("operator")));
    assert_false(ir_arrival_trusts("gateway,operator", ir_view_text("gate")));
    assert_false(ir_arrival_trusts("gateway,operator", ir_view_text("gateway,operator")));
    assert_false(ir_arrival_trusts("gateway,operator", ir_view_text("mote")));
    assert_false(ir_arrival_trusts("gateway,,operator,", ir_view_text("")));
    assert_false(ir_arrival_trusts("", ir_view_text("gateway")));
}

static void versions(void **state) {
    (void)state;
    static const char *const keep[] = {"3.10.8", "3.8.9", "3.11.0", "2.9", "3.11.0-rc.1"};
    static const char *const replace[] = {"3.12.0", "3.13.7", "4.0.5", "4.2.0+1",
                                          "",       "x",      "3",     "99999999999.1"};
    for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++) {
        assert_true(ir_arrival_keeps_timestamp(ir_view_text(keep[i])));
    }
    for (size_t i = 0; i < sizeof replace / sizeof replace[0]; i++) {
        assert_false(ir_arrival_keeps_timestamp(ir_view_text(replace[i])));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_headers),
        cmocka_unit_test(only_integers_count),
        cmocka_unit_test(absurd_times_do_not_count),
        cmocka_unit_test(twice_does_not_count),
        cmocka_unit_test(the_senders_timestamp),
        cmocka_unit_test(trusted_users),
        cmocka_unit_test(versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
