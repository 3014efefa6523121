/* One AMQP 0-9-1 connection to RabbitMQ over librabbitmq. Belongs to one thread. */
#ifndef IR_BROKER_CONNECTION_H
#define IR_BROKER_CONNECTION_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

#include <amqp.h>

typedef struct ir_broker_options {
    const char *uri; /* amqp(s)://[USER@]HOST[:PORT][/VHOST]; several, separated by commas: tried
                        in turn */
    const char *password; /* kept out of the URI; NULL: the URI's own, or guest */
    const char *name;     /* connection_name that RabbitMQ's management shows */
    const char *ca_file;  /* for amqps, or NULL */
    int64_t timeout_ns;   /* of connecting, of each call and of closing */
    int heartbeat_s;
} ir_broker_options_t;

/* Connects, logs in, negotiates heartbeats. IR_ERR_CONNECT, IR_ERR_AUTH, IR_ERR_PROTOCOL (something
 * that is no AMQP server answers), IR_ERR_USAGE (URI); the text masks passwords. `start` picks
 * which of several URIs is tried first. */
ir_status_t ir_broker_connect(const ir_broker_options_t *options, unsigned start,
                              amqp_connection_state_t *connection, ir_error_t *error);

/* Closes within the time-out, or drops the socket. Takes NULL. */
void ir_broker_disconnect(amqp_connection_state_t connection);

/* Puts the last answer of the server, or the library's fault, into words with `what` before it.
 * Returns IR_OK when the reply was normal. */
ir_status_t ir_broker_reply(amqp_rpc_reply_t reply, const char *what, ir_error_t *error);

#endif
