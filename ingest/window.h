/* The messages that the broker has not answered for, by mote and by age. What one mote has open is
 * bounded, and a mote one of whose messages is late waits: it may send nothing more until the
 * broker has answered for it. Such motes together hold at most half of the window; beyond that the
 * oldest late messages are given up, so that the others always have room. Memory is taken once, for
 * as many messages and motes as the window holds. Every call takes constant time, apart from what
 * it says is walked. One thread. */
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
    size_t messages;      /* open ones, at most */
    size_t bytes;         /* of their bodies, about */
    size_t memory;        /* of their shipments, about */
    size_t mote_messages; /* a mote begins with fewer and gets there as messages are confirmed */
    size_t mote_bytes;    /* a mote with nothing open may send a larger message */
    int64_t late_ns;      /* an open message is late when it is older */
} ir_outlet_window_limits_t;

typedef struct ir_outlet_window_counts {
    size_t messages, bytes, memory;                         /* open */
    size_t late;                                            /* of the messages */
    size_t motes_waiting;                                   /* late, or at their bounds */
    size_t messages_waiting, bytes_waiting, memory_waiting; /* theirs */
} ir_outlet_window_counts_t;

/* NULL when memory is out. */
ir_outlet_window_t *ir_outlet_window_new(const ir_outlet_window_limits_t *limits);

/* Open messages are forgotten. Takes NULL. */
void ir_outlet_window_free(ir_outlet_window_t *window);

const ir_outlet_window_counts_t *ir_outlet_window_counts(const ir_outlet_window_t *window);

/* ---- sending ---- */

/* No further mote has a place: admit nothing before some messages are sent and answered. */
bool ir_outlet_window_crowded(const ir_outlet_window_t *window);

typedef enum ir_admission {
    IR_ADMISSION_TAKEN, /* the window owns the shipment; ir_outlet_window_next gives it first */
    IR_ADMISSION_LATER, /* another one of its mote is being sent */
    IR_ADMISSION_HELD   /* its mote waits for answers */
} ir_admission_t;

/* Not when crowded. Unless it is taken, the shipment stays with the caller. */
ir_admission_t ir_outlet_window_admit(ir_outlet_window_t *window, ir_shipment_t *shipment);

/* A shipment with a message that may be sent now, each mote's in turn; NULL: none. */
ir_shipment_t *ir_outlet_window_next(const ir_outlet_window_t *window);

/* Its next message, shipment->messages[shipment->sent], is sent. */
ir_outlet_window_message_t *ir_outlet_window_send(ir_outlet_window_t *window, int64_t now_ns);

/* This connection (a name to the window, no more) knows it by this number. */
void ir_outlet_window_number(ir_outlet_window_message_t *message, const void *connection,
                             uint64_t number);

/* ---- answers; each returns a shipment all of whose messages have a fate now, or NULL ---- */

/* What the broker said of one message. A message whose mote had one returned is not confirmed. */
ir_shipment_t *ir_outlet_window_answer(ir_outlet_window_t *window,
                                       ir_outlet_window_message_t *message, bool confirmed);

/* One message is over without an answer, and what is not sent of its shipment will not be. */
ir_shipment_t *ir_outlet_window_give_up(ir_outlet_window_t *window,
                                        ir_outlet_window_message_t *message,
                                        ir_shipment_fate_t fate);

/* Gives up what is not sent, of any shipment. Call until NULL. */
ir_shipment_t *ir_outlet_window_give_up_unsent(ir_outlet_window_t *window);

/* One of the mote's messages was unroutable. Walks those that are open. */
void ir_outlet_window_return(ir_outlet_window_t *window, ir_view_t routing_key);

/* ---- age ---- */

/* Finds out which messages are late by now. When the window is full, those, too, that were
 * overtaken: the broker has answered for messages sent well after them. Walks what becomes late. */
void ir_outlet_window_judge(ir_outlet_window_t *window, int64_t now_ns, bool full);

/* The oldest message when it is late and those that wait hold more than half; else NULL. */
ir_outlet_window_message_t *ir_outlet_window_excess(const ir_outlet_window_t *window);

/* Whether the silence tells of more than one mote: messages of several, sent before `before_ns`,
 * are newer than the newest that is answered for, or nothing was ever answered for but this one
 * mote's. Walks the newest messages. */
bool ir_outlet_window_all_silent(const ir_outlet_window_t *window, int64_t before_ns);

/* How many messages of the connection were left behind: others, sent well after them, are answered
 * for. Counts to `most`. Walks those messages. */
size_t ir_outlet_window_left_behind(const ir_outlet_window_t *window, const void *connection,
                                    size_t most);

/* All that are open are late from now on: their motes' next messages go another way, and must not
 * overtake them. Walks them. */
void ir_outlet_window_hold(ir_outlet_window_t *window);

/* The oldest message of a connection, or NULL. Walks those of others. */
ir_outlet_window_message_t *ir_outlet_window_oldest(const ir_outlet_window_t *window,
                                                    const void *connection);

/* How ir_outlet_window_number knows it. */
const void *ir_outlet_window_message_connection(const ir_outlet_window_message_t *message);
uint64_t ir_outlet_window_message_number(const ir_outlet_window_message_t *message);

#endif
