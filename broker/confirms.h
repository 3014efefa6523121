/* Tracks which messages published on a channel are open. Messages have sequence numbers from 1.
 * Answers arrive for one message or for all up to one, in any order. The open ones are in a table
 * and are found by their number. A place is free again as soon as its message is answered, however
 * old other open messages are. One thread. */
#ifndef IR_BROKER_CONFIRMS_H
#define IR_BROKER_CONFIRMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest number of open messages: a power of two, and below UINT16_MAX. */
#define IR_CONFIRMS_WINDOW 8192

/* An entry of the table. A link is the entry's index + 1; 0 means none. */
typedef struct ir_confirm {
    uint64_t tag;
    size_t bytes;
    void *ticket;
    uint16_t older, newer; /* links between open messages, in the order of their numbers */
    uint16_t next;         /* link to an entry whose number has the same low bits, or to a free
                            * entry */
} ir_confirm_t;

typedef struct ir_confirms {
    uint64_t next;  /* the number of the next message */
    uint64_t open;  /* published but not answered */
    uint64_t bytes; /* sum of the sizes of open messages */
    uint16_t oldest, newest;
    uint16_t free; /* list of entries that were freed; entries from `used` on were never used */
    uint16_t used;
    uint16_t heads[IR_CONFIRMS_WINDOW]; /* heads of the lists, by the low bits of the number */
    ir_confirm_t places[IR_CONFIRMS_WINDOW];
} ir_confirms_t;

/* The state after confirm.select. */
void ir_confirms_init(ir_confirms_t *confirms);

/* The number of the oldest open message, or of the next message when none is open. */
uint64_t ir_confirms_oldest(const ir_confirms_t *confirms);

/* Records that a message of `bytes` bytes was published. At most IR_CONFIRMS_WINDOW may be open.
 * The ticket is returned with the answer. */
void ir_confirms_publish(ir_confirms_t *confirms, size_t bytes, void *ticket);

/* Called for each message that was open until now. Must not change the table. */
typedef void (*ir_confirms_fn)(void *context, uint64_t tag, void *ticket);

/* Processes an ack or nack of `tag`, or with `multiple` of all messages up to it (tag 0: of all).
 * Calls `each` (may be NULL) for those that were open, the oldest first, and returns their number
 * in `*answered`. Returns false, and changes nothing, when no such number was published. */
bool ir_confirms_answer(ir_confirms_t *confirms, uint64_t tag, bool multiple, ir_confirms_fn each,
                        void *context, uint64_t *answered);

/* Stops waiting for the answer to that message. An answer that still arrives counts as a repeat. */
void ir_confirms_forget(ir_confirms_t *confirms, uint64_t tag);

#endif
