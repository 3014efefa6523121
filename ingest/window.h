/* The messages that the broker has not answered for ("open" messages), by mote and by age. A mote
 * may have a limited number of open messages. If one of them is late, its mote waits: it may not
 * send anything until the broker has answered for this message. Waiting motes together hold at most
 * half of the window; beyond that the oldest late messages are given up, so that other motes always
 * have room. Memory is allocated once. Every call takes constant time, unless its comment says what
 * it walks. One thread. */
#ifndef IR_INGEST_WINDOW_H
#define IR_INGEST_WINDOW_H

#include "common/view.h"
#include "ingest/shipment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_outlet_window ir_outlet_window_t;

/* An open message. */
typedef struct ir_outlet_window_message ir_outlet_window_message_t;

typedef struct ir_outlet_window_limits {
    size_t messages;      /* maximum number of open messages */
    size_t bytes;         /* approximate size of their bodies */
    size_t memory;        /* approximate size of their shipments */
    size_t mote_messages; /* maximum number of open messages of a mote; it starts lower, and each
                           * confirm raises it */
    size_t mote_bytes;    /* limit for the bytes of a mote's open messages; its first open message
                           * may exceed this */
    int64_t late_ns;      /* an open message is late when it is older */
} ir_outlet_window_limits_t;

typedef struct ir_outlet_window_counts {
    size_t messages, bytes, memory; /* open */
    size_t late;                    /* number of late messages */
    size_t motes_waiting;           /* motes with late messages or at a limit */
    size_t messages_waiting, bytes_waiting, memory_waiting; /* theirs */
} ir_outlet_window_counts_t;

/* NULL when out of memory. */
ir_outlet_window_t *ir_outlet_window_new(const ir_outlet_window_limits_t *limits);

/* Open messages are forgotten. Takes NULL. */
void ir_outlet_window_free(ir_outlet_window_t *window);

const ir_outlet_window_counts_t *ir_outlet_window_counts(const ir_outlet_window_t *window);

/* ---- sending ---- */

/* There is no room for another mote: admit nothing until some messages are sent and answered. */
bool ir_outlet_window_crowded(const ir_outlet_window_t *window);

typedef enum ir_admission {
    IR_ADMISSION_TAKEN, /* the window owns the shipment; ir_outlet_window_next returns it next */
    IR_ADMISSION_LATER, /* another shipment of its mote is being sent */
    IR_ADMISSION_HELD   /* the mote must wait for answers */
} ir_admission_t;

/* Do not call when crowded. If the shipment is not admitted, the caller keeps it. */
ir_admission_t ir_outlet_window_admit(ir_outlet_window_t *window, ir_shipment_t *shipment);

/* Returns a shipment with a message that may be sent now; motes take turns. NULL: there is none. */
ir_shipment_t *ir_outlet_window_next(const ir_outlet_window_t *window);

/* Records that the shipment's next message, shipment->messages[shipment->sent], was sent. */
ir_outlet_window_message_t *ir_outlet_window_send(ir_outlet_window_t *window, int64_t now_ns);

/* Records the message's number on this connection. `connection` only identifies the connection. */
void ir_outlet_window_number(ir_outlet_window_message_t *message, const void *connection,
                             uint64_t number);

/* ---- answers; each returns a shipment whose messages all have a result now, or NULL ---- */

/* Records the broker's answer for one message. If a message of its mote was returned, it does not
 * count as confirmed. */
ir_shipment_t *ir_outlet_window_answer(ir_outlet_window_t *window,
                                       ir_outlet_window_message_t *message, bool confirmed);

/* Gives up one message without an answer, and the unsent rest of its shipment. */
ir_shipment_t *ir_outlet_window_give_up(ir_outlet_window_t *window,
                                        ir_outlet_window_message_t *message,
                                        ir_shipment_fate_t fate);

/* Gives up unsent messages of any shipment. Call until it returns NULL. */
ir_shipment_t *ir_outlet_window_give_up_unsent(ir_outlet_window_t *window);

/* One of the mote's messages was unroutable. Walks those that are open. */
void ir_outlet_window_return(ir_outlet_window_t *window, ir_view_t routing_key);

/* ---- age ---- */

/* Marks messages that have become late. When the window is full, also those that were overtaken:
 * the broker has answered for messages sent well after them. Walks the messages that become
 * late. */
void ir_outlet_window_judge(ir_outlet_window_t *window, int64_t now_ns, bool full);

/* The oldest message, if it is late and waiting motes hold more than half of the window; else
 * NULL. */
ir_outlet_window_message_t *ir_outlet_window_excess(const ir_outlet_window_t *window);

/* Whether the broker's silence concerns more than one mote: messages of several motes, sent before
 * `before_ns`, are newer than the newest answered one; or only one mote's messages were ever
 * answered. Walks the newest messages. */
bool ir_outlet_window_all_silent(const ir_outlet_window_t *window, int64_t before_ns);

/* Returns how many open messages of the connection were overtaken: the broker has answered for
 * others that were sent well after them. Stops counting at `most`. Walks the counted messages. */
size_t ir_outlet_window_left_behind(const ir_outlet_window_t *window, const void *connection,
                                    size_t most);

/* Marks all open messages as late, because their motes' next messages use another connection and
 * must not overtake them. Walks them. */
void ir_outlet_window_hold(ir_outlet_window_t *window);

/* Returns the oldest message of a connection, or NULL. Walks older messages of other
 * connections. */
ir_outlet_window_message_t *ir_outlet_window_oldest(const ir_outlet_window_t *window,
                                                    const void *connection);

/* The message's connection and number, as given to ir_outlet_window_number. */
const void *ir_outlet_window_message_connection(const ir_outlet_window_message_t *message);
uint64_t ir_outlet_window_message_number(const ir_outlet_window_message_t *message);

#endif
