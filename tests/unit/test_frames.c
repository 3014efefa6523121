#include "broker/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHANNEL 1

static char long_text[300];

/* Reads frames back with the library's own decoder. */
typedef struct ir_reader {
    amqp_connection_state_t connection;
    ir_view_t rest;
    amqp_frame_t frame;
} ir_reader_t;

static void next(ir_reader_t *reader) {
    do {
        const int used = amqp_handle_input(
            reader->connection,
            (amqp_bytes_t){.len = reader->rest.size, .bytes = (void *)reader->rest.data},
            &reader->frame);
        assert_true(used > 0);
        reader->rest = ir_view(reader->rest.data + used, reader->rest.size - (size_t)used);
    } while (reader->frame.frame_type == 0);
}

static ir_reader_t open_reader(const ir_buffer_t *bytes, uint32_t frame_max) {
    ir_reader_t reader = {.connection = amqp_new_connection(), .rest = ir_buffer_view(bytes)};
    assert_non_null(reader.connection);
    /* The decoder first expects the protocol header; this takes it out of that state. */
    amqp_frame_t frame;
    amqp_handle_input(reader.connection, (amqp_bytes_t){.len = 8, .bytes = "AMQP\0\0\11\1"},
                      &frame);
    assert_int_equal(amqp_tune_connection(reader.connection, 0, (int)frame_max, 0), 0);
    return reader;
}

static void expect_text(amqp_bytes_t bytes, const char *text) {
    assert_int_equal(bytes.len, strlen(text));
    assert_memory_equal(bytes.bytes, text, bytes.len);
}

static void the_library_reads_it_back(void **state) {
    (void)state;
    const ir_header_t headers[] = {
        {.name = "reason", .kind = IR_HEADER_TEXT, .text = ir_view_text("no-value")},
        {.name = "record", .kind = IR_HEADER_INT32, .integer = -3},
        {.name = "bytes", .kind = IR_HEADER_INTEGER, .integer = INT64_C(1) << 40},
        {.name = "again", .kind = IR_HEADER_FLAG, .integer = 1},
    };
    const ir_publication_t publication = {
        .exchange = "ir.processed",
        .routing_key = ir_view_text("jsonld.08068500"),
        .content_type = "application/ld+json",
        .message_id = ir_view_text("id-1"),
        .user_id = ir_view_text("gateway"),
        .headers = headers,
        .n_headers = 4,
        .body = ir_view_text("0123456789"),
        .mandatory = true,
    };
    ir_buffer_t out;
    ir_error_t error;
    ir_buffer_init(&out);
    ir_frames_append_heartbeat(&out);
    assert_int_equal(ir_frames_append(&out, &publication, CHANNEL, 4096, &error), IR_OK);
    ir_reader_t reader = open_reader(&out, 4096);
    next(&reader);
    assert_int_equal(reader.frame.frame_type, AMQP_FRAME_HEARTBEAT);
    next(&reader);
    assert_int_equal(reader.frame.channel, CHANNEL);
    assert_int_equal(reader.frame.payload.method.id, AMQP_BASIC_PUBLISH_METHOD);
    const amqp_basic_publish_t *method = reader.frame.payload.method.decoded;
    expect_text(method->exchange, "ir.processed");
    expect_text(method->routing_key, "jsonld.08068500");
    assert_true(method->mandatory);
    assert_false(method->immediate);
    next(&reader);
    assert_int_equal(reader.frame.frame_type, AMQP_FRAME_HEADER);
    assert_int_equal(reader.frame.payload.properties.body_size, 10);
    const amqp_basic_properties_t *properties = reader.frame.payload.properties.decoded;
    expect_text(properties->content_type, "application/ld+json");
    expect_text(properties->message_id, "id-1");
    expect_text(properties->user_id, "gateway");
    assert_int_equal(properties->delivery_mode, AMQP_DELIVERY_PERSISTENT);
    assert_int_equal(properties->headers.num_entries, 4);
    expect_text(properties->headers.entries[0].value.value.bytes, "no-value");
    assert_int_equal(properties->headers.entries[1].value.kind, AMQP_FIELD_KIND_I32);
    assert_int_equal(properties->headers.entries[1].value.value.i32, -3);
    assert_int_equal(properties->headers.entries[2].value.kind, AMQP_FIELD_KIND_I64);
    assert_int_equal(properties->headers.entries[2].value.value.i64, INT64_C(1) << 40);
    assert_int_equal(properties->headers.entries[3].value.value.boolean, 1);
    next(&reader);
    expect_text(reader.frame.payload.body_fragment, "0123456789");
    assert_int_equal(reader.rest.size, 0);
    amqp_destroy_connection(reader.connection);
    ir_buffer_free(&out);
}

