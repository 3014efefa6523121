/* The interface of senders: each protocol has a constant table of functions. All functions are
 * required, and one thread calls them. Messages of one mote are sent in the order in which they are
 * passed. */
#ifndef IR_SEND_SENDER_H
#define IR_SEND_SENDER_H

#include "common/status.h"
#include "common/view.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

/* Maximum number of unanswered messages in one sender. */
#define IR_SENDER_OPEN_MAX 5000

/* Maximum number of answers to one message in one push: it may be deferred twice in each of two
 * exchanges. */
#define IR_SENDER_ANSWERS_MAX 4

/* Size of a message's name, with its NUL. */
#define IR_SENDER_NAME_SIZE 64

/* `body` must live until the answer or the next RETRY, `name` only during the call, and the other
 * views as long as the sender. */
typedef struct ir_parcel {
    uint64_t number; /* identifies the message in answers */
    unsigned mote_number;
    ir_view_t mote;
    ir_view_t routing_key; /* "ir.MOTE" */
    const char *content_type;
    ir_view_t name; /* the message's name, shorter than IR_SENDER_NAME_SIZE bytes; empty: none */
    ir_view_t body;
} ir_parcel_t;

typedef enum ir_sender_answer {
    IR_ANSWER_CONFIRMED, /* the other side has stored it durably */
    IR_ANSWER_REFUSED,   /* never will be */
    IR_ANSWER_DENIED, /* refused, but not because of its content: the credential or address is wrong
                       */
    IR_ANSWER_AGAIN   /* deferred: the sender itself will send the message again; not a final
                       * answer */
} ir_sender_answer_t;

/* Called only from push. `why` lives during the call. With CONFIRMED it is NULL, unless some of the
 * message's records are unusable: then it describes the first. */
typedef struct ir_answers {
    void (*take)(void *context, uint64_t number, ir_sender_answer_t answer, const char *why);
    /* Called when the server is reached: from now on, messages may have arrived. A multiplexing
     * sender calls it before the first answer; for other senders, a successful `connect` means the
     * same. */
    void (*reach)(void *context);
    void *context;
} ir_answers_t;

/* Whether a failure to connect is permanent: wrong credentials or URI, or a server of another kind.
 * Use it only before the first confirm; later, a server that is starting may answer the same. */
static inline bool ir_sender_is_final(ir_status_t status) {
    return status == IR_ERR_AUTH || status == IR_ERR_USAGE || status == IR_ERR_PROTOCOL;
}

struct ir_sender {
    const char *name;
    bool names;       /* whether messages are sent with their name */
    bool multiplexes; /* one sender opens all connections to the target */

    /* Creates a sender without connecting. `target` must outlive the sender; `answers` is copied.
     * NULL when out of memory. */
    void *(*open)(const ir_target_t *target, const ir_answers_t *answers);
    void (*close)(void *sender);

    /* Connects if not connected. RETRY: the attempt failed. */
    ir_outcome_t (*connect)(void *sender, ir_error_t *error);

    /* Accepts a message. It may be sent only by the next push. RETRY: after connecting, pass this
     * message and all others without a final answer again, in order. REFUSED: this message can
     * never be sent; with IR_ERR_MEMORY, no message can. */
    ir_outcome_t (*send)(void *sender, const ir_parcel_t *parcel, ir_error_t *error);

    /* Sends waiting messages and reports received answers. Waits at most `wait_ns` for an answer
     * (0: not at all). RETRY as for send. */
    ir_outcome_t (*push)(void *sender, int64_t wait_ns, ir_error_t *error);
};

extern const ir_sender_t ir_sender_amqp; /* publisher confirms, mandatory */
extern const ir_sender_t ir_sender_http; /* POST to ir-ingest; 202 confirms */
extern const ir_sender_t ir_sender_mqtt; /* QoS 1; PUBACK confirms */
extern const ir_sender_t ir_sender_null; /* confirms at once; measures the generator's own limit */

#endif
