/* The headers of a received message. Pure functions; NULL: the message has no headers. Of several
 * headers with the same name the first counts. */
#ifndef IR_BROKER_HEADERS_H
#define IR_BROKER_HEADERS_H

#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

/* librabbitmq's amqp_table_t and amqp_basic_properties_t. */
typedef struct amqp_table_t_ ir_headers_t;
struct amqp_basic_properties_t_;

const ir_headers_t *ir_headers_of(const struct amqp_basic_properties_t_ *properties);

bool ir_headers_has(const ir_headers_t *headers, const char *name);

/* Empty when the header is absent, or is not a text. Valid as long as the message. */
ir_view_t ir_headers_text(const ir_headers_t *headers, const char *name);

/* `otherwise` when the header is absent, or is not a signed integer of 32 or 64 bits. */
int64_t ir_headers_integer(const ir_headers_t *headers, const char *name, int64_t otherwise);

#endif
