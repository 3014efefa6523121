#include "broker/topology.h"

#include "broker/connection.h"
#include "broker/replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINDING_WEIGHT "1"
#define MQTT_PATTERN IR_ROUTING_PREFIX "#"
#define ARGUMENTS_MAX 6

/* The permissions that the user `worker` has in ingest/definitions.json. */
#define RIGHTS_HINT                                                                                \
    "give the user the rights of \"worker\" in ingest/definitions.json: "                          \
    "configure ^(ir\\.|amq\\.gen-), write ^(ir\\.|amq\\.gen-|amq\\.topic$), "                      \
    "read ^(ir\\.|amq\\.gen-|amq\\.topic$)"

typedef struct ir_declared_exchange {
    const char *name;
    const char *type;
} ir_declared_exchange_t;

static const ir_declared_exchange_t exchanges[] = {
    {IR_EXCHANGE_OBSERVATIONS, "x-consistent-hash"},
    {IR_EXCHANGE_PROCESSED, "topic"},
    {IR_EXCHANGE_REJECTED, "fanout"},
    {IR_EXCHANGE_WORKERS, "fanout"},
};

static const char *const queue_types[] = {
    [IR_QUEUE_QUORUM] = "quorum",
    [IR_QUEUE_CLASSIC] = "classic",
};

void ir_topology_queue(unsigned partition, char name[static 32]) {
    snprintf(name, 32, "%s.%u", IR_EXCHANGE_OBSERVATIONS, partition);
}

/* ---- arguments ---- */

typedef struct ir_arguments {
    amqp_table_entry_t entries[ARGUMENTS_MAX];
    amqp_table_t table;
} ir_arguments_t;

static amqp_field_value_t *add_argument(ir_arguments_t *arguments, const char *name) {
    amqp_table_entry_t *entry = &arguments->entries[arguments->table.num_entries++];
    arguments->table.entries = arguments->entries;
    entry->key = amqp_cstring_bytes(name);
    return &entry->value;
}

static void add_text(ir_arguments_t *arguments, const char *name, const char *text) {
    amqp_field_value_t *value = add_argument(arguments, name);
    value->kind = AMQP_FIELD_KIND_UTF8;
    value->value.bytes = amqp_cstring_bytes(text);
}

static void partition_arguments(ir_queue_type_t type, ir_arguments_t *arguments) {
    arguments->table.num_entries = 0;
    add_text(arguments, "x-queue-type", queue_types[type]);
    amqp_field_value_t *single = add_argument(arguments, "x-single-active-consumer");
    single->kind = AMQP_FIELD_KIND_BOOLEAN;
    single->value.boolean = 1;
    add_text(arguments, "x-dead-letter-exchange", IR_EXCHANGE_REJECTED);
    add_text(arguments, "x-overflow", "reject-publish");
    if (type == IR_QUEUE_QUORUM) {
        add_text(arguments, "x-dead-letter-strategy", "at-least-once");
    }
}

static void rejected_arguments(ir_queue_type_t type, ir_arguments_t *arguments) {
    arguments->table.num_entries = 0;
    add_text(arguments, "x-queue-type", queue_types[type]);
}

/* ---- the broker's refusals ---- */

static ir_status_t add_hint(ir_status_t status, const ir_error_t *cause, ir_error_t *error) {
    return status == IR_ERR_AUTH ? ir_error_set(error, status, "%s; " RIGHTS_HINT, cause->text)
                                 : ir_error_set(error, status, "%s", cause->text);
}

ir_status_t ir_topology_refusal(const amqp_method_t *method, const char *what, ir_error_t *error) {
    ir_error_t cause = {0};
    const ir_status_t status = ir_broker_refusal(method, what, &cause);
    return status == IR_OK ? IR_OK : add_hint(status, &cause, error);
}

/* ---- declarations that wait for the answer ---- */

static ir_status_t refused(amqp_connection_state_t connection, const char *what, const char *name,
                           ir_error_t *error) {
    char text[160];
    snprintf(text, sizeof text, "cannot declare %s %s", what, name);
    ir_error_t cause = {0};
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    const ir_status_t status = ir_broker_reply(reply, text, &cause);
    if (status == IR_ERR_REFUSED) {
        return ir_error_set(error, status,
                            "%s; it exists with other settings: delete it when it is empty, or set "
                            "queue-type and partitions to their old values",
                            cause.text);
    }
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        strstr(cause.text, "unknown exchange type") != NULL) {
        return ir_error_set(error, IR_ERR_REFUSED,
                            "%s; on the server run: rabbitmq-plugins enable "
                            "rabbitmq_consistent_hash_exchange",
                            cause.text);
    }
    return add_hint(status, &cause, error);
}

