#include "ingest/outlet_state.h"

#include "broker/arrival.h"
#include "broker/topology.h"
#include "common/clock.h"
#include "common/invariant.h"
#include "common/log.h"
#include "common/messages.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS IR_SECOND_NS
#define JUDGE_NS (50 * IR_MILLISECOND_NS)
#define DRAIN_NS (200 * IR_MILLISECOND_NS)
#define GATHER_NS IR_MILLISECOND_NS
#define LEFT_BEHIND                                                                                \
    16 /* RabbitMQ slows a connection down from 32 on (quorum_commands_soft_limit) */
#define SILENT_NS (500 * IR_MILLISECOND_NS)
#define LOG_EVERY_NS (10 * IR_SECOND_NS)

/* ---- the window ---- */

/* Both rings have room for all shipments in progress. */
static void send_back(ir_outlet_t *outlet, ir_shipment_t *shipment) {
    if (shipment != NULL) {
        const bool pushed = ir_ring_push(outlet->out, shipment);
        IR_INVARIANT(pushed);
    }
}

/* Settles a shipment of which nothing has been sent. Nothing of it will be sent. */
static void turn_away(ir_outlet_t *outlet, ir_shipment_t *shipment, ir_shipment_fate_t fate) {
    ir_shipment_settle(shipment, shipment->n_messages, fate);
    send_back(outlet, shipment);
}

static void on_answer(void *context, void *ticket, bool confirmed) {
    ir_outlet_t *outlet = context;
    send_back(outlet, ir_outlet_window_answer(outlet->window, ticket, confirmed));
    outlet->answered_ns = ir_clock_monotonic();
}

static bool has_open(const ir_outlet_t *outlet) {
    return ir_outlet_window_counts(outlet->window)->messages > 0;
}

/* Returns for how long the broker has not answered any message. */
static bool is_silent(const ir_outlet_t *outlet, int64_t for_ns) {
    const int64_t since_ns = ir_clock_monotonic() - for_ns;
    return has_open(outlet) && outlet->answered_ns < since_ns &&
           ir_outlet_window_all_silent(outlet->window, since_ns);
}

static void show_window(ir_outlet_t *outlet) {
    const ir_outlet_window_counts_t *counts = ir_outlet_window_counts(outlet->window);
    atomic_store(&outlet->stalled, is_silent(outlet, outlet->options.late_ns));
    atomic_store(&outlet->motes_waiting, counts->motes_waiting);
    atomic_store(&outlet->messages_waiting, counts->messages_waiting);
}

static void refuse_half_sent(ir_outlet_t *outlet) {
    ir_shipment_t *shipment = NULL;
    while ((shipment = ir_outlet_window_give_up_unsent(outlet->window)) != NULL) {
        send_back(outlet, shipment);
    }
}

static void give_up_open(ir_outlet_t *outlet, const ir_publisher_t *publisher) {
    ir_outlet_window_message_t *oldest = NULL;
    while ((oldest = ir_outlet_window_oldest(outlet->window, publisher)) != NULL) {
        send_back(outlet, ir_outlet_window_give_up(outlet->window, oldest, IR_SHIPMENT_UNKNOWN));
    }
}

/* Call after RETRY: on that connection, the broker will not answer any message that is still
 * open. */
static void clear_window(ir_outlet_t *outlet) {
    give_up_open(outlet, outlet->publisher);
    refuse_half_sent(outlet);
    show_window(outlet);
}

static void refuse_unsent(ir_outlet_t *outlet) {
    ir_shipment_t *shipment = NULL;
    refuse_half_sent(outlet);
    while ((shipment = ir_ring_pop(outlet->in)) != NULL) {
        turn_away(outlet, shipment, IR_SHIPMENT_UNSENT);
    }
}

static bool is_full(const ir_outlet_t *outlet) {
    return ir_publisher_full(outlet->publisher) ||
           ir_outlet_window_counts(outlet->window)->bytes >= IR_PUBLISHER_OPEN_BYTES;
}

static ir_publisher_t *publisher_of(ir_outlet_t *outlet,
                                    const ir_outlet_window_message_t *message) {
    const void *connection = ir_outlet_window_message_connection(message);
    for (size_t i = 0; i < outlet->n_asides; i++) {
        if (outlet->asides[i].publisher == connection) {
            return outlet->asides[i].publisher;
        }
    }
    return outlet->publisher;
}

