#include "broker/presence.h"

#include "broker/assembly.h"
#include "broker/link.h"
#include "broker/membership.h"
#include "broker/replies.h"
#include "broker/topology.h"
#include "broker/watch.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#define CHANNEL 1
#define WATCH_CHANNEL 2
#define ANNOUNCEMENT_MAX 300
#define EXPIRY_INTERVALS 4
#define TICKS_PER_INTERVAL 10
/* The other workers answer a new one within two ticks, so after three ticks it knows all of them.
 * If some answer later, the new worker subscribes, as a waiting consumer, to partitions that others
 * hold, and gives these back afterwards. */
#define FIRST_TICKS 3
#define CHANGE_TICKS 2
#define PROCESS_SIZE 16
#define JOIN "join "
#define LEAVE "leave "
#define ASIDE "aside "
#define TOOK "took "

struct ir_presence {
    ir_link_t *link;
    ir_membership_t *membership;
    ir_assembly_t assembly;
    ir_watch_t watch;
    char queue[IR_SHORT_TEXT]; /* the queue of this connection */
    const char *name;
    int64_t announce_ns;
    ir_presence_events_t events;
    void *context;
    struct event *tick;

    int64_t announced_ns; /* when the last announcement was sent; 0: none on this connection */
    bool wanted;          /* an announcement is due soon */
    char process[PROCESS_SIZE + 1];
    ir_partition_set_t held;
    char fault[sizeof(((ir_error_t *)0)->text)]; /* why the others cannot be heard; cleared when
                                                  * this worker receives its own announcement */
    int64_t expire_after_ns; /* no worker is considered gone before this time, because the others
                              * could not be heard */
    bool settled;            /* whether it has listened for three ticks since the start */
    int64_t settle_ns;       /* when a pending change takes effect; 0: none is pending */
    bool left;
};

/* ---- announcing ---- */

/* Another worker may have deleted and re-created the exchange. Without a new binding, this worker
 * would hear nothing. */
static int bind_again(const ir_presence_t *presence, amqp_connection_state_t connection) {
    amqp_queue_bind_t bind = {.queue = amqp_cstring_bytes(presence->queue),
                              .exchange = amqp_cstring_bytes(IR_EXCHANGE_WORKERS),
                              .nowait = 1};
    return amqp_send_method(connection, CHANNEL, AMQP_QUEUE_BIND_METHOD, &bind);
}

static void say(ir_presence_t *presence, const char *key, const char *text) {
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                          .delivery_mode = AMQP_DELIVERY_NONPERSISTENT};
    ir_link_sent(presence->link, amqp_basic_publish(ir_link_connection(presence->link), CHANNEL,
                                                    amqp_cstring_bytes(IR_EXCHANGE_WORKERS),
                                                    amqp_cstring_bytes(key), 0, 0, &properties,
                                                    amqp_cstring_bytes(text)));
}

static void announce(ir_presence_t *presence, const char *verb) {
    amqp_connection_state_t connection = ir_link_connection(presence->link);
    if (connection == NULL || ir_link_blocked(presence->link) ||
        !ir_link_sent(presence->link, bind_again(presence, connection))) {
        return;
    }
    char text[ANNOUNCEMENT_MAX];
    char held[IR_PARTITION_SET_TEXT];
    char key[PROCESS_SIZE + 1 + sizeof held];
    snprintf(text, sizeof text, "%s%s", verb, presence->name);
    ir_partition_set_format(&presence->held, held);
    snprintf(key, sizeof key, "%s %s", presence->process, held);
    say(presence, key, text);
    presence->announced_ns = ir_clock_monotonic();
    presence->wanted = false;
}

static bool announcement_due(const ir_presence_t *presence, int64_t now_ns) {
    const int64_t interval_ns =
        presence->wanted ? presence->announce_ns / TICKS_PER_INTERVAL : presence->announce_ns;
    return !presence->left &&
           (presence->announced_ns == 0 || now_ns - presence->announced_ns >= interval_ns);
}

/* ---- hearing ---- */

