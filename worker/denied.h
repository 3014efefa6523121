/* Routing keys that the broker provably refuses to this worker's user. (RabbitMQ answers 403
 * because of a topic permission, which depends only on the key.) A publication with such a key is
 * refused at once. From time to time a publication with the key is tried in a transaction that is
 * rolled back (a rehearsal, broker/rehearsal.h), so that a restored permission is noticed. Any
 * thread; while there are no such keys, a look-up needs no lock. */
#ifndef IR_WORKER_DENIED_H
#define IR_WORKER_DENIED_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_DENIED_MAX 64

typedef struct ir_denied ir_denied_t;

/* Returns NULL when memory is exhausted. `ask_ns`: the time between two rehearsals of a key. */
ir_denied_t *ir_denied_new(int64_t ask_ns);
void ir_denied_free(ir_denied_t *denied);

/* Adds a key. When the table is full, it replaces the key whose last rehearsal is oldest. */
void ir_denied_add(ir_denied_t *denied, ir_view_t key, const ir_error_t *why);
void ir_denied_remove(ir_denied_t *denied, ir_view_t key);

typedef enum ir_denial {
    IR_DENIAL_NONE,
    IR_DENIAL_STANDS, /* still denied: `why` holds the broker's answer */
    IR_DENIAL_DUE     /* still denied, but the caller must now rehearse the key */
} ir_denial_t;

ir_denial_t ir_denied_find(ir_denied_t *denied, ir_view_t key, ir_error_t *why);

#endif