static ir_status_t declare_exchange(amqp_connection_state_t connection, amqp_channel_t channel,
                                    const ir_declared_exchange_t *exchange, ir_error_t *error) {
    if (amqp_exchange_declare(connection, channel, amqp_cstring_bytes(exchange->name),
                              amqp_cstring_bytes(exchange->type), 0, 1, 0, 0,
                              amqp_empty_table) == NULL) {
        return refused(connection, "exchange", exchange->name, error);
    }
    amqp_maybe_release_buffers_on_channel(connection, channel);
    return IR_OK;
}

/* Reads the delivery limit of a queue that the broker refuses because it exists with another
 * limit. */
static bool read_own_limit(amqp_connection_state_t connection, int64_t *limit) {
    static const char current[] = "current is the value '";
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    const amqp_channel_close_t *close = reply.reply.decoded;
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION ||
        reply.reply.id != AMQP_CHANNEL_CLOSE_METHOD ||
        close->reply_code != AMQP_PRECONDITION_FAILED) {
        return false;
    }
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)close->reply_text.len,
             (const char *)close->reply_text.bytes);
    const char *value = strstr(text, current);
    if (strstr(text, "'x-delivery-limit'") == NULL || value == NULL) {
        return false;
    }
    *limit = strtoll(value + sizeof current - 1, NULL, 10);
    return true;
}

static bool reopen_channel(amqp_connection_state_t connection, amqp_channel_t channel) {
    amqp_channel_close_ok_t ok = {0};
    return amqp_send_method(connection, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok) ==
               AMQP_STATUS_OK &&
           amqp_channel_open(connection, channel) != NULL;
}

/* Accepts an existing queue that differs only in its delivery limit, which can no longer be
 * changed. worker/policies.h reports a limit that can drop messages. */
static bool take_as_it_is(amqp_connection_state_t connection, amqp_channel_t channel,
                          const char *name, const ir_arguments_t *arguments) {
    ir_arguments_t again = *arguments;
    int64_t limit = 0;
    if (!read_own_limit(connection, &limit) || !reopen_channel(connection, channel)) {
        return false;
    }
    amqp_field_value_t *value = add_argument(&again, "x-delivery-limit");
    value->kind = AMQP_FIELD_KIND_I64;
    value->value.i64 = limit;
    return amqp_queue_declare(connection, channel, amqp_cstring_bytes(name), 0, 1, 0, 0,
                              again.table) != NULL;
}

static ir_status_t declare_queue(amqp_connection_state_t connection, amqp_channel_t channel,
                                 const char *name, const char *exchange, const char *key,
                                 const ir_arguments_t *arguments, ir_error_t *error) {
    if (amqp_queue_declare(connection, channel, amqp_cstring_bytes(name), 0, 1, 0, 0,
                           arguments->table) == NULL &&
        !take_as_it_is(connection, channel, name, arguments)) {
        return refused(connection, "queue", name, error);
    }
    if (amqp_queue_bind(connection, channel, amqp_cstring_bytes(name), amqp_cstring_bytes(exchange),
                        amqp_cstring_bytes(key), amqp_empty_table) == NULL) {
        return refused(connection, "the binding of queue", name, error);
    }
    amqp_maybe_release_buffers_on_channel(connection, channel);
    return IR_OK;
}

static ir_status_t declare_partition(amqp_connection_state_t connection, amqp_channel_t channel,
                                     const ir_topology_t *topology, unsigned partition,
                                     ir_error_t *error) {
    char name[32];
    ir_topology_queue(partition, name);
    ir_arguments_t arguments;
    partition_arguments(topology->queue_type, &arguments);
    return declare_queue(connection, channel, name, IR_EXCHANGE_OBSERVATIONS, BINDING_WEIGHT,
                         &arguments, error);
}

static ir_status_t declare_rejected(amqp_connection_state_t connection, amqp_channel_t channel,
                                    const ir_topology_t *topology, ir_error_t *error) {
    ir_arguments_t arguments;
    rejected_arguments(topology->queue_type, &arguments);
    return declare_queue(connection, channel, IR_QUEUE_REJECTED, IR_EXCHANGE_REJECTED, "",
                         &arguments, error);
}

