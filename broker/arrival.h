/* When a message arrived, from the headers that brokers and gateways set, and when its sender says
 * that it was sent:
 *
 * - header timestamp_in_ms: milliseconds since 1970. The broker sets it and overwrites a sender's
 *   value (ingest/stamp-arrival.erl).
 * - header ir-arrival: microseconds since 1970, set by ir-ingest. It counts only from certain
 *   users, whose names the broker has verified (property user-id).
 * - property timestamp: seconds since 1970, set by the sender. RabbitMQ 3.12 and later overwrite it
 *   when they set timestamp_in_ms.
 *
 * A value that is not an integer, occurs twice, or is outside of the years 2000 to 2199 counts as
 * absent. Pure functions. */
#ifndef IR_BROKER_ARRIVAL_H
#define IR_BROKER_ARRIVAL_H

#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_HEADER_STAMP "timestamp_in_ms"
#define IR_HEADER_ARRIVAL "ir-arrival"

/* Nanoseconds since 1970; 0: absent. */
typedef struct ir_arrival {
    int64_t broker_ns; /* from the broker's stamp */
    int64_t header_ns; /* from the header ir-arrival, whichever user set it */
    int64_t sent_ns;   /* from the property timestamp */
} ir_arrival_t;

struct amqp_basic_properties_t_; /* librabbitmq's */

ir_arrival_t ir_arrival_read(const struct amqp_basic_properties_t_ *properties);

/* Whether `users`, a list separated by commas, contains this name. False for an empty name. */
bool ir_arrival_trusts(const char *users, ir_view_t user);

/* Whether a broker of this version ("3.10.8") keeps the sender's timestamp. False for a version
 * that does not parse. */
bool ir_arrival_keeps_timestamp(ir_view_t version);

#endif
