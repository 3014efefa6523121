/* Measures a broker: bench_broker publish|consume COUNT CLIENTS [SIZE [BATCH]]. The environment
 * variable IR_AMQP holds its address. With `publish`, it publishes COUNT messages of SIZE bytes
 * through the exchange ir.bench to the quorum queue ir.bench; each client waits for its confirms
 * after every BATCH messages. With `consume`, it consumes COUNT messages from the queue, and
 * acknowledges after every BATCH messages. CLIENTS threads have one connection each. Prints one
 * JSON object: messages, seconds, and the program's own processor time. */
#include "broker/publisher.h"
#include "broker/replies.h"
#include "broker/topology.h"
#include "common/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT "ir.bench" /* name of the exchange, the queue and the routing key */
#define CLIENTS_MAX 64
#define BODY_MAX 65536
#define IDLE_MS 100
#define IDLE_TURNS 300 /* gives up when the queue stays empty for this many turns */

typedef struct bench {
    ir_broker_options_t options;
    unsigned long count, clients, size, batch;
    atomic_ulong done;
    atomic_bool failed;
} bench_t;

static char body[BODY_MAX];

static void *fail(bench_t *bench, const char *text) {
    fprintf(stderr, "bench_broker: %s\n", text);
    atomic_store(&bench->failed, true);
    return NULL;
}

static unsigned long argument(int argc, char **argv, int index, unsigned long otherwise) {
    return argc > index ? strtoul(argv[index], NULL, 10) : otherwise;
}

/* A client's share of the messages. The first clients take the remainder of the division. */
static unsigned long share(const bench_t *bench, unsigned long client) {
    return bench->count / bench->clients + (client < bench->count % bench->clients);
}

/* ---- publishing ---- */

static bool publish_share(bench_t *bench, ir_publisher_t *publisher, unsigned long count,
                          ir_error_t *error) {
    const ir_publication_t publication = {
        .exchange = OBJECT,
        .routing_key = ir_view_text(OBJECT),
        .content_type = "application/senml+json",
        .message_id = ir_view_text("0e37df36-f698-8de6-8dd4-cb9ced3df976"),
        .body = ir_view(body, bench->size),
        .mandatory = true,
    };
    for (unsigned long i = 1; i <= count; i++) {
        if (ir_publisher_publish(publisher, &publication, error) != IR_OUTCOME_OK ||
            ((i % bench->batch == 0 || i == count) &&
             ir_publisher_flush(publisher, error) != IR_OUTCOME_OK)) {
            return false;
        }
    }
    atomic_fetch_add(&bench->done, count);
    return true;
}

typedef struct client {
    bench_t *bench;
    unsigned long number;
} client_t;

static void *publish(void *context) {
    const client_t *client = context;
    ir_error_t error = {0};
    ir_publisher_t *publisher = ir_publisher_new(&client->bench->options);
    if (publisher == NULL) {
        return fail(client->bench, "out of memory");
    }
    if (!publish_share(client->bench, publisher, share(client->bench, client->number), &error)) {
        fail(client->bench, error.text);
    }
    ir_publisher_free(publisher);
    return NULL;
}

/* ---- consuming ---- */

static bool subscribe(const bench_t *bench, amqp_connection_state_t connection, ir_error_t *error) {
    const amqp_bytes_t queue = amqp_cstring_bytes(OBJECT);
    amqp_channel_open(connection, 1);
    if (ir_broker_reply(amqp_get_rpc_reply(connection), "channel", error) != IR_OK) {
        return false;
    }
    amqp_basic_qos(connection, 1, 0, (uint16_t)(2 * bench->batch), false);
    amqp_basic_consume(connection, 1, queue, amqp_empty_bytes, false, false, false,
                       amqp_empty_table);
    return ir_broker_reply(amqp_get_rpc_reply(connection), "consume", error) == IR_OK;
}

/* Returns the delivery tag of the next message, or 0 if none arrived within a moment. */
static uint64_t take(amqp_connection_state_t connection, bench_t *bench) {
    struct timeval patience = {.tv_usec = IDLE_MS * 1000};
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(connection);
    const amqp_rpc_reply_t reply = amqp_consume_message(connection, &envelope, &patience, 0);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
        const uint64_t tag = envelope.delivery_tag;
        amqp_destroy_envelope(&envelope);
        return tag;
    }
    ir_error_t error = {0};
    if (reply.library_error != AMQP_STATUS_TIMEOUT &&
        ir_broker_reply(reply, "consume", &error) != IR_OK) {
        fail(bench, error.text);
    }
    return 0;
}

