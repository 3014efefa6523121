#include "ingest/outlet.h"

#include "broker/confirms.h"
#include "broker/publisher.h"
#include "broker/topology.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define OPEN_MESSAGES 4000 /* below the number at which the publisher itself would wait */
#define LOOK_NS IR_SECOND_NS
#define GATHER_NS IR_MILLISECOND_NS
#define LOG_EVERY_NS (10 * IR_SECOND_NS)

struct ir_outlet {
    ir_outlet_options_t options;
    ir_publisher_t *publisher;
    ir_ring_t *in, *out;
    int wake_fd;
    pthread_t thread;
    bool started;
    atomic_size_t under_way; /* given and not taken */

    pthread_mutex_t lock; /* of the fault */
    char fault[sizeof(((ir_error_t *)0)->text)];
    atomic_int state;
    atomic_uint_fast64_t connections;

    /* the thread's */
    ir_shipment_t *window[IR_CONFIRMS_WINDOW]; /* of the message at place N at N % size; or NULL */
    uint64_t published;                        /* places given since the window was last empty */
    uint64_t answered;
    ir_shipment_t *current; /* not all of its messages are sent yet */
    int64_t turned_ns;      /* when the last turn began */
    ir_backoff_t backoff;
    int64_t logged_ns;
};

/* ---- what the loop sees ---- */

static void set_state(ir_outlet_t *outlet, ir_outlet_state_t state, const char *fault) {
    pthread_mutex_lock(&outlet->lock);
    snprintf(outlet->fault, sizeof outlet->fault, "%s", fault);
    pthread_mutex_unlock(&outlet->lock);
    atomic_store(&outlet->state, state);
}

const char *ir_outlet_fault(ir_outlet_t *outlet, char *text, size_t size) {
    pthread_mutex_lock(&outlet->lock);
    snprintf(text, size, "%s", outlet->fault);
    pthread_mutex_unlock(&outlet->lock);
    return text;
}

ir_outlet_state_t ir_outlet_state(const ir_outlet_t *outlet) {
    return (ir_outlet_state_t)atomic_load(&outlet->state);
}

uint64_t ir_outlet_reconnects(const ir_outlet_t *outlet) {
    const uint64_t connections = atomic_load(&outlet->connections);
    return connections > 0 ? connections - 1 : 0;
}

bool ir_outlet_give(ir_outlet_t *outlet, ir_shipment_t *shipment) {
    if (atomic_load(&outlet->under_way) >= outlet->options.capacity) {
        return false;
    }
    atomic_fetch_add(&outlet->under_way, 1);
    if (ir_ring_push(outlet->in, shipment)) {
        return true;
    }
    atomic_fetch_sub(&outlet->under_way, 1);
    return false;
}

void ir_outlet_wake(ir_outlet_t *outlet) {
    const uint64_t one = 1;
    (void)!write(outlet->wake_fd, &one, sizeof one);
}

int ir_outlet_fd(const ir_outlet_t *outlet) {
    return ir_ring_fd(outlet->out);
}

void ir_outlet_acknowledge(ir_outlet_t *outlet) {
    ir_ring_acknowledge(outlet->out);
}

ir_shipment_t *ir_outlet_take(ir_outlet_t *outlet) {
    ir_shipment_t *shipment = ir_ring_pop(outlet->out);
    if (shipment != NULL) {
        atomic_fetch_sub(&outlet->under_way, 1);
    }
    return shipment;
}

/* ---- the window ---- */

/* Both rings have room for everything under way. */
static void settle(ir_outlet_t *outlet, ir_shipment_t *shipment, size_t n, ir_fate_t fate) {
    ir_shipment_settle(shipment, n, fate);
    if (shipment->open == 0) {
        ir_ring_push(outlet->out, shipment);
    }
}

static void on_answer(void *context, uint64_t place, bool confirmed) {
    ir_outlet_t *outlet = context;
    ir_shipment_t **slot = &outlet->window[place % IR_CONFIRMS_WINDOW];
    ir_shipment_t *shipment = *slot;
    if (shipment != NULL) {
        *slot = NULL;
        outlet->answered++;
        settle(outlet, shipment, 1, confirmed ? IR_FATE_CONFIRMED : IR_FATE_REFUSED);
    }
}

/* What of a shipment has not been sent will not be: its mote sends all of it again. */
static void give_up(ir_outlet_t *outlet, ir_shipment_t *shipment) {
    settle(outlet, shipment, shipment->n_messages - shipment->sent, IR_FATE_UNSENT);
}

