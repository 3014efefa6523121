/* A thread that writes uplinks from a network server's MQTT broker to a spool.
 *
 * A message is on disk before it is acknowledged: the library queues its packets
 * (mosquitto_threaded_set) until the spool is durable. With QoS 1 and a persistent session
 * (ChirpStack), nothing is lost while this program is down, within the limits of the broker's
 * queue. With QoS 0 (The Things Stack), messages during that time are lost. While the spool is
 * full, the subscription is disconnected. */
#ifndef IR_FEED_SUBSCRIPTION_H
#define IR_FEED_SUBSCRIPTION_H

#include "common/status.h"
#include "feed/position.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_feed_subscription ir_feed_subscription_t;

typedef struct ir_subscription_options {
    const ir_position_t *position;
    const char *spool; /* folder */
    int64_t spool_bytes;
    int64_t timeout_ns;
} ir_subscription_options_t;

/* Everything given outlives it. */
ir_status_t ir_subscription_start(const ir_subscription_options_t *options,
                                  ir_feed_subscription_t **subscription, ir_error_t *error);

/* Whether the broker refused the user or the topic before it ever accepted the subscription. Then
 * the thread has given up, and `error` has the reason. Any thread. */
bool ir_subscription_gave_up(const ir_feed_subscription_t *subscription, ir_error_t *error);

/* Disconnects and waits for the thread. Takes NULL. */
void ir_subscription_stop(ir_feed_subscription_t *subscription);

/* Checks the position's address. */
ir_status_t ir_subscription_check(const ir_position_t *position, ir_error_t *error);

#endif
