/* A connection to an MQTT 3.1.1 server, driven by one thread: what the sender and a subscription
 * have in common. It is the first member of the owner's struct, and what the library's callbacks
 * get as their context. */
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
    bool welcome;             /* the server took the login */
    int refused;              /* its answer if it did not, or 0 */
    int64_t upkeep_ns;
} ir_mqtt_client_t;

/* Makes the handle. `id` NULL: any, and a clean session; else the server keeps the session of this
 * name. The owner may set callbacks, except for that of the connection. MOSQ_ERR_SUCCESS or what is
 * wrong. */
int ir_mqtt_client_prepare(ir_mqtt_client_t *client, const ir_target_t *target, const char *id);

/* Connects and logs in, within the target's time-out. RETRY: in vain, and the handle is gone. */
ir_outcome_t ir_mqtt_client_connect(ir_mqtt_client_t *client, ir_error_t *error);

/* Waits for the socket, at most so long, and lets the library write and read once. MOSQ_ERR_SUCCESS
 * or what is wrong. */
int ir_mqtt_client_turn(ir_mqtt_client_t *client, int64_t wait_ns);

/* Lets go of the connection. Always RETRY. */
ir_outcome_t ir_mqtt_client_lose(ir_mqtt_client_t *client, ir_status_t status, const char *why,
                                 ir_error_t *error);

/* Says good-bye, and lets go. */
void ir_mqtt_client_close(ir_mqtt_client_t *client);

/* The library's error in words. */
const char *ir_mqtt_fault_text(int code);

#endif
