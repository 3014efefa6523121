/* One AMQP 0-9-1 connection to RabbitMQ, through librabbitmq, whose headers only broker/ includes.
 * Belongs to one thread. */
#ifndef IR_BROKER_CONNECTION_H
#define IR_BROKER_CONNECTION_H

#include "broker/attempt.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* librabbitmq's amqp_connection_state_t is a pointer to this. */
typedef struct amqp_connection_state_t_ ir_connection_t;

/* The texts are not copied: they must outlive whatever was opened with them. */
typedef struct ir_broker_options {
    const char *uri; /* amqp(s)://[USER@]HOST[:PORT][/VHOST]; several, separated by commas: tried
                        in turn, all with or all without TLS */
    const char *password; /* password for URIs that contain none; NULL: guest */
    const char *name;     /* connection_name, shown by RabbitMQ's management */
    const char *ca_file;  /* for amqps, or NULL */
    int64_t timeout_ns;   /* limit for connecting and for each call */
    int heartbeat_s;
    size_t message_bytes; /* limit on published messages; 0: no limit */
    size_t trial_bytes;   /* the largest message to expect: publishers try it when they connect
                             (broker/size_trial.h); 0: nothing is tried */
    bool receives; /* the connection publishes nothing, and accepts larger frames than negotiated:
                      RabbitMQ adds its own headers to those of a message, even if that exceeds the
                      frame */
    ir_attempt_t *attempt; /* lets another thread abort connecting; NULL: no thread does. Afterwards
                            * it still holds the connection's socket */
} ir_broker_options_t;

/* Connects, logs in and negotiates heartbeats. IR_ERR_CONNECT, IR_ERR_AUTH, IR_ERR_PROTOCOL (the
 * peer is not an AMQP server), IR_ERR_USAGE (URI). Passwords in the text are masked. `start`
 * selects which of several URIs is tried first. */
ir_status_t ir_broker_connect(const ir_broker_options_t *options, unsigned start,
                              ir_connection_t **connection, ir_error_t *error);

/* Checks that all addresses parse, without connecting. IR_ERR_USAGE, IR_ERR_MEMORY. */
ir_status_t ir_broker_check(const ir_broker_options_t *options, ir_error_t *error);

#define IR_BROKER_USER_SIZE 256

/* The user that all addresses log in as. IR_ERR_USAGE also when they name several users. */
ir_status_t ir_broker_user(const ir_broker_options_t *options,
                           char user[static IR_BROKER_USER_SIZE], ir_error_t *error);

/* The virtual host of the first address. */
ir_status_t ir_broker_host(const ir_broker_options_t *options,
                           char host[static IR_BROKER_USER_SIZE], ir_error_t *error);

/* Whether these options use TLS. */
bool ir_broker_secure(const ir_broker_options_t *options);

/* The server's version as it reports it ("3.10.8"); empty when it reports none. Valid as long as
 * the connection. */
ir_view_t ir_broker_version(ir_connection_t *connection);

/* Waits two seconds at most for the server's goodbye. Discards everything that still arrives. NULL
 * is allowed. */
void ir_broker_disconnect(ir_connection_t *connection);

/* Passes the duty of heartbeats to the caller. The caller must send one at least every half
 * interval (AMQP_FRAME_HEARTBEAT on channel 0) and watch for silence. The library sends its own
 * only inside waiting calls, which would be too late, or in the middle of a frame that was written
 * without the library. Returns the negotiated interval in seconds; 0: none. */
int ir_broker_take_heartbeat(ir_connection_t *connection);

#endif
