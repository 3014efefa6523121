/* The name that a sender gives a request in the header Idempotency-Key
 * (draft-ietf-httpapi-idempotency-key-header), with or without the draft's quotes. Pure
 * functions. */
#ifndef IR_INGEST_KEY_H
#define IR_INGEST_KEY_H

#include "common/arena.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_KEY_MAX 200 /* bytes; KEY/LINE must fit into a short string of AMQP */

/* `key` becomes a view of `header` without quotes. Returns false when it is empty or too long, or
 * contains anything but visible ASCII without '"' and '\'. */
bool ir_key_parse(const char *header, ir_view_t *key);

/* The name of the pack on this line: KEY/LINE. Empty when memory is exhausted. */
ir_view_t ir_key_line(ir_view_t key, size_t line, ir_arena_t *arena);

#endif
