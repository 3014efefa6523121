#include "broker/watch.h"

#include "broker/connection.h"
#include "common/clock.h"

#include <string.h>

#define TURN_NS IR_SECOND_NS
#define REFUSED_WAIT_NS (10 * IR_SECOND_NS)
#define BINDINGS_A_TURN 16

void ir_watch_init(ir_watch_t *watch, const ir_topology_t *topology) {
    *watch = (ir_watch_t){.topology = topology};
}

void ir_watch_reset(ir_watch_t *watch) {
    ir_watch_init(watch, watch->topology);
}

/* ---- the maintained objects ---- */

static bool is_mine(const ir_watch_t *watch, unsigned object) {
    return ir_partition_set_has(&watch->mine, ir_topology_object_partition(object));
}

/* Returns the object at that position of the list; if the list is shorter, the number of
 * objects. */
static unsigned object_at(const ir_watch_t *watch, unsigned place) {
    const unsigned count = ir_topology_objects(watch->topology);
    unsigned object = 0;
    for (; object < count; object++) {
        if (is_mine(watch, object) && place-- == 0) {
            break;
        }
    }
    return object;
}

/* ---- sending ---- */

static int send_objects(ir_watch_t *watch, amqp_connection_state_t connection,
                        amqp_channel_t channel) {
    const unsigned count = ir_topology_objects(watch->topology);
    int sent = AMQP_STATUS_OK;
    watch->asked = watch->answered = 0;
    for (unsigned i = 0; i < count && sent == AMQP_STATUS_OK; i++) {
        if (is_mine(watch, i)) {
            const ir_topology_ask_t ask = watch->state == IR_WATCH_LOOKING ? IR_TOPOLOGY_LOOK
                                          : watch->missing[i]              ? IR_TOPOLOGY_MAKE
                                                                           : IR_TOPOLOGY_ASK;
            sent = ir_topology_send_object(connection, channel, watch->topology, i, ask);
            watch->asked++;
        }
    }
    return sent;
}

/* Binds queues before exchanges, so that the queues are bound before MQTT messages can arrive. */
static int send_bindings(ir_watch_t *watch, amqp_connection_state_t connection,
                         amqp_channel_t channel, unsigned most) {
    const unsigned count = ir_topology_objects(watch->topology);
    int sent = AMQP_STATUS_OK;
    for (unsigned i = 0; i < count && most > 0 && sent == AMQP_STATUS_OK; i++) {
        const unsigned object = count - 1 - watch->next_binding;
        watch->next_binding = (watch->next_binding + 1) % count;
        if (watch->unbound || is_mine(watch, object)) {
            sent = ir_topology_send_binding(connection, channel, object);
            most--;
        }
    }
    return sent;
}

/* All maintained objects exist again. Those that were re-created have no bindings yet. */
static int end_asking(ir_watch_t *watch, amqp_connection_state_t connection, amqp_channel_t channel,
                      int64_t now_ns) {
    watch->asked_ns = now_ns;
    watch->doubtful = false;
    watch->state = IR_WATCH_LOOKING;
    watch->next_binding = 0;
    memset(watch->missing, 0, sizeof watch->missing);
    return send_bindings(watch, connection, channel, ir_topology_objects(watch->topology));
}

static int send_queries(ir_watch_t *watch, amqp_connection_state_t connection,
                        amqp_channel_t channel, int64_t now_ns) {
    watch->turned_ns = now_ns;
    watch->state = watch->doubtful ? IR_WATCH_ASKING : IR_WATCH_LOOKING;
    const int sent = send_objects(watch, connection, channel);
    if (sent != AMQP_STATUS_OK) {
        return sent;
    }
    if (watch->state == IR_WATCH_LOOKING) {
        return send_bindings(watch, connection, channel, BINDINGS_A_TURN);
    }
    return watch->asked == 0 ? end_asking(watch, connection, channel, now_ns) : AMQP_STATUS_OK;
}

static int send_open(amqp_connection_state_t connection, amqp_channel_t channel) {
    amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};
    return amqp_send_method(connection, channel, AMQP_CHANNEL_OPEN_METHOD, &open);
}