/* Schedules a change of the partitions. Later changes are added to it but never delay it. So this
 * worker follows even a set of workers that keeps changing. */
static void settle_after(ir_presence_t *presence, int ticks) {
    if (presence->settle_ns == 0) {
        presence->settle_ns =
            ir_clock_monotonic() + presence->announce_ns / TICKS_PER_INTERVAL * ticks;
    }
}

static bool skip_word(ir_view_t *text, const char *word) {
    const size_t size = strlen(word);
    if (text->size < size || memcmp(text->data, word, size) != 0) {
        return false;
    }
    *text = ir_view(text->data + size, text->size - size);
    return true;
}

/* Reads the second part of the key, which is the set of partitions. (The first part identifies the
 * process.) */
static void hear_held(ir_presence_t *presence, ir_view_t name, ir_view_t key) {
    ir_partition_set_t held;
    if (key.size <= PROCESS_SIZE || key.data[PROCESS_SIZE] != ' ' ||
        !ir_partition_set_parse(ir_view(key.data + PROCESS_SIZE + 1, key.size - PROCESS_SIZE - 1),
                                &held)) {
        return;
    }
    if (!ir_view_equal(name, ir_view_text(presence->name))) {
        ir_membership_holds(presence->membership, name, &held);
    } else if (memcmp(key.data, presence->process, PROCESS_SIZE) != 0) {
        presence->events.twin(presence->context);
    } else {
        presence->fault[0] = '\0';
    }
}

/* Parses "N KEY". */
static void hear_taken(const ir_presence_t *presence, ir_view_t text) {
    unsigned partition = 0;
    size_t at = 0;
    while (at < text.size && at < 3 && text.data[at] >= '0' && text.data[at] <= '9') {
        partition = partition * 10 + (unsigned)(text.data[at++] - '0');
    }
    if (at > 0 && at < text.size && text.data[at] == ' ') {
        presence->events.set_aside(presence->context, partition,
                                   ir_view(text.data + at + 1, text.size - at - 1));
    }
}

static void hear(ir_presence_t *presence, ir_view_t text, ir_view_t key) {
    bool changed = false;
    if (skip_word(&text, JOIN)) {
        changed = ir_membership_seen(presence->membership, text, ir_clock_monotonic());
        presence->wanted |= changed;
        hear_held(presence, text, key);
    } else if (skip_word(&text, LEAVE)) {
        changed = ir_membership_left(presence->membership, text);
    } else if (skip_word(&text, TOOK)) {
        hear_taken(presence, text);
    }
    if (changed) {
        settle_after(presence, CHANGE_TICKS);
    }
}

static void fail(ir_presence_t *presence, ir_status_t status, const char *text) {
    ir_error_t error;
    ir_error_set(&error, status, "%s", text);
    ir_link_fail(presence->link, &error);
}

static void refuse(ir_presence_t *presence, const amqp_method_t *method) {
    ir_error_t error;
    if (ir_topology_refusal(method, "the channel of the workers was closed", &error) == IR_OK) {
        ir_error_set(&error, IR_ERR_CONNECT, "the queue for hearing other workers was deleted");
    }
    if (error.status == IR_ERR_NOT_FOUND) { /* the next connection re-creates it */
        presence->events.missing(presence->context, "exchange " IR_EXCHANGE_WORKERS);
    }
    ir_link_fail(presence->link, &error);
}

/* ---- exchanges and queues ---- */

static void turn_watch(ir_presence_t *presence, int64_t now_ns) {
    amqp_connection_state_t connection = ir_link_connection(presence->link);
    if (connection == NULL || presence->left) {
        return;
    }
    ir_partition_set_t mine = {{0}};
    for (unsigned i = 0; i < presence->watch.topology->partitions; i++) {
        if (ir_presence_owns(presence, i)) {
            ir_partition_set_add(&mine, i);
        }
    }
    ir_link_sent(presence->link,
                 ir_watch_turn(&presence->watch, connection, WATCH_CHANNEL, &mine, now_ns));
}

