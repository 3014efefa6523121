/* Decides which mote sends when, and which deliberate faults a message has: a pure function of seed
 * and message number. Any thread.
 *
 * Motes take turns: in every round each mote sends its next message. Faults change this order
 * within blocks of eight rounds. In a burst, a mote sends nothing until the end of the block, and
 * then its eight messages in a row; the seven neighbouring motes send a little early instead, so
 * the load stays even. Late messages are held back to the end of their block and arrive after newer
 * ones. A duplicate replaces the message that would follow it. */
#ifndef IR_LOADGEN_SOURCE_FAULTS_H
#define IR_LOADGEN_SOURCE_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* Bits. */
typedef enum ir_fault {
    IR_FAULT_DUPLICATE = 1, /* repeats the previous message, byte for byte */
    IR_FAULT_LATE = 2,      /* measured earlier than messages that its mote has already sent */
    IR_FAULT_MALFORMED = 4, /* not SenML, or of an unknown version: refused entirely */
    IR_FAULT_UNKNOWN = 8,   /* one record is from a sensor that is not in the registry */
    IR_FAULT_SKEW = 16,     /* the mote's clock is wrong */
    IR_FAULT_BURST = 32     /* one of several that the mote sends at once */
} ir_fault_t;

#define IR_FAULTS_BLOCK 8 /* number of rounds in a block, and of motes in a group */

/* How a pack gives the times of its records. */
typedef enum ir_timing {
    IR_TIMING_ABSOLUTE,
    IR_TIMING_RELATIVE, /* times count from when the pack was sent */
    IR_TIMING_CLOCKLESS /* nothing */
} ir_timing_t;

/* The share of messages (for skew: of motes) with each fault, 0 … 1; duplicates and late at most
 * 0.5. A single mote has no bursts, because it has no neighbours. */
typedef struct ir_faults {
    double duplicates, late, malformed, unknown, skew, bursts;
} ir_faults_t;

#define IR_FAULTS_SHARE_MAX 0.5 /* limit for the shares of duplicates and of late messages */

/* Shares of the messages. Relative times and no times together make at most 1. `named` is the share
 * of these two kinds that has a name from the sender. `repeated` is the share of messages without a
 * time that repeat another one's body. */
typedef struct ir_timings {
    double relative, clockless, named, repeated;
} ir_timings_t;

typedef struct ir_timed {
    ir_timing_t timing;
    bool named;
    bool repeated; /* the same reading, byte for byte, as other messages of the mote */
} ir_timed_t;

/* A pure function of seed and message number, like the faults. A message that is followed by a
 * duplicate has absolute times: the broker may stamp two messages in the same millisecond, and then
 * a second reading cannot be distinguished from a copy. */
void ir_faults_timed(const ir_timings_t *timings, const ir_faults_t *faults, uint64_t seed,
                     uint64_t number, ir_timed_t *timed);

/* Whose turn a message is. */
typedef struct ir_turn {
    unsigned mote;
    uint64_t round;    /* index of the mote's message in the order of measurement, from 0 */
    uint64_t original; /* see source.h */
    unsigned faults;   /* ir_fault_t */
} ir_turn_t;

void ir_faults_turn(const ir_faults_t *faults, uint64_t seed, unsigned motes, uint64_t number,
                    ir_turn_t *turn);

/* The maximum number of rounds by which a message may be older or newer than its turn. */
unsigned ir_faults_shift(const ir_faults_t *faults);

/* The error of a mote's clock: whole seconds, up to two hours; 0: it is right. */
int64_t ir_faults_skew(const ir_faults_t *faults, uint64_t seed, unsigned mote);

#endif
