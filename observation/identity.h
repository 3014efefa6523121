/* Who is who: the ids of raw messages and of observations (RFC 4122, version 5).
 *
 * raw message id = UUIDv5(IR_NAMESPACE_RAW, MOTE "\n" BODY)
 * observation id = UUIDv5(IR_NAMESPACE_OBSERVATION, NAME "\n" TIME "\n" VALUE)
 * revision id    = UUIDv5(IR_NAMESPACE_REVISION, OBSERVATION-ID "\n" TEST "\n" FLAG)
 *
 * NAME is the full SenML name, TIME the decimal nanoseconds since the epoch, VALUE the value as
 * sent, before any unit conversion: a number as number.h writes it, a string as it is,
 * "true"/"false", or data as base64url. So what is delivered or resent twice has the same id, and a
 * corrected value at the same time is another observation. */
#ifndef IR_OBSERVATION_IDENTITY_H
#define IR_OBSERVATION_IDENTITY_H

#include "common/view.h"
#include "observation/value.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_id {
    uint8_t bytes[16];
} ir_id_t;

#define IR_ID_TEXT_SIZE 37

/* The namespaces, as UUID text, for docs and other programs. */
#define IR_NAMESPACE_RAW "0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a01"
#define IR_NAMESPACE_OBSERVATION "0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a02"
#define IR_NAMESPACE_REVISION "0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a03"

/* All thread-safe and free of allocation, except that a value that is data uses the heap; false
 * only when that memory is out. */
bool ir_id_raw(ir_view_t mote, ir_view_t body, ir_id_t *id);
bool ir_id_observation(ir_view_t name, int64_t time_ns, const ir_value_t *value, ir_id_t *id);
bool ir_id_revision(const ir_id_t *observation, const char *test, int flag, ir_id_t *id);

/* Lower-case 8-4-4-4-12. Returns `text`. */
char *ir_id_format(const ir_id_t *id, char text[static IR_ID_TEXT_SIZE]);
bool ir_id_parse(ir_view_t text, ir_id_t *id);

/* memcmp order. */
int ir_id_compare(const ir_id_t *a, const ir_id_t *b);

#endif