int ir_watch_turn(ir_watch_t *watch, amqp_connection_state_t connection, amqp_channel_t channel,
                  const ir_partition_set_t *mine, int64_t now_ns) {
    if (now_ns < watch->not_before_ns) {
        return AMQP_STATUS_OK;
    }
    if (watch->state == IR_WATCH_CLOSED) {
        watch->state = IR_WATCH_OPENING;
        return send_open(connection, channel);
    }
    if (watch->state == IR_WATCH_LOOKING && now_ns - watch->turned_ns >= TURN_NS) {
        watch->mine = *mine;
        watch->unbound = false;
        return send_queries(watch, connection, channel, now_ns);
    }
    return AMQP_STATUS_OK;
}

/* ---- answers ---- */

static ir_watch_event_t sent_or_broken(int sent, ir_watch_news_t *news) {
    news->library_status = sent;
    return sent == AMQP_STATUS_OK ? IR_WATCH_NOTHING : IR_WATCH_BROKEN;
}

/* Records the missing object and asks for it again at once. All objects asked for before it
 * exist. */
static ir_watch_event_t closed(ir_watch_t *watch, const amqp_method_t *method, int64_t now_ns,
                               ir_watch_news_t *news) {
    const bool asking = watch->state == IR_WATCH_ASKING;
    watch->state = IR_WATCH_CLOSED;
    const ir_status_t status =
        ir_topology_refusal(method, "cannot look after exchanges and queues", &news->error);
    if (status != IR_ERR_NOT_FOUND) {
        watch->not_before_ns = now_ns + REFUSED_WAIT_NS;
        return IR_WATCH_REFUSED;
    }
    const unsigned object = object_at(watch, watch->answered);
    watch->doubtful = true;
    if (!asking || object >= ir_topology_objects(watch->topology)) {
        /* This worker's own objects exist. The missing one belongs to another worker, which will
         * re-create it. */
        watch->not_before_ns = now_ns - watch->asked_ns < TURN_NS ? now_ns + TURN_NS : 0;
        return IR_WATCH_NOTHING;
    }
    watch->missing[object] = true;
    watch->unbound = watch->unbound || object == 0;
    ir_topology_object_show(object, news->text);
    return IR_WATCH_MISSING;
}

static ir_watch_event_t channel_closed(ir_watch_t *watch, amqp_connection_state_t connection,
                                       amqp_channel_t channel, const amqp_method_t *method,
                                       int64_t now_ns, ir_watch_news_t *news) {
    if (watch->state == IR_WATCH_CLOSED || watch->state == IR_WATCH_OPENING) {
        return IR_WATCH_NOTHING; /* a repeat, see ir_partition_frame */
    }
    const ir_watch_event_t event = closed(watch, method, now_ns, news);
    amqp_channel_close_ok_t ok = {0};
    int sent = amqp_send_method(connection, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    if (sent == AMQP_STATUS_OK && now_ns >= watch->not_before_ns) {
        watch->state = IR_WATCH_OPENING;
        sent = send_open(connection, channel);
    }
    return sent == AMQP_STATUS_OK ? event : sent_or_broken(sent, news);
}

ir_watch_event_t ir_watch_method(ir_watch_t *watch, amqp_connection_state_t connection,
                                 amqp_channel_t channel, const amqp_method_t *method,
                                 int64_t now_ns, ir_watch_news_t *news) {
    switch (method->id) {
    case AMQP_CHANNEL_OPEN_OK_METHOD:
        return sent_or_broken(send_queries(watch, connection, channel, now_ns), news);
    case AMQP_CHANNEL_CLOSE_METHOD:
        return channel_closed(watch, connection, channel, method, now_ns, news);
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
        if (watch->state == IR_WATCH_ASKING && ++watch->answered == watch->asked) {
            return sent_or_broken(end_asking(watch, connection, channel, now_ns), news);
        }
        return IR_WATCH_NOTHING;
    default:
        return IR_WATCH_NOTHING;
    }
}
