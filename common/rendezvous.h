/* Rendezvous (highest random weight) hashing: partitions over workers, motes over graph servers. */
#ifndef IR_COMMON_RENDEZVOUS_H
#define IR_COMMON_RENDEZVOUS_H

#include "common/view.h"

#include <stdint.h>

/* The weight of `node` for `key`; the node with the highest weight has the key. The same on every
 * machine and in every version: placement depends on it. Any thread. */
uint64_t ir_rendezvous_weight(ir_view_t node, ir_view_t key);

#endif