/* Updates which motes wait, and makes room for the others. */
static void judge_window(ir_outlet_t *outlet) {
    ir_outlet_window_t *window = outlet->window;
    ir_outlet_window_message_t *excess = NULL;
    ir_outlet_window_judge(window, ir_clock_monotonic(), is_full(outlet));
    while ((excess = ir_outlet_window_excess(window)) != NULL) {
        ir_publisher_forget(publisher_of(outlet, excess), ir_outlet_window_message_number(excess));
        send_back(outlet, ir_outlet_window_give_up(window, excess, IR_SHIPMENT_UNKNOWN));
        atomic_fetch_add(&outlet->given_up, 1);
    }
    show_window(outlet);
}

/* ---- publishing ---- */

static void note_fault(ir_outlet_t *outlet, ir_outlet_state_t state, const ir_error_t *error) {
    ir_outlet_set_state(outlet, state, error->text);
    ir_log_limited(&outlet->logged_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s", error->text);
}

static void on_return(void *context, ir_view_t routing_key, const ir_error_t *why) {
    ir_outlet_t *outlet = context;
    ir_error_t error;
    ir_outlet_window_return(outlet->window, routing_key);
    ir_error_set(&error, IR_ERR_REFUSED, "RabbitMQ could not route a message: %s", why->text);
    note_fault(outlet, IR_OUTLET_OPEN, &error);
}

static ir_outcome_t publish_next(ir_outlet_t *outlet, const ir_shipment_t *shipment,
                                 ir_error_t *error) {
    const ir_shipment_message_t *message = &shipment->messages[shipment->sent];
    const int64_t now_ns = ir_clock_monotonic();
    const ir_header_t arrival = {.name = IR_HEADER_ARRIVAL,
                                 .kind = IR_HEADER_INTEGER,
                                 .integer = message->arrival_ns / IR_MICROSECOND_NS};
    ir_outlet_window_message_t *open = ir_outlet_window_send(outlet->window, now_ns);
    ir_outlet_window_number(open, outlet->publisher, 0);
    const ir_publication_t publication = {
        .exchange = IR_EXCHANGE_OBSERVATIONS,
        .routing_key = shipment->routing_key,
        .content_type = ir_media_text(shipment->media),
        .message_id = message->name,
        .user_id = ir_view_text(outlet->user),
        .headers = &arrival,
        .n_headers = 1,
        .body = message->body,
        .mandatory = true,
        .ticket = open,
    };
    const ir_outcome_t outcome = ir_publisher_publish(outlet->publisher, &publication, error);
    if (outcome == IR_OUTCOME_OK) {
        ir_outlet_window_number(open, outlet->publisher, ir_publisher_last(outlet->publisher));
    } else if (outcome == IR_OUTCOME_REFUSED) {
        note_fault(outlet, IR_OUTLET_OPEN, error);
        send_back(outlet, ir_outlet_window_give_up(outlet->window, open, IR_SHIPMENT_TOO_LARGE));
    }
    return outcome;
}

/* Admits the next shipment. A shipment that must wait keeps its place, and those behind it wait
 * too. The wait is short: it ends when the mote's earlier shipment is sent, or when the window
 * makes the mote wait. */
static void admit_next(ir_outlet_t *outlet) {
    ir_admission_t admission = IR_ADMISSION_HELD;
    while (admission == IR_ADMISSION_HELD && !ir_outlet_window_crowded(outlet->window)) {
        ir_shipment_t *shipment = ir_ring_peek(outlet->in);
        if (shipment == NULL) {
            return;
        }
        admission = ir_outlet_window_admit(outlet->window, shipment);
        if (admission != IR_ADMISSION_LATER) {
            ir_ring_pop(outlet->in);
        }
        if (admission == IR_ADMISSION_HELD) {
            turn_away(outlet, shipment, IR_SHIPMENT_HELD);
        }
    }
}

/* Takes turns between new shipments and partly sent ones. */
static ir_shipment_t *next_shipment(ir_outlet_t *outlet) {
    outlet->admits = !outlet->admits;
    if (outlet->admits || ir_outlet_window_next(outlet->window) == NULL) {
        admit_next(outlet);
    }
    return ir_outlet_window_next(outlet->window);
}

/* Sends the available messages, as many as the window allows. */
static ir_outcome_t publish_some(ir_outlet_t *outlet, ir_error_t *error) {
    while (!is_full(outlet) && !ir_publisher_blocked(outlet->publisher)) {
        const ir_shipment_t *shipment = next_shipment(outlet);
        if (shipment == NULL) {
            break;
        }
        const ir_outcome_t outcome = publish_next(outlet, shipment, error);
        if (outcome == IR_OUTCOME_RETRY) {
            return outcome;
        }
    }
    return IR_OUTCOME_OK;
}

static void watch_block(ir_outlet_t *outlet) {
    const bool blocked = ir_publisher_blocked(outlet->publisher);
    if (blocked != (ir_outlet_state(outlet) == IR_OUTLET_BLOCKED)) {
        ir_outlet_set_state(outlet, blocked ? IR_OUTLET_BLOCKED : IR_OUTLET_OPEN,
                            blocked ? "the broker blocks publishers (memory or disk alarm)" : "");
        ir_log(blocked ? IR_LOG_WARN : IR_LOG_INFO, "broker: %s",
               blocked ? "blocks publishers (memory or disk alarm)" : "accepts messages again");
    }
    if (blocked) {
        refuse_unsent(outlet);
    }
}

/* While confirms are outstanding, turns begin at least GATHER_NS apart. Messages that arrive
 * meanwhile are sent and confirmed together, which costs the broker and the loop less. A single
 * message does not wait. */
static void gather(ir_outlet_t *outlet) {
    const ir_outlet_window_counts_t *counts = ir_outlet_window_counts(outlet->window);
    const int64_t now_ns = ir_clock_monotonic();
    const int64_t left_ns = outlet->turned_ns + GATHER_NS - now_ns;
    outlet->turned_ns = now_ns;
    if (counts->messages > counts->late && left_ns > 0) {
        const struct timespec wait = {.tv_nsec = left_ns};
        nanosleep(&wait, NULL);
        outlet->turned_ns += left_ns;
    }
}

/* After nacks, a new connection may work better. This connection sends nothing for a moment, so
 * that outstanding answers can arrive. Then it ends. */
static bool drains(ir_outlet_t *outlet) {
    if (!ir_publisher_doubtful(outlet->publisher)) {
        return false;
    }
    const int64_t now_ns = ir_clock_monotonic();
    outlet->drained_ns = outlet->drained_ns != 0 ? outlet->drained_ns : now_ns;
    return true;
}

static bool is_drained(const ir_outlet_t *outlet) {
    const ir_outlet_window_counts_t *counts = ir_outlet_window_counts(outlet->window);
    return outlet->drained_ns != 0 && (counts->messages == counts->late ||
                                       ir_clock_monotonic() - outlet->drained_ns > DRAIN_NS);
}

/* ---- connections that are set aside ---- */

ir_publisher_t *ir_outlet_new_publisher(ir_outlet_t *outlet) {
    ir_publisher_t *publisher = ir_publisher_new(&outlet->options.broker);
    if (publisher != NULL) {
        ir_publisher_need(publisher, IR_EXCHANGE_OBSERVATIONS);
        ir_publisher_on_answer(publisher, &(ir_publisher_answers_t){on_answer, on_return, outlet});
        ir_publisher_wake_on(publisher, outlet->wake_fd);
    }
    return publisher;
}

static void end_aside(ir_outlet_t *outlet, size_t i) {
    ir_publisher_t *ended = outlet->asides[i].publisher;
    outlet->n_asides--;
    memmove(&outlet->asides[i], &outlet->asides[i + 1],
            (outlet->n_asides - i) * sizeof outlet->asides[0]);
    give_up_open(outlet, ended);
    ir_publisher_disconnect(ended);
    ir_publisher_free(ended);
}

static void end_asides(ir_outlet_t *outlet) {
    while (outlet->n_asides > 0) {
        end_aside(outlet, 0);
    }
}

static bool is_trial(const ir_outlet_t *outlet) {
    return outlet->n_asides > 0 && outlet->asides[outlet->n_asides - 1].end_ns != 0;
}

/* A broker that is silent need not be at fault, but a new connection does no harm. The old
 * connection is kept for a limited time, because its unanswered messages may belong to any mote. */
static void set_aside(ir_outlet_t *outlet) {
    ir_publisher_t *publisher = outlet->publisher;
    const bool left =
        ir_outlet_window_left_behind(outlet->window, publisher, LEFT_BEHIND) == LEFT_BEHIND;
    const bool silent = !left && !is_trial(outlet) && ir_publisher_open(publisher) > LEFT_BEHIND &&
                        is_silent(outlet, SILENT_NS);
    if (!ir_publisher_connected(publisher) || ir_publisher_blocked(publisher) ||
        !(left || silent)) {
        return;
    }
    ir_publisher_t *fresh = ir_outlet_new_publisher(outlet);
    if (fresh == NULL) {
        return;
    }
    if (outlet->n_asides == IR_OUTLET_ASIDES) {
        end_aside(outlet, 0);
    }
    ir_publisher_inherit(fresh, publisher);
    ir_publisher_wake_on(publisher, -1);
    outlet->asides[outlet->n_asides++] = (ir_outlet_aside_t){
        publisher, left ? 0 : ir_clock_monotonic() + outlet->options.broker.timeout_ns};
    outlet->publisher = fresh;
    ir_outlet_window_hold(outlet->window);
    atomic_fetch_add(&outlet->set_aside, 1);
    ir_log_limited(&outlet->logged_ns, LOG_EVERY_NS, IR_LOG_WARN, IR_TEXT_UNCONFIRMED);
}

/* Processes the answers on old connections that were set aside. Ends those that broke, have no open
 * messages, or have reached their deadline. */
static void look_aside(ir_outlet_t *outlet) {
    ir_error_t error;
    for (size_t i = outlet->n_asides; i-- > 0;) {
        const ir_outlet_aside_t *aside = &outlet->asides[i];
        if (ir_publisher_push(aside->publisher, 0, &error) != IR_OUTCOME_OK ||
            ir_publisher_open(aside->publisher) == 0 ||
            (aside->end_ns != 0 && ir_clock_monotonic() > aside->end_ns)) {
            end_aside(outlet, i);
        }
    }
}

static void give_connection_up(ir_outlet_t *outlet) {
    ir_error_t error;
    if (!ir_publisher_connected(outlet->publisher)) {
        return;
    }
    if (is_drained(outlet)) {
        ir_error_set(&error, IR_ERR_REFUSED,
                     "RabbitMQ refused messages (a queue is full or its node was lost); connecting "
                     "again");
    } else if (!ir_publisher_blocked(outlet->publisher) &&
               is_silent(outlet, outlet->options.broker.timeout_ns)) {
        ir_error_set(&error, IR_ERR_TIMEOUT,
                     "RabbitMQ confirmed none of %zu messages in time; connecting again",
                     ir_outlet_window_counts(outlet->window)->messages);
        end_asides(outlet);
    } else {
        return;
    }
    note_fault(outlet, IR_OUTLET_OPEN, &error);
    ir_publisher_disconnect(outlet->publisher);
    clear_window(outlet);
}

static void work(ir_outlet_t *outlet) {
    ir_error_t error = {.status = IR_OK};
    uint64_t woken = 0;
    gather(outlet);
    (void)!read(outlet->wake_fd, &woken, sizeof woken);
    ir_outcome_t outcome = drains(outlet) ? IR_OUTCOME_OK : publish_some(outlet, &error);
    if (outcome == IR_OUTCOME_OK) {
        outcome =
            ir_publisher_push(outlet->publisher, has_open(outlet) ? JUDGE_NS : LOOK_NS, &error);
    }
    if (outcome != IR_OUTCOME_OK) {
        const bool connected = ir_publisher_connected(outlet->publisher);
        note_fault(outlet, connected ? IR_OUTLET_OPEN : IR_OUTLET_AWAY, &error);
        clear_window(outlet);
    }
    judge_window(outlet);
    watch_block(outlet);
    give_connection_up(outlet);
    set_aside(outlet);
}

/* ---- the broker is away ---- */

/* Waits. Shipments that arrive meanwhile are sent back at once. */
static void wait_away(ir_outlet_t *outlet, int64_t wait_ns) {
    const int64_t end_ns = ir_clock_monotonic() + wait_ns;
    ir_shipment_t *shipment = NULL;
    do {
        shipment = ir_ring_wait(outlet->in, end_ns - ir_clock_monotonic());
        if (shipment != NULL) {
            turn_away(outlet, shipment, IR_SHIPMENT_UNSENT);
        }
    } while (shipment != NULL || (ir_clock_monotonic() < end_ns && !ir_ring_closed(outlet->in)));
}

static void connect_outlet(ir_outlet_t *outlet) {
    ir_error_t error = {.status = IR_OK};
    if (ir_publisher_prepare(outlet->publisher, &error) != IR_OUTCOME_OK) {
        const bool refused = error.status == IR_ERR_AUTH && atomic_load(&outlet->connections) == 0;
        note_fault(outlet, refused ? IR_OUTLET_REFUSED : IR_OUTLET_AWAY, &error);
        wait_away(outlet, ir_backoff_next(&outlet->backoff));
        return;
    }
    ir_backoff_reset(&outlet->backoff);
    atomic_fetch_add(&outlet->connections, 1);
    outlet->drained_ns = 0;
    ir_outlet_set_state(outlet, IR_OUTLET_OPEN, "");
    ir_log(IR_LOG_INFO, "connected to the broker");
}

/* When stopped, the thread no longer waits for answers. */
void *ir_outlet_run(void *context) {
    ir_outlet_t *outlet = context;
    while (!ir_ring_closed(outlet->in)) {
        if (ir_publisher_connected(outlet->publisher)) {
            work(outlet);
        } else {
            connect_outlet(outlet);
        }
        look_aside(outlet);
    }
    end_asides(outlet);
    clear_window(outlet);
    refuse_unsent(outlet);
    return NULL;
}
