/* Which of the messages published on a channel are open: sequence numbers from 1, answered one by
 * one or up to one, in any order. A table of the open ones, each found by its number; a place is
 * free again as soon as its message is answered, however old others are. One thread. */
#ifndef IR_BROKER_CONFIRMS_H
#define IR_BROKER_CONFIRMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most open messages. A power of two, and below UINT16_MAX. */
#define IR_CONFIRMS_WINDOW 8192

/* A place of the table, linked by place number + 1; 0: none. */
typedef struct ir_confirm {
    uint64_t tag;
    size_t bytes;
    void *ticket;
    uint16_t older, newer; /* of the open ones, in the order of their numbers */
    uint16_t next;         /* with the same low bits of the number; or of the free places */
} ir_confirm_t;

typedef struct ir_confirms {
    uint64_t next;  /* the number of the next message */
    uint64_t open;  /* published, not answered */
    uint64_t bytes; /* of the open ones */
    uint16_t oldest, newest;
    uint16_t free; /* places that were in use; those from `used` on never were */
    uint16_t used;
    uint16_t heads[IR_CONFIRMS_WINDOW]; /* by the low bits of the number */
    ir_confirm_t places[IR_CONFIRMS_WINDOW];
} ir_confirms_t;

/* As after confirm.select. */
void ir_confirms_init(ir_confirms_t *confirms);

/* The number of the oldest open message; the next one's when none is open. */
uint64_t ir_confirms_oldest(const ir_confirms_t *confirms);

/* One more message of so many bytes is published; at most IR_CONFIRMS_WINDOW may be open. The
 * ticket comes back with its answer. */
void ir_confirms_publish(ir_confirms_t *confirms, size_t bytes, void *ticket);

/* Told of each message that was open until now; may not change the table. */
typedef void (*ir_confirms_fn)(void *context, uint64_t tag, void *ticket);

/* An ack or nack of `tag`, or (`multiple`) of all up to it; tag 0 with multiple: of all. Calls
 * `each` (or NULL) for those that were open until now, the oldest first, and returns their number
 * in `*answered`. False when no such number was published: then nothing changes. */
bool ir_confirms_answer(ir_confirms_t *confirms, uint64_t tag, bool multiple, ir_confirms_fn each,
                        void *context, uint64_t *answered);

/* Waits no longer for that message's answer; one that comes counts as a repeat. */
void ir_confirms_forget(ir_confirms_t *confirms, uint64_t tag);

#endif