static void consume_all(bench_t *bench, amqp_connection_state_t connection) {
    uint64_t last = 0, acknowledged = 0;
    unsigned idle = 0;
    while (atomic_load(&bench->done) < bench->count && !atomic_load(&bench->failed)) {
        const uint64_t tag = take(connection, bench);
        idle = tag == 0 ? idle + 1 : 0;
        last = tag == 0 ? last : tag;
        if (last - acknowledged >= bench->batch || (tag == 0 && last > acknowledged)) {
            amqp_basic_ack(connection, 1, last, true);
            atomic_fetch_add(&bench->done, last - acknowledged);
            acknowledged = last;
        }
        if (idle > IDLE_TURNS) {
            fail(bench, "the queue is empty");
        }
    }
}

static void *consume(void *context) {
    const client_t *client = context;
    amqp_connection_state_t connection = NULL;
    ir_error_t error = {0};
    if (ir_broker_connect(&client->bench->options, 0, &connection, &error) == IR_OK &&
        subscribe(client->bench, connection, &error)) {
        consume_all(client->bench, connection);
    } else {
        fail(client->bench, error.text);
    }
    ir_broker_disconnect(connection);
    return NULL;
}

/* ---- the whole ---- */

static bool declare(const bench_t *bench, ir_error_t *error) {
    const amqp_bytes_t name = amqp_cstring_bytes(OBJECT);
    amqp_table_entry_t quorum = {
        .key = amqp_cstring_bytes("x-queue-type"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("quorum")}};
    const amqp_table_t arguments = {.num_entries = 1, .entries = &quorum};
    amqp_connection_state_t connection = NULL;
    if (ir_broker_connect(&bench->options, 0, &connection, error) != IR_OK) {
        return false;
    }
    amqp_channel_open(connection, 1);
    amqp_exchange_declare(connection, 1, name, amqp_cstring_bytes("direct"), false, true, false,
                          false, amqp_empty_table);
    amqp_queue_declare(connection, 1, name, false, true, false, false, arguments);
    amqp_queue_bind(connection, 1, name, name, name, amqp_empty_table);
    const bool good = ir_broker_reply(amqp_get_rpc_reply(connection), "declare", error) == IR_OK;
    ir_broker_disconnect(connection);
    return good;
}

static void run(bench_t *bench, void *(*work)(void *context)) {
    pthread_t threads[CLIENTS_MAX];
    client_t clients[CLIENTS_MAX];
    unsigned long started = 0;
    for (; started < bench->clients; started++) {
        clients[started] = (client_t){bench, started};
        if (pthread_create(&threads[started], NULL, work, &clients[started]) != 0) {
            fail(bench, "cannot start a thread");
            break;
        }
    }
    for (unsigned long i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
}

int main(int argc, char **argv) {
    const char *uri = getenv("IR_AMQP");
    const bool publishes = argc > 1 && strcmp(argv[1], "publish") == 0;
    bench_t bench = {.options = {.uri = uri,
                                 .name = "bench",
                                 .timeout_ns = 30 * IR_SECOND_NS,
                                 .heartbeat_s = 60},
                     .count = argument(argc, argv, 2, 0),
                     .clients = argument(argc, argv, 3, 0),
                     .size = argument(argc, argv, 4, 300),
                     .batch = argument(argc, argv, 5, 100)};
    if (uri == NULL || (!publishes && (argc < 2 || strcmp(argv[1], "consume") != 0)) ||
        bench.count == 0 || bench.clients == 0 || bench.clients > CLIENTS_MAX ||
        bench.size > BODY_MAX || bench.batch == 0 || bench.batch > UINT16_MAX / 2) {
        fprintf(stderr, "usage: IR_AMQP=URI bench_broker publish|consume COUNT CLIENTS [SIZE "
                        "[BATCH]]\n");
        return 2;
    }
    ir_error_t error = {0};
    if (!declare(&bench, &error)) {
        fail(&bench, error.text);
        return 1;
    }
    memset(body, 'x', sizeof body);
    const int64_t begun_ns = ir_clock_monotonic();
    const int64_t cpu_ns = ir_clock_process_cpu();
    run(&bench, publishes ? publish : consume);
    printf("{\"messages\": %lu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
           atomic_load(&bench.done), (double)(ir_clock_monotonic() - begun_ns) / 1e9,
           (double)(ir_clock_process_cpu() - cpu_ns) / 1e9);
    return atomic_load(&bench.failed) ? 1 : 0;
}
