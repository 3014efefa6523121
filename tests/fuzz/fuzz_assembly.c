/* AMQP frames of one channel, assembled into messages: the input chooses frames and their content.
 */
#include "broker/assembly.h"
#include "broker/rabbitmq_c.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define BODY_LIMIT 512
#define FIXED ((size_t)4 * 1024) /* a body up to its limit */
#define FACTOR 0
#define HEADERS_MAX 4

typedef struct reader {
    const uint8_t *data;
    size_t size;
} reader_t;

static uint8_t take(reader_t *reader) {
    if (reader->size == 0) {
        return 0;
    }
    reader->size--;
    return *reader->data++;
}

static amqp_bytes_t take_bytes(reader_t *reader, size_t most) {
    size_t length = take(reader);
    length = length < most ? length : most;
    length = length < reader->size ? length : reader->size;
    const amqp_bytes_t bytes = {.len = length, .bytes = (void *)reader->data};
    reader->data += length;
    reader->size -= length;
    return bytes;
}

static uint64_t take_number(reader_t *reader) {
    uint64_t number = 0;
    for (int bytes = take(reader) % 9; bytes > 0; bytes--) {
        number = number << 8 | take(reader);
    }
    return number;
}

/* Generates headers of any type. Their value is read as an integer or ignored, so no pointers are
 * needed. */
static void take_arrival(reader_t *reader, amqp_basic_properties_t *properties,
                         amqp_table_entry_t entries[static HEADERS_MAX]) {
    static const char *const names[] = {IR_HEADER_STAMP, IR_HEADER_ARRIVAL, "redelivered", "x"};
    properties->_flags |=
        AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_HEADERS_FLAG;
    properties->user_id = take_bytes(reader, 255);
    properties->timestamp = take_number(reader);
    properties->headers.num_entries = take(reader) % (HEADERS_MAX + 1);
    properties->headers.entries = entries;
    for (int i = 0; i < properties->headers.num_entries; i++) {
        entries[i] = (amqp_table_entry_t){.key = amqp_cstring_bytes(names[take(reader) % 4])};
        entries[i].value.kind = take(reader);
        entries[i].value.value.u64 = take_number(reader);
    }
}

/* Aborts unless the time is 0 or in one of the accepted years. */
static void check_time(int64_t time_ns) {
    if (time_ns != 0 &&
        (time_ns < INT64_C(946684800000000000) || time_ns >= INT64_C(7258118400000000000))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    reader_t reader = {data, size};
    ir_assembly_t assembly;
    fuzz_watch(FIXED, FACTOR, size);
    ir_assembly_init(&assembly);
    while (reader.size > 0) {
        amqp_table_entry_t entries[HEADERS_MAX];
        amqp_basic_deliver_t deliver;
        amqp_basic_properties_t properties;
        amqp_frame_t frame;
        memset(&deliver, 0, sizeof deliver);
        memset(&properties, 0, sizeof properties);
        memset(&frame, 0, sizeof frame);
        frame.channel = 1;
        switch (take(&reader) % 4) {
        case 0:
            frame.frame_type = AMQP_FRAME_METHOD;
            frame.payload.method.id = AMQP_BASIC_DELIVER_METHOD;
            frame.payload.method.decoded = &deliver;
            deliver.delivery_tag = take(&reader);
            deliver.routing_key = take_bytes(&reader, 255);
            break;
        case 1:
            frame.frame_type = AMQP_FRAME_HEADER;
            frame.payload.properties.body_size = (uint64_t)take(&reader) * 8;
            frame.payload.properties.decoded = &properties;
            properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
            properties.content_type = take_bytes(&reader, 255);
            properties.message_id = take_bytes(&reader, 255);
            take_arrival(&reader, &properties, entries);
            break;
        case 2:
            frame.frame_type = AMQP_FRAME_BODY;
            frame.payload.body_fragment = take_bytes(&reader, 255);
            break;
        default:
            frame.frame_type = take(&reader);
            break;
        }
        ir_assembled_t message;
        const ir_assembly_result_t result =
            ir_assembly_take(&assembly, &frame, BODY_LIMIT, &message);
        if (result == IR_ASSEMBLY_COMPLETE) {
            check_time(message.arrival.broker_ns);
            check_time(message.arrival.header_ns);
            check_time(message.arrival.sent_ns);
        }
        if (result == IR_ASSEMBLY_WRONG || result == IR_ASSEMBLY_MEMORY) {
            ir_assembly_reset(&assembly);
        }
    }
    ir_assembly_free(&assembly);
    fuzz_unwatch();
    return 0;
}