static ir_status_t bind_mqtt(amqp_connection_state_t connection, amqp_channel_t channel,
                             ir_error_t *error) {
    if (amqp_exchange_bind(connection, channel, amqp_cstring_bytes(IR_EXCHANGE_OBSERVATIONS),
                           amqp_cstring_bytes(IR_EXCHANGE_MQTT), amqp_cstring_bytes(MQTT_PATTERN),
                           amqp_empty_table) == NULL) {
        return refused(connection, "the binding to exchange", IR_EXCHANGE_MQTT, error);
    }
    return IR_OK;
}

/* A queue beyond the last partition would still receive messages, but no worker would consume
 * them. */
ir_status_t ir_topology_check(amqp_connection_state_t connection, amqp_channel_t channel,
                              const ir_topology_t *topology, ir_error_t *error) {
    char name[32];
    ir_topology_queue(topology->partitions, name);
    if (amqp_channel_open(connection, channel) == NULL) {
        return refused(connection, "the check of queue", name, error);
    }
    if (amqp_queue_declare(connection, channel, amqp_cstring_bytes(name), 1, 0, 0, 0,
                           amqp_empty_table) == NULL) {
        ir_error_t cause;
        const ir_status_t status =
            ir_broker_reply(amqp_get_rpc_reply(connection), "cannot look for more queues", &cause);
        amqp_channel_close_ok_t ok = {0};
        return status == IR_ERR_NOT_FOUND &&
                       amqp_send_method(connection, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok) ==
                           AMQP_STATUS_OK
                   ? IR_OK
                   : ir_error_set(error, status, "%s", cause.text);
    }
    (void)amqp_channel_close(connection, channel, AMQP_REPLY_SUCCESS);
    return ir_error_set(
        error, IR_ERR_REFUSED,
        "queue %s exists although partitions is %u, and nobody would consume it: set partitions to "
        "its old value, or delete the queues from this one on when they are empty",
        name, topology->partitions);
}

ir_status_t ir_topology_declare(amqp_connection_state_t connection, amqp_channel_t channel,
                                const ir_topology_t *topology, ir_error_t *error) {
    if (amqp_channel_open(connection, channel) == NULL) {
        return ir_broker_reply(amqp_get_rpc_reply(connection), "cannot open a channel", error);
    }
    ir_status_t status =
        ir_topology_check(connection, (amqp_channel_t)(channel + 1), topology, error);
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0] && status == IR_OK; i++) {
        status = declare_exchange(connection, channel, &exchanges[i], error);
    }
    if (status == IR_OK) {
        status = declare_rejected(connection, channel, topology, error);
    }
    for (unsigned i = 0; i < topology->partitions && status == IR_OK; i++) {
        status = declare_partition(connection, channel, topology, i, error);
    }
    return status == IR_OK ? bind_mqtt(connection, channel, error) : status;
}

