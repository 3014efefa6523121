#include "common/rendezvous.h"

/* FNV-1a over node, separator and key, followed by the finaliser of splitmix64. Without the
 * finaliser similar names would get similar weights. */
static uint64_t hash(uint64_t state, ir_view_t view) {
    for (size_t i = 0; i < view.size; i++) {
        state = (state ^ (unsigned char)view.data[i]) * UINT64_C(0x100000001b3);
    }
    return state;
}

uint64_t ir_rendezvous_weight(ir_view_t node, ir_view_t key) {
    uint64_t state = hash(UINT64_C(0xcbf29ce484222325), node);
    state = hash(state, (ir_view_t){"\xff", 1});
    state = hash(state, key);
    state = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    state = (state ^ (state >> 27)) * UINT64_C(0x94d049bb133111eb);
    return state ^ (state >> 31);
}
