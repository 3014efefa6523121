#include "broker/link.h"

#include "broker/replies.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#define FIRST_WAIT_NS (100 * IR_MILLISECOND_NS)
#define LONGEST_WAIT_NS (10 * IR_SECOND_NS)

typedef enum ir_link_state {
    IR_LINK_WAITING,    /* waiting for the end of the back-off */
    IR_LINK_CONNECTING, /* the thread is running and owns `made`, `status` and `made_error` */
    IR_LINK_UP,
    IR_LINK_FAILED /* `error` has the reason; the loop will close the connection */
} ir_link_state_t;

struct ir_link {
    struct event_base *base;
    ir_broker_options_t options;
    ir_link_events_t events;
    void *context;

    ir_link_state_t state;
    amqp_connection_state_t connection;
    bool blocked, paused, yielded;
    int heartbeat_s;
    int64_t heard_ns;
    uint64_t count;
    int64_t up_ns;
    ir_error_t error;
    ir_backoff_t backoff;

    struct event *readable; /* event of the connection's socket */
    struct event *soon;     /* frames are left to be read, or the connection failed */
    struct event *heartbeat;
    struct event *wait; /* back-off */

    pthread_t thread;
    unsigned attempt;
    int done_fd;
    struct event *done;
    ir_attempt_t attempting; /* lets the thread's attempt be cancelled */
    amqp_connection_state_t made;
    ir_status_t status;
    ir_error_t made_error;
};

static void add_timer(struct event *event, int64_t ns) {
    const struct timeval after = {.tv_sec = ns / IR_SECOND_NS, .tv_usec = ns % IR_SECOND_NS / 1000};
    evtimer_add(event, &after);
}

/* ---- connecting ---- */

static void *run_connecting(void *argument) {
    ir_link_t *link = argument;
    link->status = ir_broker_connect(&link->options, link->attempt, &link->made, &link->made_error);
    if (link->status == IR_OK) {
        link->status = link->events.prepare(link->context, link->made, &link->made_error);
    }
    (void)ir_attempt_use(&link->attempting, -1);
    if (link->status != IR_OK) {
        ir_broker_disconnect(link->made);
        link->made = NULL;
    }
    (void)!write(link->done_fd, &(uint64_t){1}, sizeof(uint64_t));
    return NULL;
}

static void wait_and_retry(ir_link_t *link) {
    link->state = IR_LINK_WAITING;
    add_timer(link->wait, ir_backoff_next(&link->backoff));
}

static void on_wait_over(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_link_t *link = context;
    link->attempt++;
    link->made = NULL;
    link->state = IR_LINK_CONNECTING;
    const int failed = ir_thread_start(&link->thread, run_connecting, link);
    if (failed != 0) {
        ir_error_t error;
        ir_error_set(&error, IR_ERR_MEMORY, "cannot start a thread to connect to RabbitMQ: %s",
                     strerror(failed));
        wait_and_retry(link);
        link->events.down(link->context, &error);
    }
}

/* ---- down ---- */

static void free_event(struct event **event) {
    if (*event != NULL) {
        event_free(*event);
        *event = NULL;
    }
}

/* A connection that is refused right after it was established does not reset the back-off. */
static void take_down(ir_link_t *link) {
    if (ir_clock_monotonic() - link->up_ns >= LONGEST_WAIT_NS) {
        ir_backoff_reset(&link->backoff);
    }
    free_event(&link->readable);
    evtimer_del(link->heartbeat);
    evtimer_del(link->soon);
    amqp_destroy_connection(link->connection);
    link->connection = NULL;
    link->blocked = false;
    const ir_error_t error = link->error;
    wait_and_retry(link);
    link->events.down(link->context, &error);
}

void ir_link_fail(ir_link_t *link, const ir_error_t *error) {
    if (link->state == IR_LINK_UP) {
        link->state = IR_LINK_FAILED;
        link->error = *error;
        add_timer(link->soon, 0);
    }
}