/* Bodies with sizes near that of a frame. */
static void bodies_are_cut_to_frames(void **state) {
    (void)state;
    enum { FRAME_MAX = 4096, FULL = FRAME_MAX - 8 };
    static char body[2 * FULL + 1];
    static const size_t sizes[] = {0, 1, FULL - 1, FULL, FULL + 1, 2 * FULL, 2 * FULL + 1};
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (char)(i * 31);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const ir_publication_t publication = {
            .exchange = "", .body = ir_view(body, sizes[i]), .transient = true};
        ir_buffer_t out;
        ir_error_t error;
        ir_buffer_init(&out);
        assert_int_equal(ir_frames_append(&out, &publication, CHANNEL, FRAME_MAX, &error), IR_OK);
        ir_reader_t reader = open_reader(&out, FRAME_MAX);
        next(&reader);
        next(&reader);
        assert_int_equal(reader.frame.payload.properties.body_size, sizes[i]);
        size_t got = 0;
        while (reader.rest.size > 0) {
            next(&reader);
            const amqp_bytes_t part = reader.frame.payload.body_fragment;
            assert_true(part.len > 0 && part.len <= FULL);
            assert_memory_equal(part.bytes, body + got, part.len);
            got += part.len;
        }
        assert_int_equal(got, sizes[i]);
        amqp_destroy_connection(reader.connection);
        ir_buffer_free(&out);
    }
}

static void limits_of_amqp_are_refused(void **state) {
    (void)state;
    const ir_view_t too_long = ir_view(long_text, 256);
    ir_header_t headers[IR_HEADERS_MAX + 1] = {{.name = "h", .kind = IR_HEADER_FLAG}};
    const ir_header_t large = {.name = "h", .text = ir_view(long_text, 200)};
    const ir_publication_t wrong[] = {
        {.exchange = "x", .routing_key = too_long},
        {.exchange = long_text},
        {.exchange = "x", .message_id = too_long},
        {.exchange = "x", .user_id = too_long},
        {.exchange = "x", .content_type = long_text},
        {.exchange = "x", .headers = headers, .n_headers = IR_HEADERS_MAX + 1},
    };
    for (size_t i = 0; i <= IR_HEADERS_MAX; i++) {
        headers[i].name = "h";
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ir_error_t error;
        assert_int_equal(ir_frames_check(&wrong[i], 4096, &error), IR_ERR_RANGE);
    }
    ir_error_t error;
    const ir_publication_t crowded = {.exchange = "x", .headers = &large, .n_headers = 1};
    assert_int_equal(ir_frames_check(&crowded, 2100, &error), IR_ERR_RANGE);
    assert_int_equal(ir_frames_check(&crowded, 4096, &error), IR_OK);
}

/* A message fits into the buffer even if its values are as long as the check allows. */
static void the_largest_allowed_fits(void **state) {
    (void)state;
    ir_header_t headers[IR_HEADERS_MAX];
    static char name[256];
    memset(name, 'n', 255);
    for (size_t i = 0; i < IR_HEADERS_MAX; i++) {
        headers[i] = (ir_header_t){.name = name, .text = ir_view(long_text, 299)};
    }
    const ir_publication_t publication = {
        .exchange = name,
        .routing_key = ir_view(long_text, 255),
        .content_type = name,
        .message_id = ir_view(long_text, 255),
        .user_id = ir_view(long_text, 255),
        .headers = headers,
        .n_headers = IR_HEADERS_MAX,
        .body = ir_view(long_text, 299),
    };
    ir_buffer_t out;
    ir_error_t error;
    ir_buffer_init(&out);
    assert_int_equal(ir_frames_check(&publication, 131072, &error), IR_OK);
    assert_int_equal(ir_frames_append(&out, &publication, CHANNEL, 131072, &error), IR_OK);
    ir_buffer_free(&out);
}

int main(void) {
    memset(long_text, 'x', sizeof long_text - 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_reads_it_back),
        cmocka_unit_test(bodies_are_cut_to_frames),
        cmocka_unit_test(limits_of_amqp_are_refused),
        cmocka_unit_test(the_largest_allowed_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