ir_status_t ir_topology_declare_member(amqp_connection_state_t connection, amqp_channel_t channel,
                                       char queue[static 256], ir_error_t *error) {
    static const ir_declared_exchange_t workers = {IR_EXCHANGE_WORKERS, "fanout"};
    const ir_status_t status = declare_exchange(connection, channel, &workers, error);
    if (status != IR_OK) {
        return status;
    }
    const amqp_queue_declare_ok_t *declared =
        amqp_queue_declare(connection, channel, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
    if (declared == NULL || declared->queue.len > 255) {
        return refused(connection, "queue", "for hearing other workers", error);
    }
    snprintf(queue, 256, "%.*s", IR_VIEW_ARG(ir_broker_view(declared->queue)));
    if (amqp_queue_bind(connection, channel, amqp_cstring_bytes(queue),
                        amqp_cstring_bytes(IR_EXCHANGE_WORKERS), amqp_empty_bytes,
                        amqp_empty_table) == NULL) {
        return refused(connection, "the binding to exchange", IR_EXCHANGE_WORKERS, error);
    }
    return IR_OK;
}

/* ---- declarations without waiting ---- */

#define N_EXCHANGES (sizeof exchanges / sizeof exchanges[0])
#define REJECTED_OBJECT N_EXCHANGES
#define FIRST_PARTITION_OBJECT (N_EXCHANGES + 1)

unsigned ir_topology_objects(const ir_topology_t *topology) {
    return FIRST_PARTITION_OBJECT + topology->partitions;
}

unsigned ir_topology_object_partition(unsigned object) {
    return object < FIRST_PARTITION_OBJECT ? 0 : object - FIRST_PARTITION_OBJECT;
}

static void queue_name(unsigned object, char name[static 32]) {
    if (object == REJECTED_OBJECT) {
        snprintf(name, 32, "%s", IR_QUEUE_REJECTED);
    } else {
        ir_topology_queue(object - FIRST_PARTITION_OBJECT, name);
    }
}

void ir_topology_object_show(unsigned object, char text[static 64]) {
    if (object < N_EXCHANGES) {
        snprintf(text, 64, "exchange %s", exchanges[object].name);
    } else {
        char name[32];
        queue_name(object, name);
        snprintf(text, 64, "queue %s", name);
    }
}

static int send_exchange(amqp_connection_state_t connection, amqp_channel_t channel,
                         unsigned object, bool passive, bool nowait) {
    amqp_exchange_declare_t declare = {.exchange = amqp_cstring_bytes(exchanges[object].name),
                                       .type = amqp_cstring_bytes(exchanges[object].type),
                                       .passive = passive,
                                       .durable = 1,
                                       .nowait = nowait};
    return amqp_send_method(connection, channel, AMQP_EXCHANGE_DECLARE_METHOD, &declare);
}

static int send_queue(amqp_connection_state_t connection, amqp_channel_t channel,
                      const ir_topology_t *topology, unsigned object, bool passive, bool nowait) {
    char name[32];
    queue_name(object, name);
    ir_arguments_t arguments;
    if (object == REJECTED_OBJECT) {
        rejected_arguments(topology->queue_type, &arguments);
    } else {
        partition_arguments(topology->queue_type, &arguments);
    }
    amqp_queue_declare_t declare = {.queue = amqp_cstring_bytes(name),
                                    .passive = passive,
                                    .durable = 1,
                                    .nowait = nowait,
                                    .arguments = arguments.table};
    return amqp_send_method(connection, channel, AMQP_QUEUE_DECLARE_METHOD, &declare);
}

int ir_topology_send_object(amqp_connection_state_t connection, amqp_channel_t channel,
                            const ir_topology_t *topology, unsigned object, ir_topology_ask_t ask) {
    const bool passive = ask != IR_TOPOLOGY_MAKE;
    const bool nowait = ask == IR_TOPOLOGY_LOOK;
    return object < N_EXCHANGES
               ? send_exchange(connection, channel, object, passive, nowait)
               : send_queue(connection, channel, topology, object, passive, nowait);
}

int ir_topology_send_binding(amqp_connection_state_t connection, amqp_channel_t channel,
                             unsigned object) {
    if (object == 0) {
        amqp_exchange_bind_t bind = {.destination = amqp_cstring_bytes(IR_EXCHANGE_OBSERVATIONS),
                                     .source = amqp_cstring_bytes(IR_EXCHANGE_MQTT),
                                     .routing_key = amqp_cstring_bytes(MQTT_PATTERN),
                                     .nowait = 1};
        return amqp_send_method(connection, channel, AMQP_EXCHANGE_BIND_METHOD, &bind);
    }
    if (object < N_EXCHANGES) {
        return AMQP_STATUS_OK;
    }
    char name[32];
    queue_name(object, name);
    const bool rejected = object == REJECTED_OBJECT;
    amqp_queue_bind_t bind = {
        .queue = amqp_cstring_bytes(name),
        .exchange = amqp_cstring_bytes(rejected ? IR_EXCHANGE_REJECTED : IR_EXCHANGE_OBSERVATIONS),
        .routing_key = rejected ? amqp_empty_bytes : amqp_cstring_bytes(BINDING_WEIGHT),
        .nowait = 1};
    return amqp_send_method(connection, channel, AMQP_QUEUE_BIND_METHOD, &bind);
}

int ir_topology_send_queue(amqp_connection_state_t connection, amqp_channel_t channel,
                           const ir_topology_t *topology, unsigned partition) {
    const unsigned object = FIRST_PARTITION_OBJECT + partition;
    const int sent = send_queue(connection, channel, topology, object, false, true);
    return sent == AMQP_STATUS_OK ? ir_topology_send_binding(connection, channel, object) : sent;
}
