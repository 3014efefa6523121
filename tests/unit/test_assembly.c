#include "broker/assembly.h"

#include "broker/rabbitmq_c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT 100

static ir_assembly_t assembly;
static ir_assembled_t message;

static ir_assembly_result_t deliver(uint64_t tag, const char *key) {
    amqp_basic_deliver_t method = {
        .delivery_tag = tag, .redelivered = 1, .routing_key = amqp_cstring_bytes(key)};
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_METHOD};
    frame.payload.method.id = AMQP_BASIC_DELIVER_METHOD;
    frame.payload.method.decoded = &method;
    return ir_assembly_take(&assembly, &frame, LIMIT, &message);
}

static ir_assembly_result_t header(uint64_t size, const char *type) {
    amqp_basic_properties_t properties = {._flags = 0};
    if (type != NULL) {
        properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG;
        properties.content_type = amqp_cstring_bytes(type);
    }
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_HEADER};
    frame.payload.properties.class_id = AMQP_BASIC_CLASS;
    frame.payload.properties.body_size = size;
    frame.payload.properties.decoded = &properties;
    return ir_assembly_take(&assembly, &frame, LIMIT, &message);
}

static ir_assembly_result_t body(const char *data, size_t size) {
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_BODY};
    frame.payload.body_fragment = (amqp_bytes_t){.len = size, .bytes = (void *)data};
    return ir_assembly_take(&assembly, &frame, LIMIT, &message);
}

static void expect_body(const char *text) {
    assert_true(ir_view_equal(message.body, ir_view_text(text)));
}

static int begin(void **state) {
    (void)state;
    ir_assembly_init(&assembly);
    memset(&message, 0, sizeof message);
    return 0;
}

static int end(void **state) {
    (void)state;
    ir_assembly_free(&assembly);
    return 0;
}

static void one_body_frame(void **state) {
    (void)state;
    static const char text[] = "hello";
    assert_int_equal(deliver(7, "ir.mote"), IR_ASSEMBLY_MORE);
    assert_int_equal(header(5, "application/senml+json"), IR_ASSEMBLY_MORE);
    assert_int_equal(body(text, 5), IR_ASSEMBLY_COMPLETE);
    assert_int_equal(message.tag, 7);
    assert_true(message.redelivered);
    assert_false(message.oversize);
    assert_true(ir_view_equal(message.routing_key, ir_view_text("ir.mote")));
    assert_true(ir_view_equal(message.content_type, ir_view_text("application/senml+json")));
    assert_ptr_equal(message.body.data, text);
    expect_body("hello");
}

static amqp_table_entry_t flag(const char *name, amqp_boolean_t value) {
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = value;
    return entry;
}

static void take_marked_header(amqp_table_entry_t *entries, int n_entries) {
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .message_id = amqp_cstring_bytes("some-id"),
        .headers = {.num_entries = n_entries, .entries = entries}};
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_HEADER};
    frame.payload.properties.class_id = AMQP_BASIC_CLASS;
    frame.payload.properties.decoded = &properties;
    deliver(1, "k");
    assert_int_equal(ir_assembly_take(&assembly, &frame, LIMIT, &message), IR_ASSEMBLY_COMPLETE);
}

static void message_id_and_marks(void **state) {
    (void)state;
    amqp_table_entry_t entries[] = {flag("redelivered", 1), flag("duplicate", 0),
                                    flag("revision", 1), flag("other", 1)};
    take_marked_header(entries, 4);
    assert_true(ir_view_equal(message.message_id, ir_view_text("some-id")));
    assert_int_equal(message.marks, IR_MARK_REDELIVERED | IR_MARK_REVISION);
    entries[0] = flag("duplicate", 1);
    entries[0].value.kind = AMQP_FIELD_KIND_I32;
    take_marked_header(entries, 1);
    assert_int_equal(message.marks, 0);
    deliver(1, "k");
    header(0, NULL);
    assert_int_equal(message.message_id.size, 0);
    assert_int_equal(message.marks, 0);
}

