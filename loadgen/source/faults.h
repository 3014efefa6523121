/* Who sends when, and what is wrong with it on purpose: a pure function of seed and message number.
 * Any thread.
 *
 * Motes take turns: in every round each sends one message, its next. Faults change that within
 * blocks of eight rounds: in a burst, a mote sends nothing until the block's end and then its eight
 * messages one after the other (the seven motes beside it send in its place, a little early, so the
 * load stays even); late messages are held back to the end of their block and come after younger
 * ones. A duplicate takes the place of the message after it. */
#ifndef IR_LOADGEN_SOURCE_FAULTS_H
#define IR_LOADGEN_SOURCE_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* Bits. */
typedef enum ir_fault {
    IR_FAULT_DUPLICATE = 1, /* the message before it once more, byte for byte */
    IR_FAULT_LATE = 2,      /* measured before what its mote has sent already */
    IR_FAULT_MALFORMED = 4, /* no SenML, or of a version that nobody knows: refused whole */
    IR_FAULT_UNKNOWN = 8,   /* one record is of a sensor that the registry lacks */
    IR_FAULT_SKEW = 16,     /* its mote's clock is wrong */
    IR_FAULT_BURST = 32     /* one of several that its mote sends at once */
} ir_fault_t;

#define IR_FAULTS_BLOCK 8 /* rounds; and motes that share a burst */

/* What a pack says of the times of its records. */
typedef enum ir_timing {
    IR_TIMING_ABSOLUTE,
    IR_TIMING_RELATIVE, /* how long before the pack was sent */
    IR_TIMING_CLOCKLESS /* nothing */
} ir_timing_t;

/* The share of messages (of motes: skew) that have each fault, 0 … 1; duplicates and late at most
 * 0.5. A single mote has no bursts: it has no neighbours. */
typedef struct ir_faults {
    double duplicates, late, malformed, unknown, skew, bursts;
} ir_faults_t;

#define IR_FAULTS_SHARE_MAX 0.5 /* of duplicates and late */

/* The share of messages whose times are relative and that have none, together at most 1; of these
 * two, how many their sender names; of the clockless ones, how many have the body of another. */
typedef struct ir_timings {
    double relative, clockless, named, repeated;
} ir_timings_t;

typedef struct ir_timed {
    ir_timing_t timing;
    bool named;
    bool repeated; /* the same reading, byte for byte, as others of the mote */
} ir_timed_t;

/* A pure function of seed and message number, as the faults are. Messages that a duplicate follows
 * are absolute: the broker may stamp two messages in the same millisecond, and then nobody can tell
 * a second reading from a copy. */
void ir_faults_timed(const ir_timings_t *timings, const ir_faults_t *faults, uint64_t seed,
                     uint64_t number, ir_timed_t *timed);

/* Whose turn a message is. */
typedef struct ir_turn {
    unsigned mote;
    uint64_t round;    /* its how manieth message in the order of measuring, from 0 */
    uint64_t original; /* see source.h */
    unsigned faults;   /* ir_fault_t */
} ir_turn_t;

void ir_faults_turn(const ir_faults_t *faults, uint64_t seed, unsigned motes, uint64_t number,
                    ir_turn_t *turn);

/* How many rounds a message may be older than its turn when it is sent, or younger. */
unsigned ir_faults_shift(const ir_faults_t *faults);

/* What a mote's clock is wrong by: whole seconds, within two hours; 0: it is right. */
int64_t ir_faults_skew(const ir_faults_t *faults, uint64_t seed, unsigned mote);

#endif