static void watch_method(ir_presence_t *presence, const amqp_method_t *method) {
    ir_watch_news_t news;
    switch (ir_watch_method(&presence->watch, ir_link_connection(presence->link), WATCH_CHANNEL,
                            method, ir_clock_monotonic(), &news)) {
    case IR_WATCH_MISSING:
        presence->events.missing(presence->context, news.text);
        break;
    case IR_WATCH_REFUSED:
        presence->events.refused(presence->context, &news.error);
        break;
    case IR_WATCH_BROKEN:
        ir_link_sent(presence->link, news.library_status);
        break;
    case IR_WATCH_NOTHING:
        break;
    }
}

/* ---- frames ---- */

static void on_frame(void *context, const amqp_frame_t *frame) {
    ir_presence_t *presence = context;
    if (frame->channel == WATCH_CHANNEL) {
        if (frame->frame_type == AMQP_FRAME_METHOD) {
            watch_method(presence, &frame->payload.method);
        }
        return;
    }
    if (frame->frame_type == AMQP_FRAME_METHOD &&
        frame->payload.method.id != AMQP_BASIC_DELIVER_METHOD) {
        refuse(presence, &frame->payload.method);
        return;
    }
    ir_assembled_t message;
    switch (ir_assembly_take(&presence->assembly, frame, ANNOUNCEMENT_MAX, &message)) {
    case IR_ASSEMBLY_COMPLETE:
        hear(presence, message.body, message.routing_key);
        break;
    case IR_ASSEMBLY_MORE:
        break;
    case IR_ASSEMBLY_WRONG:
        fail(presence, IR_ERR_PROTOCOL, "RabbitMQ sent frames in a wrong order");
        break;
    case IR_ASSEMBLY_MEMORY:
        fail(presence, IR_ERR_MEMORY, "out of memory for an announcement");
        break;
    }
}

/* ---- the connection ---- */

static ir_status_t prepare(void *context, amqp_connection_state_t connection, ir_error_t *error) {
    ir_presence_t *presence = context;
    if (amqp_channel_open(connection, CHANNEL) == NULL) {
        return ir_broker_reply(amqp_get_rpc_reply(connection), "cannot open a channel", error);
    }
    const ir_status_t status =
        ir_topology_declare_member(connection, CHANNEL, presence->queue, error);
    if (status != IR_OK) {
        return status;
    }
    if (amqp_basic_consume(connection, CHANNEL, amqp_cstring_bytes(presence->queue),
                           amqp_empty_bytes, 0, 1, 1, amqp_empty_table) == NULL) {
        return ir_broker_reply(amqp_get_rpc_reply(connection), "cannot hear other workers", error);
    }
    return IR_OK;
}

static void on_up(void *context) {
    ir_presence_t *presence = context;
    presence->announced_ns = 0;
    presence->expire_after_ns = ir_clock_monotonic() + EXPIRY_INTERVALS * presence->announce_ns;
    announce(presence, JOIN);
    if (!presence->settled) {
        settle_after(presence, FIRST_TICKS);
    }
}

static void on_down(void *context, const ir_error_t *error) {
    ir_presence_t *presence = context;
    ir_assembly_reset(&presence->assembly);
    ir_watch_reset(&presence->watch);
    snprintf(presence->fault, sizeof presence->fault, "%s", error->text);
    if (!presence->settled) {
        presence->settle_ns = 0;
    }
    presence->events.fault(presence->context, error);
}

/* ---- time ---- */

