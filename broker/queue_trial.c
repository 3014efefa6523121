#include "broker/queue_trial.h"

#include "broker/replies.h"
#include "broker/topology.h"
#include "common/clock.h"
#include "common/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#define CHANNEL 1
#define LONGEST_NS (5 * IR_SECOND_NS)

struct ir_queue_trial {
    ir_broker_options_t options;
    ir_queue_trial_done_t done;
    void *context;
    int done_fd;
    struct event *event;
    ir_attempt_t attempt;
    pthread_t thread;
    bool running; /* while this is true, the thread owns the fields below */
    unsigned partition;
    ir_status_t status;
    ir_error_t error;
};

/* ---- on the thread ---- */

static bool closed_channel(amqp_rpc_reply_t reply) {
    return reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
           reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD;
}

static ir_status_t consume(amqp_connection_state_t connection, unsigned partition,
                           ir_error_t *error) {
    char queue[32];
    ir_topology_queue(partition, queue);
    if (amqp_channel_open(connection, CHANNEL) != NULL &&
        amqp_basic_qos(connection, CHANNEL, 0, 1, 0) != NULL) {
        amqp_basic_consume(connection, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0,
                           0, amqp_empty_table);
    }
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    return closed_channel(reply) ? IR_OK
                                 : ir_broker_reply(reply, "its queue does not answer", error);
}

/* A connection that waits for a queue would not answer a close either, so the socket is dropped. */
static void *run(void *argument) {
    ir_queue_trial_t *trial = argument;
    amqp_connection_state_t connection = NULL;
    trial->status = ir_broker_connect(&trial->options, 0, &connection, &trial->error);
    if (trial->status == IR_OK) {
        trial->status = consume(connection, trial->partition, &trial->error);
    }
    (void)ir_attempt_use(&trial->attempt, -1);
    if (trial->status == IR_OK) {
        ir_broker_disconnect(connection);
    } else if (connection != NULL) {
        amqp_destroy_connection(connection);
    }
    (void)!write(trial->done_fd, &(uint64_t){1}, sizeof(uint64_t));
    return NULL;
}

/* ---- on the loop ---- */

static void on_done(evutil_socket_t fd, short what, void *context) {
    (void)what;
    ir_queue_trial_t *trial = context;
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
    pthread_join(trial->thread, NULL);
    trial->running = false;
    const ir_error_t error = trial->error;
    trial->done(trial->context, trial->partition, trial->status == IR_OK ? NULL : &error);
}

bool ir_queue_trial_begin(ir_queue_trial_t *trial, unsigned partition) {
    if (trial->running) {
        return false;
    }
    trial->partition = partition;
    trial->running = ir_thread_start(&trial->thread, run, trial) == 0;
    return trial->running;
}

ir_status_t ir_queue_trial_open(struct event_base *base, const ir_broker_options_t *options,
                                ir_queue_trial_done_t done, void *context, ir_queue_trial_t **trial,
                                ir_error_t *error) {
    ir_queue_trial_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the trial of queues");
    }
    made->options = *options;
    made->options.receives = true;
    ir_attempt_init(&made->attempt);
    made->options.attempt = &made->attempt;
    if (made->options.timeout_ns > LONGEST_NS) {
        made->options.timeout_ns = LONGEST_NS;
    }
    made->done = done;
    made->context = context;
    made->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->done_fd >= 0) {
        made->event = event_new(base, made->done_fd, EV_READ | EV_PERSIST, on_done, made);
    }
    if (made->event == NULL || event_add(made->event, NULL) != 0) {
        ir_queue_trial_close(made);
        return ir_error_set(error, IR_ERR_IO, "cannot watch the trial of queues");
    }
    *trial = made;
    return IR_OK;
}

void ir_queue_trial_close(ir_queue_trial_t *trial) {
    if (trial == NULL) {
        return;
    }
    if (trial->running) {
        ir_attempt_cancel(&trial->attempt);
        pthread_join(trial->thread, NULL);
    }
    if (trial->event != NULL) {
        event_free(trial->event);
    }
    if (trial->done_fd >= 0) {
        close(trial->done_fd);
    }
    ir_attempt_destroy(&trial->attempt);
    free(trial);
}
