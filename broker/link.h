/* An AMQP connection on the event loop. A short-lived thread connects and makes all calls that wait
 * for answers; the loop only sends and receives frames. Reconnects with back-off, and drives
 * heartbeats even while paused. Loop thread only. */
#ifndef IR_BROKER_LINK_H
#define IR_BROKER_LINK_H

#include "broker/connection.h"
#include "broker/rabbitmq_c.h"
#include "common/status.h"

#include <stdbool.h>

struct event_base;
typedef struct ir_link ir_link_t;

/* No callback may close the link. */
typedef struct ir_link_events {
    /* Runs in the connecting thread after login, for calls that wait. `context` belongs to the
     * owner, who must not touch what this uses until up or down is called. */
    ir_status_t (*prepare)(void *context, amqp_connection_state_t connection, ir_error_t *error);
    void (*up)(void *context);
    /* A frame of any channel except 0; valid during the call. */
    void (*frame)(void *context, const amqp_frame_t *frame);
    /* Called after the last frame of one turn of the loop. May be NULL. */
    void (*turn)(void *context);
    /* The connection broke or could not be made; another attempt follows. */
    void (*down)(void *context, const ir_error_t *error);
} ir_link_events_t;

/* Starts connecting. `options` is copied, its texts are not. */
ir_status_t ir_link_open(struct event_base *base, const ir_broker_options_t *options,
                         const ir_link_events_t *events, void *context, ir_link_t **link,
                         ir_error_t *error);

/* The connection, for sending; NULL while there is none. */
amqp_connection_state_t ir_link_connection(const ir_link_t *link);

/* Whether the broker has stopped reading from this connection (memory or disk alarm). */
bool ir_link_blocked(const ir_link_t *link);

/* How many times the link was established. */
uint64_t ir_link_count(const ir_link_t *link);

/* Abandons the connection. `down` is called later, from the loop. */
void ir_link_fail(ir_link_t *link, const ir_error_t *error);

/* Checks the result of a sending call and abandons the connection if it failed. Returns true when
 * it succeeded. */
bool ir_link_sent(ir_link_t *link, int library_status);

/* Ends this turn after the current frame; further frames wait for the next turn. */
void ir_link_yield(ir_link_t *link);

/* Stops reading from the socket; ends the current turn. */
void ir_link_pause(ir_link_t *link);
void ir_link_resume(ir_link_t *link);

/* Closes within two seconds, also while connecting, unless the host is not there
 * (ir_attempt_cancel). NULL is allowed. */
void ir_link_close(ir_link_t *link);

#endif
