/* Rendezvous (highest random weight) hashing. It assigns partitions to workers and motes to graph
 * servers. */
#ifndef IR_COMMON_RENDEZVOUS_H
#define IR_COMMON_RENDEZVOUS_H

#include "common/view.h"

#include <stdint.h>

/* The weight of `node` for `key`. The node with the highest weight gets the key. The function
 * must stay the same on every machine and in every version, because placement depends on it. Any
 * thread. */
uint64_t ir_rendezvous_weight(ir_view_t node, ir_view_t key);

#endif
