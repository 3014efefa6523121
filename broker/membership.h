/* Which worker takes which partition: rendezvous hashing over the workers that announced themselves
 * within the last few seconds. Pure: no clock, no network. One thread. */
#ifndef IR_BROKER_MEMBERSHIP_H
#define IR_BROKER_MEMBERSHIP_H

#include "broker/partition_set.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_membership ir_membership_t;

/* `self` is always a member. NULL when memory is out. */
ir_membership_t *ir_membership_new(const char *self, int64_t expiry_ns);
void ir_membership_free(ir_membership_t *membership);

/* A worker announced itself (or said goodbye). True when the set changed. At most 1,024 members;
 * more are passed over. */
bool ir_membership_seen(ir_membership_t *membership, ir_view_t name, int64_t now_ns);
bool ir_membership_left(ir_membership_t *membership, ir_view_t name);

/* What a member says that it consumes. A member that never said so (an older version) is taken to
 * consume what is its own. */
void ir_membership_holds(ir_membership_t *membership, ir_view_t name,
                         const ir_partition_set_t *held);

/* Forgets members that were silent too long. True when the set changed. */
bool ir_membership_expire(ir_membership_t *membership, int64_t now_ns);

/* Whether this worker is the one for `partition`. */
bool ir_membership_owns(const ir_membership_t *membership, unsigned partition);

/* Whether another member consumes `partition`, as far as is known. */
bool ir_membership_serves(const ir_membership_t *membership, unsigned partition);

size_t ir_membership_count(const ir_membership_t *membership);

#endif
