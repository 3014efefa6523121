/* The state of the outlet, shared by outlet.c (opening, closing, and the functions that the
 * gateway's loop calls) and outlet_thread.c (the thread that publishes). */
#ifndef IR_INGEST_OUTLET_STATE_H
#define IR_INGEST_OUTLET_STATE_H

#include "broker/publisher.h"
#include "common/backoff.h"
#include "common/ring.h"
#include "ingest/outlet.h"
#include "ingest/window.h"

#include <pthread.h>
#include <stdatomic.h>

#define IR_OUTLET_ASIDES 8

/* A connection that only waits for answers. */
typedef struct ir_outlet_aside {
    ir_publisher_t *publisher;
    int64_t end_ns; /* when the connection must end; 0: when everything is answered */
} ir_outlet_aside_t;

struct ir_outlet {
    ir_outlet_options_t options;
    char user[IR_BROKER_USER_SIZE];
    ir_publisher_t *publisher;
    ir_ring_t *in, *out;
    int wake_fd;
    pthread_t thread;
    bool started;
    atomic_size_t under_way; /* number of shipments passed in and not yet collected */

    pthread_mutex_t lock; /* protects the last error */
    char fault[sizeof(((ir_error_t *)0)->text)];
    atomic_int state;
    atomic_uint_fast64_t connections;
    atomic_bool stalled;
    atomic_uint_fast64_t motes_waiting, messages_waiting, given_up, set_aside;

    /* the thread's */
    ir_outlet_aside_t asides[IR_OUTLET_ASIDES]; /* the oldest first */
    size_t n_asides;
    ir_outlet_window_t *window;
    int64_t answered_ns; /* when the last answer arrived */
    bool admits;         /* the next message comes from a new shipment */
    int64_t turned_ns;   /* when the last turn began */
    int64_t drained_ns;  /* when sending stopped for a new connection; 0: it goes on */
    ir_backoff_t backoff;
    int64_t logged_ns;
};

/* Reports the connection's state and its reason to the loop. */
void ir_outlet_set_state(ir_outlet_t *outlet, ir_outlet_state_t state, const char *fault);

/* The thread; `context` is the outlet. Ends when the ring `in` is closed. */
void *ir_outlet_run(void *context);

/* NULL when out of memory. */
ir_publisher_t *ir_outlet_new_publisher(ir_outlet_t *outlet);

#endif