bool ir_link_sent(ir_link_t *link, int library_status) {
    if (library_status == AMQP_STATUS_OK) {
        return true;
    }
    ir_error_t error;
    ir_broker_fault(library_status, "sending failed", &error);
    ir_link_fail(link, &error);
    return false;
}

/* ---- frames ---- */

static void hand_out(ir_link_t *link, const amqp_frame_t *frame) {
    if (frame->channel != 0) {
        link->events.frame(link->context, frame);
    } else {
        ir_error_t error;
        if (ir_broker_control(link->connection, frame, &link->blocked, &error) != IR_OK) {
            ir_link_fail(link, &error);
        }
    }
    amqp_maybe_release_buffers_on_channel(link->connection, frame->channel);
}

/* Reads from the socket at most once, and passes on the frames of that read. */
static void read_frames(ir_link_t *link) {
    link->yielded = false;
    do {
        amqp_frame_t frame;
        const int status = ir_broker_read(link->connection, &frame);
        if (status == AMQP_STATUS_TIMEOUT) {
            return;
        }
        if (status != AMQP_STATUS_OK) {
            ir_error_t error;
            ir_broker_fault(status, "receiving failed", &error);
            ir_link_fail(link, &error);
            return;
        }
        hand_out(link, &frame);
    } while (link->state == IR_LINK_UP && !link->paused && !link->yielded &&
             (amqp_data_in_buffer(link->connection) || amqp_frames_enqueued(link->connection)));
}

static void run_turn(ir_link_t *link) {
    if (link->state == IR_LINK_UP && !link->paused) {
        read_frames(link);
        if (link->events.turn != NULL) {
            link->events.turn(link->context);
        }
    }
    if (link->state == IR_LINK_FAILED) {
        take_down(link);
    } else if (link->state == IR_LINK_UP && !link->paused &&
               (amqp_data_in_buffer(link->connection) || amqp_frames_enqueued(link->connection))) {
        add_timer(link->soon, 0);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_link_t *link = context;
    link->heard_ns = ir_clock_monotonic();
    evtimer_del(link->soon);
    run_turn(link);
}

static void on_soon(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    run_turn(context);
}

/* ---- heartbeats ---- */

static void on_heartbeat(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_link_t *link = context;
    if (link->state != IR_LINK_UP) {
        return;
    }
    const int64_t silence_ns = ir_clock_monotonic() - link->heard_ns;
    if (!link->paused && silence_ns > 2 * link->heartbeat_s * IR_SECOND_NS) {
        ir_error_t error;
        ir_error_set(&error, IR_ERR_CONNECT, "RabbitMQ was silent for two heartbeats (%d s)",
                     2 * link->heartbeat_s);
        ir_link_fail(link, &error);
        return;
    }
    const amqp_frame_t heartbeat = {.frame_type = AMQP_FRAME_HEARTBEAT};
    ir_link_sent(link, amqp_send_frame(link->connection, &heartbeat));
}

static void start_heartbeat(ir_link_t *link) {
    link->heartbeat_s = ir_broker_take_heartbeat(link->connection);
    link->heard_ns = ir_clock_monotonic();
    if (link->heartbeat_s > 0) {
        const struct timeval half = {.tv_sec = link->heartbeat_s / 2,
                                     .tv_usec = link->heartbeat_s % 2 * 500000};
        event_add(link->heartbeat, &half);
    }
}

/* ---- up ---- */

static ir_status_t watch_socket(ir_link_t *link, ir_error_t *error) {
    link->readable = event_new(link->base, amqp_get_sockfd(link->connection), EV_READ | EV_PERSIST,
                               on_readable, link);
    if (link->readable == NULL || (!link->paused && event_add(link->readable, NULL) != 0)) {
        return ir_error_set(error, IR_ERR_MEMORY, "cannot watch the broker's socket");
    }
    return IR_OK;
}

static void go_up(ir_link_t *link) {
    link->connection = link->made;
    link->made = NULL;
    link->state = IR_LINK_UP;
    if (watch_socket(link, &link->error) != IR_OK) {
        take_down(link);
        return;
    }
    link->count++;
    link->up_ns = ir_clock_monotonic();
    start_heartbeat(link);
    link->events.up(link->context);
    add_timer(link->soon, 0);
}

static void on_done(evutil_socket_t fd, short what, void *context) {
    (void)what;
    ir_link_t *link = context;
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
    if (link->state != IR_LINK_CONNECTING) {
        return;
    }
    pthread_join(link->thread, NULL);
    if (link->status == IR_OK) {
        go_up(link);
        return;
    }
    const ir_error_t error = link->made_error;
    wait_and_retry(link);
    link->events.down(link->context, &error);
}

/* ---- functions for the owner ---- */

static ir_status_t make_events(ir_link_t *link, ir_error_t *error) {
    link->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->done_fd < 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot make an event descriptor: %s",
                            strerror(errno));
    }
    link->done = event_new(link->base, link->done_fd, EV_READ | EV_PERSIST, on_done, link);
    link->soon = evtimer_new(link->base, on_soon, link);
    link->wait = evtimer_new(link->base, on_wait_over, link);
    link->heartbeat = event_new(link->base, -1, EV_PERSIST, on_heartbeat, link);
    if (link->done == NULL || link->soon == NULL || link->wait == NULL || link->heartbeat == NULL ||
        event_add(link->done, NULL) != 0) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the broker's events");
    }
    return IR_OK;
}