/* The headers belong only to their own message. */
static void arrival_and_user(void **state) {
    (void)state;
    amqp_table_entry_t stamp = {.key = amqp_cstring_bytes(IR_HEADER_STAMP)};
    stamp.value.kind = AMQP_FIELD_KIND_I64;
    stamp.value.value.i64 = 1796000000123;
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_TIMESTAMP_FLAG,
        .user_id = amqp_cstring_bytes("gateway"),
        .timestamp = 1796000000,
        .headers = {.num_entries = 1, .entries = &stamp}};
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_HEADER};
    frame.payload.properties.class_id = AMQP_BASIC_CLASS;
    frame.payload.properties.decoded = &properties;
    deliver(1, "k");
    assert_int_equal(ir_assembly_take(&assembly, &frame, LIMIT, &message), IR_ASSEMBLY_COMPLETE);
    assert_true(ir_view_equal(message.user_id, ir_view_text("gateway")));
    assert_int_equal(message.arrival.broker_ns, INT64_C(1796000000123000000));
    assert_int_equal(message.arrival.sent_ns, INT64_C(1796000000000000000));
    deliver(2, "k");
    header(0, NULL);
    assert_int_equal(message.user_id.size, 0);
    assert_int_equal(message.arrival.broker_ns, 0);
    assert_int_equal(message.arrival.sent_ns, 0);
}

static void several_body_frames(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        deliver(1, "k");
        header(11, NULL);
        assert_int_equal(body("hello ", 6), IR_ASSEMBLY_MORE);
        assert_int_equal(body("worl", 4), IR_ASSEMBLY_MORE);
        assert_int_equal(body("d", 1), IR_ASSEMBLY_COMPLETE);
        expect_body("hello world");
        assert_int_equal(message.content_type.size, 0);
    }
}

static void empty_body(void **state) {
    (void)state;
    deliver(1, "");
    assert_int_equal(header(0, NULL), IR_ASSEMBLY_COMPLETE);
    assert_int_equal(message.body.size, 0);
    assert_int_equal(message.routing_key.size, 0);
}

static void large_body_is_counted_not_kept(void **state) {
    (void)state;
    char data[60];
    memset(data, 'x', sizeof data);
    deliver(3, "k");
    assert_int_equal(header(LIMIT + 1, "t"), IR_ASSEMBLY_MORE);
    assert_int_equal(body(data, 60), IR_ASSEMBLY_MORE);
    assert_int_equal(body(data, 41), IR_ASSEMBLY_COMPLETE);
    assert_true(message.oversize);
    assert_int_equal(message.size, LIMIT + 1);
    assert_int_equal(message.body.size, 0);
    assert_int_equal(assembly.body.capacity, 0);
    deliver(4, "k");
    assert_int_equal(header(UINT64_MAX, "t"), IR_ASSEMBLY_MORE);
    assert_int_equal(body(data, 60), IR_ASSEMBLY_MORE);
}

static void frames_out_of_order(void **state) {
    (void)state;
    assert_int_equal(header(1, NULL), IR_ASSEMBLY_WRONG);
    assert_int_equal(body("x", 1), IR_ASSEMBLY_WRONG);
    deliver(1, "k");
    assert_int_equal(deliver(2, "k"), IR_ASSEMBLY_WRONG);
    assert_int_equal(body("x", 1), IR_ASSEMBLY_WRONG);
    header(2, NULL);
    assert_int_equal(body("xyz", 3), IR_ASSEMBLY_WRONG);
    assert_int_equal(body("", 0), IR_ASSEMBLY_WRONG);
    const amqp_frame_t heartbeat = {.frame_type = AMQP_FRAME_HEARTBEAT};
    assert_int_equal(ir_assembly_take(&assembly, &heartbeat, LIMIT, &message), IR_ASSEMBLY_WRONG);
    ir_assembly_reset(&assembly);
    assert_int_equal(deliver(1, "k"), IR_ASSEMBLY_MORE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_body_frame, begin, end),
        cmocka_unit_test_setup_teardown(message_id_and_marks, begin, end),
        cmocka_unit_test_setup_teardown(arrival_and_user, begin, end),
        cmocka_unit_test_setup_teardown(several_body_frames, begin, end),
        cmocka_unit_test_setup_teardown(empty_body, begin, end),
        cmocka_unit_test_setup_teardown(large_body_is_counted_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(frames_out_of_order, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
