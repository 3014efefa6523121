#include "tests/unit/memory_transport.h"

#include <string.h>

#include <event2/event.h>

#define TICK_US 1000

void ir_memory_send(ir_memory_t *memory, unsigned partition, const char *key, const char *body,
                    int64_t arrival_ns) {
    ir_memory_queue_t *queue = &memory->queues[partition];
    if (queue->count < IR_MEMORY_MESSAGES) {
        queue->messages[queue->count++] =
            (ir_memory_message_t){.key = key, .body = body, .arrival_ns = arrival_ns};
    }
}

void ir_memory_renew(ir_memory_t *memory, unsigned partition) {
    ir_memory_queue_t *queue = &memory->queues[partition];
    for (size_t i = 0; i < queue->count; i++) {
        queue->messages[i].redelivered |= queue->messages[i].passed;
        queue->messages[i].passed = false;
    }
    queue->next = 0;
    queue->session++;
}

size_t ir_memory_left(const ir_memory_t *memory) {
    size_t left = 0;
    for (unsigned i = 0; i < IR_MEMORY_PARTITIONS; i++) {
        for (size_t j = 0; j < memory->queues[i].count; j++) {
            left += !memory->queues[i].messages[j].done;
        }
    }
    return left;
}

/* ---- delivering ---- */

static void deliver(ir_memory_t *memory, unsigned partition, size_t place) {
    const ir_memory_queue_t *queue = &memory->queues[partition];
    ir_memory_message_t *message = &memory->queues[partition].messages[place];
    ir_delivery_t delivery = {
        .partition = partition,
        .session = queue->session,
        .tag = place + 1,
        .redelivered = message->redelivered,
        .routing_key = ir_view_text(message->key),
        .content_type = ir_view_text("application/senml+json"),
        .body = ir_view_text(message->body),
        .arrival_ns = message->arrival_ns,
    };
    if (delivery.body.size > memory->message_bytes) {
        const uint64_t size = delivery.body.size;
        delivery.body = ir_view(NULL, 0);
        message->done = true;
        memory->oversize++;
        memory->events.on_oversize(memory->context, &delivery, size);
        return;
    }
    message->passed = true;
    memory->deliveries++;
    memory->redeliveries += message->redelivered;
    memory->events.on_delivery(memory->context, &delivery);
}

static void deliver_turn(ir_memory_t *memory) {
    unsigned passed = 0;
    for (unsigned i = 0; i < IR_MEMORY_PARTITIONS; i++) {
        ir_memory_queue_t *queue = &memory->queues[i];
        while (queue->next < queue->count && passed < memory->turn && !memory->paused &&
               !memory->stopping) {
            const size_t place = queue->next++;
            if (!queue->messages[place].done) {
                deliver(memory, i, place);
                passed++;
            }
        }
    }
    memory->events.on_turn(memory->context);
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_memory_t *memory = context;
    if (!memory->connected) {
        memory->connected = true;
        memory->events.on_state(memory->context, NULL);
        memory->events.on_ready(memory->context);
    }
    deliver_turn(memory);
    memory->after_turn(memory->after_turn_context);
}

/* ---- the interface ---- */

/* Redelivers what an earlier worker did not acknowledge. */
static ir_status_t open_stream(struct event_base *base, const void *options,
                               const ir_transport_events_t *events, void *context, void **stream,
                               ir_error_t *error) {
    const struct timeval every = {.tv_usec = TICK_US};
    ir_memory_t *memory = *(ir_memory_t *const *)options;
    memory->events = *events;
    memory->context = context;
    memory->connected = memory->paused = memory->stopping = false;
    for (unsigned i = 0; i < IR_MEMORY_PARTITIONS; i++) {
        ir_memory_renew(memory, i);
    }
    memory->tick = event_new(base, -1, EV_PERSIST, on_tick, memory);
    if (memory->tick == NULL || event_add(memory->tick, &every) != 0) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a timer");
    }
    *stream = memory;
    return IR_OK;
}

static void close_stream(void *stream) {
    ir_memory_t *memory = stream;
    if (memory != NULL) {
        event_free(memory->tick);
        memory->tick = NULL;
    }
}

static void pause_stream(void *stream) {
    ir_memory_t *memory = stream;
    memory->paused = true;
    memory->pauses++;
}

static void resume_stream(void *stream) {
    ir_memory_t *memory = stream;
    memory->paused = false;
    memory->resumes++;
}

static void acknowledge(void *stream, uint32_t partition, uint32_t session, uint64_t tag,
                        uint32_t count) {
    ir_memory_t *memory = stream;
    ir_memory_queue_t *queue = &memory->queues[partition];
    if (session != queue->session) {
        memory->stale++;
        return;
    }
    uint32_t found = 0;
    for (size_t i = count == 0 ? tag - 1 : 0; i < tag; i++) {
        ir_memory_message_t *message = &queue->messages[i];
        found += message->passed && !message->done;
        message->done = message->done || message->passed;
    }
    memory->wrong = memory->wrong || found != (count == 0 ? 1 : count);
}

static bool is_ready(const void *stream, ir_buffer_t *reasons) {
    (void)reasons;
    return ((const ir_memory_t *)stream)->connected;
}

static void tell_figures(const void *stream, ir_transport_figures_t *figures) {
    *figures = (ir_transport_figures_t){.connected = ((const ir_memory_t *)stream)->connected,
                                        .partitions = IR_MEMORY_PARTITIONS,
                                        .share = IR_MEMORY_PARTITIONS,
                                        .workers = 1};
}

static void stop_stream(void *stream) {
    ((ir_memory_t *)stream)->stopping = true;
}

const ir_transport_t ir_transport_memory = {
    .open = open_stream,
    .close = close_stream,
    .pause = pause_stream,
    .resume = resume_stream,
    .acknowledge = acknowledge,
    .ready = is_ready,
    .figures = tell_figures,
    .stop = stop_stream,
};
