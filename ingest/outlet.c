#include "ingest/outlet_state.h"

#include "common/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MOTE_PART 8 /* share of the window's bytes that one mote may use */

/* ---- state for the loop ---- */

void ir_outlet_set_state(ir_outlet_t *outlet, ir_outlet_state_t state, const char *fault) {
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

bool ir_outlet_stalled(const ir_outlet_t *outlet) {
    return atomic_load(&outlet->stalled);
}

ir_outlet_counts_t ir_outlet_counts(const ir_outlet_t *outlet) {
    return (ir_outlet_counts_t){.motes_waiting = atomic_load(&outlet->motes_waiting),
                                .messages_waiting = atomic_load(&outlet->messages_waiting),
                                .given_up = atomic_load(&outlet->given_up),
                                .set_aside = atomic_load(&outlet->set_aside)};
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

/* ---- life ---- */

static ir_outlet_window_t *new_window(const ir_outlet_options_t *options) {
    const ir_outlet_window_limits_t limits = {.messages = IR_PUBLISHER_OPEN_MESSAGES,
                                              .bytes = IR_PUBLISHER_OPEN_BYTES,
                                              .memory = options->memory,
                                              .mote_messages = options->mote_messages,
                                              .mote_bytes = IR_PUBLISHER_OPEN_BYTES / MOTE_PART,
                                              .late_ns = options->late_ns};
    return ir_outlet_window_new(&limits);
}

ir_status_t ir_outlet_start(const ir_outlet_options_t *options, ir_outlet_t **outlet,
                            ir_error_t *error) {
    ir_outlet_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "outlet: out of memory");
    }
    const ir_status_t status = ir_broker_user(&options->broker, made->user, error);
    if (status != IR_OK) {
        free(made);
        return status;
    }
    made->options = *options;
    pthread_mutex_init(&made->lock, NULL);
    snprintf(made->fault, sizeof made->fault, "not connected yet");
    ir_backoff_init(&made->backoff, options->backoff_first_ns, options->backoff_longest_ns);
    made->window = new_window(options);
    made->in = ir_ring_new(options->capacity, false);
    made->out = ir_ring_new(options->capacity, true);
    made->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    made->publisher = ir_outlet_new_publisher(made);
    if (made->publisher == NULL || made->window == NULL || made->in == NULL || made->out == NULL ||
        made->wake_fd < 0) {
        ir_outlet_stop(made);
        return ir_error_set(error, IR_ERR_MEMORY, "outlet: out of memory or descriptors");
    }
    made->started = ir_thread_start(&made->thread, ir_outlet_run, made) == 0;
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
    ir_outlet_window_free(outlet->window);
    ir_ring_free(outlet->in);
    ir_ring_free(outlet->out);
    if (outlet->wake_fd >= 0) {
        close(outlet->wake_fd);
    }
    pthread_mutex_destroy(&outlet->lock);
    free(outlet);
}
