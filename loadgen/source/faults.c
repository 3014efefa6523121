#include "loadgen/source/faults.h"

#include "common/clock.h"
#include "loadgen/source/hash_random.h"

#define SKEW_MAX_S 7200

/* Key spaces under the seed. */
enum {
    KEY_DUPLICATE = 16,
    KEY_LATE,
    KEY_MALFORMED,
    KEY_UNKNOWN,
    KEY_SKEW,
    KEY_SKEW_SIZE,
    KEY_BURST,
    KEY_TIMING,
    KEY_NAMED,
    KEY_REPEATED
};

static bool happens(double share, uint64_t seed, unsigned space, uint64_t index) {
    return share > 0 &&
           ir_hash_random_share(ir_hash_random_key(ir_hash_random_key(seed, space), index)) < share;
}

/* Returns a number of items, at most `most`, whose average is this share of `most`. */
static unsigned how_many(double share, unsigned most, uint64_t key) {
    return (unsigned)(share * most + ir_hash_random_share(key));
}

/* ---- bursts ---- */

/* The turns of up to eight neighbouring motes in the eight rounds of a block, as one sequence. */
typedef struct ir_group {
    uint64_t block;
    unsigned first, size;
    unsigned at; /* index of the turn in the sequence */
} ir_group_t;

static ir_group_t group_of(unsigned motes, uint64_t number) {
    const uint64_t round = number / motes;
    const unsigned place = (unsigned)(number % motes);
    ir_group_t group = {.block = round / IR_FAULTS_BLOCK, .first = place - place % IR_FAULTS_BLOCK};
    const unsigned left = motes - group.first;
    group.size = left < IR_FAULTS_BLOCK ? left : IR_FAULTS_BLOCK;
    group.at = (unsigned)(round % IR_FAULTS_BLOCK) * group.size + place % IR_FAULTS_BLOCK;
    return group;
}

/* Chooses the mote of a turn. First the other motes take turns; then the motes that were silent
 * send their bursts, one mote after the other. */
static void take_turns(const ir_faults_t *faults, uint64_t seed, const ir_group_t *group,
                       ir_turn_t *turn) {
    unsigned silent = 0;
    unsigned shift = 0;
    if (faults->bursts > 0 && group->size > 1) {
        const uint64_t key = ir_hash_random_key(
            ir_hash_random_key(ir_hash_random_key(seed, KEY_BURST), group->block), group->first);
        silent = how_many(faults->bursts, group->size, key);
        shift = (unsigned)(ir_hash_random_part(key, 0) * group->size);
    }
    const unsigned others = group->size - silent;
    const bool waits = group->at >= others * IR_FAULTS_BLOCK;
    const unsigned rest = waits ? group->at - others * IR_FAULTS_BLOCK : group->at;
    const unsigned member = waits ? others + rest / IR_FAULTS_BLOCK : rest % others;
    const unsigned round = waits ? rest % IR_FAULTS_BLOCK : rest / others;
    turn->mote = group->first + (member + shift) % group->size;
    turn->round = group->block * IR_FAULTS_BLOCK + round;
    turn->faults |= waits ? IR_FAULT_BURST : 0u;
}

/* ---- late messages ---- */

/* Moves some consecutive messages of the block to its end. */
static void hold_back(const ir_faults_t *faults, uint64_t seed, ir_turn_t *turn) {
    if (faults->late <= 0) {
        return;
    }
    const uint64_t block = turn->round / IR_FAULTS_BLOCK;
    const unsigned at = (unsigned)(turn->round % IR_FAULTS_BLOCK);
    const uint64_t key = ir_hash_random_key(
        ir_hash_random_key(ir_hash_random_key(seed, KEY_LATE), turn->mote), block);
    const unsigned held = how_many(faults->late, IR_FAULTS_BLOCK, key);
    const unsigned others = IR_FAULTS_BLOCK - held;
    const unsigned first = (unsigned)(ir_hash_random_part(key, 0) * others);
    unsigned moved = at;
    if (at >= others) {
        moved = first + (at - others);
        turn->faults |= IR_FAULT_LATE;
    } else if (at >= first) {
        moved = at + held;
    }
    turn->round = block * IR_FAULTS_BLOCK + moved;
}

/* ---- the whole ---- */

static bool repeats(const ir_faults_t *faults, uint64_t seed, uint64_t number) {
    return number % 2 == 1 && happens(2 * faults->duplicates, seed, KEY_DUPLICATE, number);
}

void ir_faults_turn(const ir_faults_t *faults, uint64_t seed, unsigned motes, uint64_t number,
                    ir_turn_t *turn) {
    const uint64_t original = repeats(faults, seed, number) ? number - 1 : number;
    const ir_group_t group = group_of(motes, original);
    *turn = (ir_turn_t){.original = original};
    turn->faults |= original != number ? IR_FAULT_DUPLICATE : 0u;
    take_turns(faults, seed, &group, turn);
    hold_back(faults, seed, turn);
    if (happens(faults->malformed, seed, KEY_MALFORMED, original)) {
        turn->faults |= IR_FAULT_MALFORMED;
    } else if (happens(faults->unknown, seed, KEY_UNKNOWN, original)) {
        turn->faults |= IR_FAULT_UNKNOWN;
    }
    turn->faults |= ir_faults_skew(faults, seed, turn->mote) != 0 ? IR_FAULT_SKEW : 0u;
}

void ir_faults_timed(const ir_timings_t *timings, const ir_faults_t *faults, uint64_t seed,
                     uint64_t number, ir_timed_t *timed) {
    *timed = (ir_timed_t){.timing = IR_TIMING_ABSOLUTE};
    if (timings->relative + timings->clockless <= 0 || repeats(faults, seed, number | 1)) {
        return;
    }
    const double share =
        ir_hash_random_share(ir_hash_random_key(ir_hash_random_key(seed, KEY_TIMING), number));
    if (share < timings->relative) {
        timed->timing = IR_TIMING_RELATIVE;
    } else if (share < timings->relative + timings->clockless) {
        timed->timing = IR_TIMING_CLOCKLESS;
        timed->repeated = happens(timings->repeated, seed, KEY_REPEATED, number);
    } else {
        return;
    }
    timed->named = happens(timings->named, seed, KEY_NAMED, number);
}

unsigned ir_faults_shift(const ir_faults_t *faults) {
    return faults->late > 0 || faults->bursts > 0 ? IR_FAULTS_BLOCK - 1 : 0;
}

int64_t ir_faults_skew(const ir_faults_t *faults, uint64_t seed, unsigned mote) {
    if (!happens(faults->skew, seed, KEY_SKEW, mote)) {
        return 0;
    }
    const uint64_t key = ir_hash_random_key(ir_hash_random_key(seed, KEY_SKEW_SIZE), mote);
    const int64_t size = 1 + (int64_t)(ir_hash_random_part(key, 0) * SKEW_MAX_S);
    return (ir_hash_random_part(key, 1) < 0.5 ? size : -size) * IR_SECOND_NS;
}