ir_status_t ir_link_open(struct event_base *base, const ir_broker_options_t *options,
                         const ir_link_events_t *events, void *context, ir_link_t **link,
                         ir_error_t *error) {
    ir_link_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a broker connection");
    }
    made->base = base;
    made->options = *options;
    made->events = *events;
    made->context = context;
    made->done_fd = -1;
    made->attempt = UINT32_MAX;
    ir_attempt_init(&made->attempting);
    made->options.attempt = &made->attempting;
    ir_backoff_init(&made->backoff, FIRST_WAIT_NS, LONGEST_WAIT_NS);
    const ir_status_t status = make_events(made, error);
    if (status != IR_OK) {
        ir_link_close(made);
        return status;
    }
    add_timer(made->wait, 0);
    *link = made;
    return IR_OK;
}

amqp_connection_state_t ir_link_connection(const ir_link_t *link) {
    return link->state == IR_LINK_UP ? link->connection : NULL;
}

bool ir_link_blocked(const ir_link_t *link) {
    return link->blocked;
}

uint64_t ir_link_count(const ir_link_t *link) {
    return link->count;
}

void ir_link_yield(ir_link_t *link) {
    link->yielded = true;
}

void ir_link_pause(ir_link_t *link) {
    link->paused = true;
    if (link->readable != NULL) {
        event_del(link->readable);
    }
}

void ir_link_resume(ir_link_t *link) {
    if (!link->paused) {
        return;
    }
    link->paused = false;
    link->heard_ns = ir_clock_monotonic();
    if (link->readable != NULL) {
        event_add(link->readable, NULL);
        add_timer(link->soon, 0);
    }
}

void ir_link_close(ir_link_t *link) {
    if (link == NULL) {
        return;
    }
    if (link->state == IR_LINK_CONNECTING) {
        ir_attempt_cancel(&link->attempting);
        pthread_join(link->thread, NULL);
        ir_broker_disconnect(link->made);
    }
    free_event(&link->readable);
    free_event(&link->done);
    free_event(&link->soon);
    free_event(&link->wait);
    free_event(&link->heartbeat);
    if (link->state == IR_LINK_UP && !link->blocked) {
        ir_broker_disconnect(link->connection);
    } else {
        amqp_destroy_connection(link->connection);
    }
    if (link->done_fd >= 0) {
        close(link->done_fd);
    }
    ir_attempt_destroy(&link->attempting);
    free(link);
}