static void expire(ir_presence_t *presence, int64_t now_ns) {
    const int64_t expiry_ns = EXPIRY_INTERVALS * presence->announce_ns;
    if (ir_link_connection(presence->link) == NULL || ir_link_blocked(presence->link)) {
        presence->expire_after_ns = now_ns + expiry_ns;
    } else if (now_ns >= presence->expire_after_ns &&
               ir_membership_expire(presence->membership, now_ns)) {
        settle_after(presence, CHANGE_TICKS);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_presence_t *presence = context;
    const int64_t now_ns = ir_clock_monotonic();
    expire(presence, now_ns);
    if (announcement_due(presence, now_ns)) {
        announce(presence, JOIN);
    }
    if (presence->settle_ns != 0 && now_ns >= presence->settle_ns) {
        presence->settle_ns = 0;
        presence->settled = true;
        presence->events.change(presence->context);
    }
    turn_watch(presence, now_ns);
}

static ir_status_t start_tick(ir_presence_t *presence, struct event_base *base, ir_error_t *error) {
    const int64_t ns = presence->announce_ns / TICKS_PER_INTERVAL;
    const struct timeval every = {.tv_sec = ns / IR_SECOND_NS, .tv_usec = ns % IR_SECOND_NS / 1000};
    presence->tick = event_new(base, -1, EV_PERSIST, on_tick, presence);
    if (presence->tick == NULL || event_add(presence->tick, &every) != 0) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a timer");
    }
    return IR_OK;
}

static void name_process(ir_presence_t *presence) {
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random) {
        random = (uint64_t)ir_clock_now();
    }
    snprintf(presence->process, sizeof presence->process, "%016llx", (unsigned long long)random);
}

ir_status_t ir_presence_open(struct event_base *base, const ir_presence_options_t *options,
                             const ir_presence_events_t *events, void *context,
                             ir_presence_t **presence, ir_error_t *error) {
    static const ir_link_events_t link_events = {
        .prepare = prepare, .up = on_up, .frame = on_frame, .down = on_down};
    ir_presence_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the set of workers");
    }
    made->name = options->name;
    made->announce_ns = options->announce_ns;
    made->events = *events;
    made->context = context;
    name_process(made);
    snprintf(made->fault, sizeof made->fault, "not connected yet");
    ir_assembly_init(&made->assembly);
    ir_watch_init(&made->watch, options->topology);
    made->membership = ir_membership_new(made->name, EXPIRY_INTERVALS * made->announce_ns);
    ir_status_t status =
        made->membership != NULL
            ? start_tick(made, base, error)
            : ir_error_set(error, IR_ERR_MEMORY, "out of memory for the set of workers");
    if (status == IR_OK) {
        status = ir_link_open(base, &options->broker, &link_events, made, &made->link, error);
    }
    if (status != IR_OK) {
        ir_presence_close(made);
        return status;
    }
    *presence = made;
    return IR_OK;
}

bool ir_presence_owns(const ir_presence_t *presence, unsigned partition) {
    return presence->settled && !presence->left &&
           ir_membership_owns(presence->membership, partition);
}

void ir_presence_hold(ir_presence_t *presence, const ir_partition_set_t *held) {
    if (!ir_partition_set_equal(&presence->held, held)) {
        presence->held = *held;
        presence->wanted = true;
    }
}

bool ir_presence_serves(const ir_presence_t *presence, unsigned partition) {
    return ir_membership_serves(presence->membership, partition);
}

const char *ir_presence_fault(const ir_presence_t *presence) {
    if (presence->fault[0] != '\0') {
        return presence->fault;
    }
    return presence->settled ? NULL : "listens for other workers";
}

size_t ir_presence_workers(const ir_presence_t *presence) {
    return ir_membership_count(presence->membership);
}

void ir_presence_ask_aside(ir_presence_t *presence, unsigned partition) {
    char text[ANNOUNCEMENT_MAX];
    snprintf(text, sizeof text, ASIDE "%u", partition);
    if (ir_link_connection(presence->link) != NULL && !ir_link_blocked(presence->link)) {
        say(presence, "", text);
    }
}

void ir_presence_leave(ir_presence_t *presence) {
    if (!presence->left) {
        announce(presence, LEAVE);
        presence->left = true;
    }
}

void ir_presence_close(ir_presence_t *presence) {
    if (presence == NULL) {
        return;
    }
    if (presence->link != NULL) {
        ir_presence_leave(presence);
        ir_link_close(presence->link);
    }
    if (presence->tick != NULL) {
        event_free(presence->tick);
    }
    ir_assembly_free(&presence->assembly);
    ir_membership_free(presence->membership);
    free(presence);
}
