/* When a message arrived, by the headers that brokers and gateways put there, and when its sender
 * says it was sent:
 *
 *   header timestamp_in_ms   milliseconds since 1970, set by the broker, whatever the sender wrote
 * there (ingest/stamp-arrival.erl) header ir-arrival        microseconds since 1970, set by
 * ir-ingest; counts from certain users only, whose names the broker has verified (property user-id)
 *   property timestamp       seconds since 1970, the sender's own. RabbitMQ 3.12 and later replace
 * it when they stamp.
 *
 * What is no integer, stands there twice, or lies outside of the years 2000 to 2199 counts as not
 * there. Pure functions. */
#ifndef IR_BROKER_ARRIVAL_H
#define IR_BROKER_ARRIVAL_H

#include "broker/rabbitmq_c.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_HEADER_STAMP "timestamp_in_ms"
#define IR_HEADER_ARRIVAL "ir-arrival"

/* Nanoseconds since 1970; 0: none. */
typedef struct ir_arrival {
    int64_t broker_ns; /* by the broker's stamp */
    int64_t header_ns; /* by ir-arrival, whoever sent it */
    int64_t sent_ns;   /* by the property timestamp */
} ir_arrival_t;

ir_arrival_t ir_arrival_read(const amqp_basic_properties_t *properties);

/* Whether `users`, names separated by commas, has this one. False for an empty name. */
bool ir_arrival_trusts(const char *users, ir_view_t user);

/* Whether a broker of this version ("3.10.8") leaves the sender's timestamp as it is. False for
 * what does not parse. */
bool ir_arrival_keeps_timestamp(ir_view_t version);

#endif
