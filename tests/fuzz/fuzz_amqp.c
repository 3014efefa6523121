/* The properties and headers of a message in wire format (the content header without its first 12
 * bytes). They are decoded as in the worker: first by the library, then by our code. The body is a
 * pack with times relative to the arrival. */
#include "broker/arrival.h"
#include "broker/assembly.h"
#include "broker/rabbitmq_c.h"
#include "observation/analysis.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define FIXED ((size_t)1024 * 1024) /* a batch has two arenas of 256 KiB */
#define FACTOR 64                   /* a header takes two bytes of input, and 40 in memory */
#define BODY_LIMIT 4096
#define REGISTRY "tests/data/annotate/lake.ttl"
#define TRUSTED "gateway, river"

static const char body[] = "[{\"n\":\"a/x\",\"v\":1},{\"n\":\"a/y\",\"t\":-5,\"v\":2}]";

/* Aborts unless the time is 0 or in one of the accepted years. */
static void check_time(int64_t time_ns) {
    if (time_ns != 0 &&
        (time_ns < INT64_C(946684800000000000) || time_ns >= INT64_C(7258118400000000000))) {
        abort();
    }
}

static ir_assembly_result_t assemble(ir_assembly_t *assembly, amqp_basic_properties_t *properties,
                                     ir_assembled_t *message) {
    amqp_basic_deliver_t deliver = {.delivery_tag = 1, .routing_key = amqp_cstring_bytes("ir.a")};
    amqp_frame_t method = {.frame_type = AMQP_FRAME_METHOD, .channel = 1};
    amqp_frame_t header = {.frame_type = AMQP_FRAME_HEADER, .channel = 1};
    amqp_frame_t content = {.frame_type = AMQP_FRAME_BODY, .channel = 1};
    method.payload.method.id = AMQP_BASIC_DELIVER_METHOD;
    method.payload.method.decoded = &deliver;
    header.payload.properties.class_id = AMQP_BASIC_CLASS;
    header.payload.properties.body_size = sizeof body - 1;
    header.payload.properties.decoded = properties;
    content.payload.body_fragment = amqp_cstring_bytes(body);
    ir_assembly_result_t result = ir_assembly_take(assembly, &method, BODY_LIMIT, message);
    if (result == IR_ASSEMBLY_MORE) {
        result = ir_assembly_take(assembly, &header, BODY_LIMIT, message);
    }
    return result == IR_ASSEMBLY_MORE ? ir_assembly_take(assembly, &content, BODY_LIMIT, message)
                                      : result;
}

static void add(ir_batch_t *batch, const ir_assembled_t *message) {
    const ir_analysis_t analysis = {.limits = ir_senml_limits_default,
                                    .accept_unregistered = true,
                                    .base_iri = "https://example.org/"};
    const ir_arrival_t *arrival = &message->arrival;
    const bool trusted = ir_arrival_trusts(TRUSTED, message->user_id);
    const ir_batch_input_t input = {
        .routing_key = message->routing_key,
        .content_type = message->content_type,
        .body = message->body,
        .name = message->message_id,
        .arrival_ns = trusted && arrival->header_ns > 0 ? arrival->header_ns : arrival->broker_ns,
        .sent_ns = arrival->sent_ns,
        .now_ns = INT64_C(1400000000000000000),
    };
    if (ir_batch_add(batch, &analysis, &input) == IR_OK &&
        batch->messages[0].n_observations + batch->messages[0].n_refusals == 0) {
        abort();
    }
}

static void take(amqp_basic_properties_t *properties, ir_registry_t *registry) {
    ir_assembly_t assembly;
    ir_assembled_t message;
    ir_assembly_init(&assembly);
    if (assemble(&assembly, properties, &message) != IR_ASSEMBLY_COMPLETE) {
        abort();
    }
    check_time(message.arrival.broker_ns);
    check_time(message.arrival.header_ns);
    check_time(message.arrival.sent_ns);
    ir_batch_t *batch = ir_batch_new(registry);
    if (batch != NULL) {
        add(batch, &message);
    }
    ir_batch_free(batch);
    ir_assembly_free(&assembly);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ir_registry_t *registry;
    ir_error_t error;
    if (registry == NULL && ir_registry_load(REGISTRY, &registry, NULL, &error) != IR_OK) {
        abort(); /* missing if not run in the root of the source tree */
    }
    amqp_pool_t pool;
    void *decoded = NULL;
    const amqp_bytes_t encoded = {.len = size, .bytes = (void *)data};
    fuzz_watch(FIXED, FACTOR, size);
    init_amqp_pool(&pool, 4096);
    if (amqp_decode_properties(AMQP_BASIC_CLASS, &pool, encoded, &decoded) >= 0) {
        take(decoded, registry);
    }
    empty_amqp_pool(&pool);
    fuzz_unwatch();
    return 0;
}