/* After RETRY: places begin anew. */
static void clear_window(ir_outlet_t *outlet, ir_fate_t fate) {
    ir_shipment_t *current = outlet->current;
    outlet->current = NULL;
    for (size_t i = 0; i < IR_CONFIRMS_WINDOW; i++) {
        ir_shipment_t *shipment = outlet->window[i];
        outlet->window[i] = NULL;
        if (shipment != NULL) {
            settle(outlet, shipment, 1, fate);
        }
    }
    if (current != NULL) {
        give_up(outlet, current);
    }
    outlet->published = outlet->answered = 0;
}

static bool has_room(const ir_outlet_t *outlet) {
    return outlet->published - outlet->answered < OPEN_MESSAGES &&
           outlet->window[outlet->published % IR_CONFIRMS_WINDOW] == NULL;
}

/* ---- publishing ---- */

static void note_fault(ir_outlet_t *outlet, ir_outlet_state_t state, const ir_error_t *error) {
    set_state(outlet, state, error->text);
    ir_log_limited(&outlet->logged_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s", error->text);
}

static ir_outcome_t publish_next(ir_outlet_t *outlet, ir_error_t *error) {
    ir_shipment_t *shipment = outlet->current;
    const ir_shipment_message_t *message = &shipment->messages[shipment->sent];
    char id[IR_ID_TEXT_SIZE];
    const ir_publication_t publication = {
        .exchange = IR_EXCHANGE_OBSERVATIONS,
        .routing_key = shipment->routing_key,
        .content_type = ir_media_text(shipment->media),
        .message_id = ir_view_text(ir_id_format(&message->raw_id, id)),
        .body = message->body,
        .mandatory = true,
    };
    outlet->window[outlet->published % IR_CONFIRMS_WINDOW] = shipment;
    outlet->published++;
    shipment->sent++;
    if (shipment->sent == shipment->n_messages) {
        outlet->current = NULL;
    }
    return ir_publisher_publish(outlet->publisher, &publication, error);
}

/* Writes what is there and what the window takes. */
static ir_outcome_t publish_some(ir_outlet_t *outlet, ir_error_t *error) {
    while (has_room(outlet) && !ir_publisher_blocked(outlet->publisher)) {
        if (outlet->current == NULL) {
            outlet->current = ir_ring_pop(outlet->in);
        }
        if (outlet->current == NULL) {
            break;
        }
        const ir_outcome_t outcome = publish_next(outlet, error);
        if (outcome != IR_OUTCOME_OK) {
            return outcome;
        }
    }
    return IR_OUTCOME_OK;
}

static void refuse_waiting(ir_outlet_t *outlet) {
    ir_shipment_t *shipment = outlet->current != NULL ? outlet->current : ir_ring_pop(outlet->in);
    outlet->current = NULL;
    for (; shipment != NULL; shipment = ir_ring_pop(outlet->in)) {
        give_up(outlet, shipment);
    }
}

static void watch_block(ir_outlet_t *outlet) {
    const bool blocked = ir_publisher_blocked(outlet->publisher);
    if (blocked != (ir_outlet_state(outlet) == IR_OUTLET_BLOCKED)) {
        set_state(outlet, blocked ? IR_OUTLET_BLOCKED : IR_OUTLET_OPEN,
                  blocked ? "the broker blocks publishers (memory or disk alarm)" : "");
        ir_log(blocked ? IR_LOG_WARN : IR_LOG_INFO, "broker: %s",
               blocked ? "blocks publishers (memory or disk alarm)" : "takes messages again");
    }
    if (blocked) {
        refuse_waiting(outlet);
    }
}

/* While confirms are outstanding, turns begin at least so far apart: what comes meanwhile goes out,
 * and comes back, together, which spares the broker and the loop more than it costs in time. A lone
 * message waits for nothing. */
static void gather(ir_outlet_t *outlet) {
    const int64_t now_ns = ir_clock_monotonic();
    const int64_t left_ns = outlet->turned_ns + GATHER_NS - now_ns;
    outlet->turned_ns = now_ns;
    if (outlet->published > outlet->answered && left_ns > 0) {
        const struct timespec wait = {.tv_nsec = left_ns};
        nanosleep(&wait, NULL);
        outlet->turned_ns += left_ns;
    }
}

static void work(ir_outlet_t *outlet) {
    ir_error_t error = {.status = IR_OK};
    uint64_t woken = 0;
    gather(outlet);
    (void)!read(outlet->wake_fd, &woken, sizeof woken);
    ir_outcome_t outcome = publish_some(outlet, &error);
    if (outcome == IR_OUTCOME_OK) {
        outcome = ir_publisher_push(outlet->publisher, LOOK_NS, &error);
    }
    if (outcome != IR_OUTCOME_OK) {
        const bool connected = ir_publisher_connected(outlet->publisher);
        const bool refused = connected && error.status == IR_ERR_REFUSED;
        note_fault(outlet, connected ? IR_OUTLET_OPEN : IR_OUTLET_AWAY, &error);
        clear_window(outlet, refused ? IR_FATE_REFUSED : IR_FATE_UNKNOWN);
    }
    watch_block(outlet);
}

/* ---- the broker is away ---- */

/* Waits, and sends back at once what comes meanwhile. */
static void wait_away(ir_outlet_t *outlet, int64_t wait_ns) {
    const int64_t end_ns = ir_clock_monotonic() + wait_ns;
    ir_shipment_t *shipment = NULL;
    do {
        shipment = ir_ring_wait(outlet->in, end_ns - ir_clock_monotonic());
        if (shipment != NULL) {
            give_up(outlet, shipment);
        }
    } while (shipment != NULL || (ir_clock_monotonic() < end_ns && !ir_ring_closed(outlet->in)));
}

static void connect_outlet(ir_outlet_t *outlet) {
    ir_error_t error = {.status = IR_OK};
    if (ir_publisher_prepare(outlet->publisher, &error) != IR_OUTCOME_OK) {
        note_fault(outlet, IR_OUTLET_AWAY, &error);
        wait_away(outlet, ir_backoff_next(&outlet->backoff));
        return;
    }
    ir_backoff_reset(&outlet->backoff);
    atomic_fetch_add(&outlet->connections, 1);
    set_state(outlet, IR_OUTLET_OPEN, "");
    ir_log(IR_LOG_INFO, "connected to the broker");
}

static bool has_work(const ir_outlet_t *outlet) {
    return !ir_ring_closed(outlet->in) || ir_ring_count(outlet->in) > 0 || outlet->current != NULL;
}

static void *run(void *context) {
    ir_outlet_t *outlet = context;
    while (has_work(outlet)) {
        if (ir_publisher_connected(outlet->publisher)) {
            work(outlet);
        } else {
            connect_outlet(outlet);
        }
    }
    clear_window(outlet, IR_FATE_UNKNOWN);
    return NULL;
}

/* ---- life ---- */

ir_status_t ir_outlet_start(const ir_outlet_options_t *options, ir_outlet_t **outlet,
                            ir_error_t *error) {
    ir_outlet_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "outlet: out of memory");
    }
    made->options = *options;
    pthread_mutex_init(&made->lock, NULL);
    snprintf(made->fault, sizeof made->fault, "not connected yet");
    ir_backoff_init(&made->backoff, options->backoff_first_ns, options->backoff_longest_ns);
    made->publisher = ir_publisher_new(&made->options.broker);
    made->in = ir_ring_new(options->capacity, false);
    made->out = ir_ring_new(options->capacity, true);
    made->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (made->publisher == NULL || made->in == NULL || made->out == NULL || made->wake_fd < 0) {
        ir_outlet_stop(made);
        return ir_error_set(error, IR_ERR_MEMORY, "outlet: out of memory or descriptors");
    }
    ir_publisher_on_answer(made->publisher, on_answer, made);
    ir_publisher_wake_on(made->publisher, made->wake_fd);
    made->started = pthread_create(&made->thread, NULL, run, made) == 0;
    if (!made->started) {
        ir_outlet_stop(made);
        return ir_error_set(error, IR_ERR_MEMORY, "outlet: cannot start a thread");
    }
    *outlet = made;
    return IR_OK;
}

void ir_outlet_stop(ir_outlet_t *outlet) {
    if (outlet == NULL) {
        return;
    }
    if (outlet->started) {
        ir_ring_close(outlet->in);
        ir_outlet_wake(outlet);
        pthread_join(outlet->thread, NULL);
        for (ir_shipment_t *shipment; (shipment = ir_outlet_take(outlet)) != NULL;) {
            ir_shipment_free(shipment);
        }
    }
    ir_publisher_free(outlet->publisher);
    ir_ring_free(outlet->in);
    ir_ring_free(outlet->out);
    if (outlet->wake_fd >= 0) {
        close(outlet->wake_fd);
    }
    pthread_mutex_destroy(&outlet->lock);
    free(outlet);
}
