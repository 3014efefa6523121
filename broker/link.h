/* An AMQP connection on the event loop. Connecting and all that waits for answers is done by a
 * short-lived thread; the loop only sends and takes frames. Connects anew by itself with back-off,
 * drives heartbeats, also while paused. Loop thread only. */
#ifndef IR_BROKER_LINK_H
#define IR_BROKER_LINK_H

#include "broker/connection.h"
#include "broker/rabbitmq_c.h"
#include "common/status.h"

#include <stdbool.h>

struct event_base;
typedef struct ir_link ir_link_t;

/* None of these may close the link. */
typedef struct ir_link_events {
    /* On the connecting thread, after login: calls that wait. `context` is the owner's, who leaves
     * what this touches alone until up or down. */
    ir_status_t (*prepare)(void *context, amqp_connection_state_t connection, ir_error_t *error);
    void (*up)(void *context);
    /* A frame of any channel but 0; it lives during the call. */
    void (*frame)(void *context, const amqp_frame_t *frame);
    /* After the last frame of one turn of the loop; may be NULL. */
    void (*turn)(void *context);
    /* The connection broke, or could not be made; tried again after a while. */
    void (*down)(void *context, const ir_error_t *error);
} ir_link_events_t;

/* Begins to connect. `options` is copied, its texts are not. */
ir_status_t ir_link_open(struct event_base *base, const ir_broker_options_t *options,
                         const ir_link_events_t *events, void *context, ir_link_t **link,
                         ir_error_t *error);

/* For sending; NULL while there is none. */
amqp_connection_state_t ir_link_connection(const ir_link_t *link);

/* The broker does not read what this connection sends (memory or disk alarm). */
bool ir_link_blocked(const ir_link_t *link);

/* Times the link came up. */
uint64_t ir_link_count(const ir_link_t *link);

/* Gives the connection up; `down` is called from the loop, not from here. */
void ir_link_fail(ir_link_t *link, const ir_error_t *error);

/* Looks at what a sending call returned; gives the connection up when it failed. True: sent. */
bool ir_link_sent(ir_link_t *link, int library_status);

/* Ends this turn after the frame at hand; the others wait for the next. */
void ir_link_yield(ir_link_t *link);

/* The socket is left unread; a turn under way ends. */
void ir_link_pause(ir_link_t *link);
void ir_link_resume(ir_link_t *link);

/* Closes within the time-out (while it connects: of connecting). Takes NULL. */
void ir_link_close(ir_link_t *link);

#endif
