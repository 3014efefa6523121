/* Which of the messages published on a channel are confirmed: sequence numbers from 1, answered one
 * by one or up to one, in any order. A window over the numbers from the oldest open one on. One
 * thread. */
#ifndef IR_BROKER_CONFIRMS_H
#define IR_BROKER_CONFIRMS_H

#include <stdbool.h>
#include <stdint.h>

/* Most messages between the oldest open one and the newest. A multiple of 64. */
#define IR_CONFIRMS_WINDOW 8192

typedef struct ir_confirms {
    uint64_t oldest; /* the oldest open number */
    uint64_t next;   /* the number of the next message */
    uint64_t open;   /* published, not answered */
    uint64_t answered[IR_CONFIRMS_WINDOW / 64];
} ir_confirms_t;

/* As after confirm.select. */
void ir_confirms_init(ir_confirms_t *confirms);

/* No further message may be published before some are answered. */
static inline bool ir_confirms_full(const ir_confirms_t *confirms) {
    return confirms->next - confirms->oldest >= IR_CONFIRMS_WINDOW;
}

/* Whether that number is published and not answered. */
bool ir_confirms_is_open(const ir_confirms_t *confirms, uint64_t tag);

/* One more message is published; not when full. */
static inline void ir_confirms_publish(ir_confirms_t *confirms) {
    confirms->next++;
    confirms->open++;
}

/* An ack or nack of `tag`, or (`multiple`) of all up to it; tag 0 with multiple: of all. Puts into
 * `*answered` how many were open until now. False when no such number was published: then nothing
 * changes. */
bool ir_confirms_answer(ir_confirms_t *confirms, uint64_t tag, bool multiple, uint64_t *answered);

#endif
