/* Routing keys that the broker was proved to refuse to this worker's user (RabbitMQ: 403 by a topic
 * permission, which looks at the key and at nothing else of a message). What has such a key is
 * refused at once; now and then the key is rehearsed, so that a right that is given back is found.
 * One thread. */
#ifndef IR_WORKER_DENIED_H
#define IR_WORKER_DENIED_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_DENIED_MAX 64

typedef struct ir_denied_key {
    char text[256]; /* AMQP's longest, and a zero */
    int64_t asked_ns;
    ir_error_t why;
} ir_denied_key_t;

/* Zeroed: empty. When it is full, a new key takes the place of the one that was asked for longest
 * ago. */
typedef struct ir_denied {
    ir_denied_key_t keys[IR_DENIED_MAX];
    size_t count;
} ir_denied_t;

void ir_denied_add(ir_denied_t *denied, ir_view_t key, const ir_error_t *why);

/* NULL: it is not among them. */
ir_denied_key_t *ir_denied_find(ir_denied_t *denied, ir_view_t key);
void ir_denied_remove(ir_denied_t *denied, ir_denied_key_t *key);

/* It is time to ask for it again; counts as asked now. */
bool ir_denied_ask(ir_denied_key_t *key);

#endif
