/* Routing keys that the broker was proved to refuse to this worker's user (RabbitMQ: 403 by a topic
 * permission, which looks at the key and at nothing else of a message). What has such a key is
 * refused at once; now and then the key is rehearsed, so that a right that is given back is found.
 * Any thread; while there are none, looking takes no lock. */
#ifndef IR_WORKER_DENIED_H
#define IR_WORKER_DENIED_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_DENIED_MAX 64

typedef struct ir_denied ir_denied_t;

/* NULL when memory is out. `ask_ns`: how long after it was asked for a key is asked for again. */
ir_denied_t *ir_denied_new(int64_t ask_ns);
void ir_denied_free(ir_denied_t *denied);

/* When it is full, the new key takes the place of the one that was asked for longest ago. */
void ir_denied_add(ir_denied_t *denied, ir_view_t key, const ir_error_t *why);
void ir_denied_remove(ir_denied_t *denied, ir_view_t key);

typedef enum ir_denial {
    IR_DENIAL_NONE,
    IR_DENIAL_STANDS, /* *why says what the broker said */
    IR_DENIAL_DUE     /* the same, but it is time to ask for the key; this counts as asked */
} ir_denial_t;

ir_denial_t ir_denied_look(ir_denied_t *denied, ir_view_t key, ir_error_t *why);

#endif
