/* A connection to an MQTT 3.1.1 server, used by one thread: the common part of the sender and a
 * subscription. The struct must be the first member of its owner's struct, because the library's
 * callbacks receive its address as their context. */
#ifndef IR_SEND_MQTT_CLIENT_H
#define IR_SEND_MQTT_CLIENT_H

#include "common/status.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

#include <mosquitto.h>

typedef struct ir_mqtt_client {
    const ir_target_t *target;
    struct mosquitto *handle; /* NULL: not connected */
    bool welcome;             /* the server accepted the login */
    int refused;              /* the server's answer if it refused, or 0 */
    int64_t upkeep_ns;
} ir_mqtt_client_t;

/* Creates the handle. `id` NULL: a random id with a clean session; otherwise the server keeps the
 * session of this name. The owner may set callbacks, except the connect callback. Returns
 * MOSQ_ERR_SUCCESS or an error code. */
int ir_mqtt_client_prepare(ir_mqtt_client_t *client, const ir_target_t *target, const char *id);

/* Connects and logs in, within the target's time-out. RETRY: failed, and the handle is destroyed.
 */
ir_outcome_t ir_mqtt_client_connect(ir_mqtt_client_t *client, ir_error_t *error);

/* Waits for the socket, at most `wait_ns`, and lets the library write and read once. Returns
 * MOSQ_ERR_SUCCESS or an error code. */
int ir_mqtt_client_turn(ir_mqtt_client_t *client, int64_t wait_ns);

/* Drops the connection. Always returns RETRY. */
ir_outcome_t ir_mqtt_client_lose(ir_mqtt_client_t *client, ir_status_t status, const char *why,
                                 ir_error_t *error);

/* Disconnects cleanly and frees the handle. */
void ir_mqtt_client_close(ir_mqtt_client_t *client);

/* The library's error in words. */
const char *ir_mqtt_fault_text(int code);

#endif
