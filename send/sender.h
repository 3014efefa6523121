/* How messages go out: one const table of functions for each protocol. All of them are required and
 * called by one thread. Messages of one mote go out in the order in which they are given. */
#ifndef IR_SEND_SENDER_H
#define IR_SEND_SENDER_H

#include "common/status.h"
#include "common/view.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

/* Most messages given to one sender and not answered. */
#define IR_SENDER_OPEN_MAX 5000

/* Most answers to one message in one push: it may be put off twice in each of two exchanges. */
#define IR_SENDER_ANSWERS_MAX 4

/* Of a message's own name, with its NUL. */
#define IR_SENDER_NAME_SIZE 64

/* `body` lives until the answer or the next RETRY; the other views as long as the sender, except
 * for `name`, which lives during the call. */
typedef struct ir_parcel {
    uint64_t number; /* the owner's name for it in answers */
    unsigned mote_number;
    ir_view_t mote;
    ir_view_t routing_key; /* "ir.MOTE" */
    const char *content_type;
    ir_view_t
        name; /* its sender's name for it, fewer than IR_SENDER_NAME_SIZE bytes; empty: none */
    ir_view_t body;
} ir_parcel_t;

typedef enum ir_sender_answer {
    IR_ANSWER_CONFIRMED, /* durable at the other side */
    IR_ANSWER_REFUSED,   /* never will be */
    IR_ANSWER_DENIED,    /* the same, and not for what is in it: credential or address are wrong */
    IR_ANSWER_AGAIN      /* not now: the sender sends it again by itself; no final answer */
} ir_sender_answer_t;

/* Called from push only. `why` lives during the call. With CONFIRMED it is NULL, unless some of the
 * message's records cannot be used: then it says which of them first. */
typedef struct ir_answers {
    void (*take)(void *context, uint64_t number, ir_sender_answer_t answer, const char *why);
    /* The other side was reached: from now on what was given may have arrived. For a sender that
     * multiplexes, before the first answer; with others that is so when `connect` is done. */
    void (*reach)(void *context);
    void *context;
} ir_answers_t;

/* Whether a failure to connect stays one: wrong credentials or URI, or not such a server. That is
 * so as long as nothing was ever confirmed; later it may be the answer of a server that is
 * starting. */
static inline bool ir_sender_is_final(ir_status_t status) {
    return status == IR_ERR_AUTH || status == IR_ERR_USAGE || status == IR_ERR_PROTOCOL;
}

struct ir_sender {
    const char *name;
    bool names;       /* what is sent carries its sender's name for it */
    bool multiplexes; /* one sender opens all of the target's connections */

    /* Prepares, connects nothing. `target` outlives the sender, `answers` is copied. NULL when
     * memory is out. */
    void *(*open)(const ir_target_t *target, const ir_answers_t *answers);
    void (*close)(void *sender);

    /* Connects when not connected. RETRY: tried in vain. */
    ir_outcome_t (*connect)(void *sender, ir_error_t *error);

    /* Takes a message over; it may go out only with the next push. RETRY: this message and all that
     * have no final answer must be given again, in their order, after connecting. REFUSED: this
     * message can never go; with IR_ERR_MEMORY, no other either. */
    ir_outcome_t (*send)(void *sender, const ir_parcel_t *parcel, ir_error_t *error);

    /* Sends what waits and tells what answers are here, waiting at most `wait_ns` for one (0: not
     * at all). RETRY as for send. */
    ir_outcome_t (*push)(void *sender, int64_t wait_ns, ir_error_t *error);
};

extern const ir_sender_t ir_sender_amqp; /* publisher confirms, mandatory */
extern const ir_sender_t ir_sender_http; /* POST to ir-ingest; 202 confirms */
extern const ir_sender_t ir_sender_mqtt; /* QoS 1; PUBACK confirms */
extern const ir_sender_t ir_sender_null; /* confirms at once: the generator's own ceiling */

#endif
