/* Assigns partitions to workers: rendezvous hashing over the workers that announced themselves
 * within the last few seconds. Pure: no clock, no network. One thread. */
#ifndef IR_BROKER_MEMBERSHIP_H
#define IR_BROKER_MEMBERSHIP_H

#include "broker/partition_set.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_membership ir_membership_t;

/* `self` is always a member. Returns NULL when memory is exhausted. */
ir_membership_t *ir_membership_new(const char *self, int64_t expiry_ns);
void ir_membership_free(ir_membership_t *membership);

/* A worker announced itself (or left). Returns true when the set of members changed. At most 1,024
 * members; further ones are ignored. */
bool ir_membership_seen(ir_membership_t *membership, ir_view_t name, int64_t now_ns);
bool ir_membership_left(ir_membership_t *membership, ir_view_t name);

/* Records what a member says that it consumes. A member that never said so (an older version) is
 * assumed to consume its share. */
void ir_membership_holds(ir_membership_t *membership, ir_view_t name,
                         const ir_partition_set_t *held);

/* Removes members that were silent for too long. Returns true when the set changed. */
bool ir_membership_expire(ir_membership_t *membership, int64_t now_ns);

/* Whether `partition` is assigned to this worker. */
bool ir_membership_owns(const ir_membership_t *membership, unsigned partition);

/* Whether another member consumes `partition`, as far as is known. */
bool ir_membership_serves(const ir_membership_t *membership, unsigned partition);

size_t ir_membership_count(const ir_membership_t *membership);

#endif
