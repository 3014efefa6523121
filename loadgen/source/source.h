/* The interface of message sources: each kind has a constant table of functions. Messages are
 * numbered from 0 in the order of sending. Each message is a pure function of its number, so any
 * thread may get any message, in any order, any number of times. A source is immutable after
 * opening. */
#ifndef IR_LOADGEN_SOURCE_SOURCE_H
#define IR_LOADGEN_SOURCE_SOURCE_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"
#include "loadgen/source/faults.h"
#include "observation/identity.h"
#include "observation/senml/writer.h"
#include "send/sender.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_SOURCE_UNLIMITED UINT64_MAX

/* The properties of a message, available cheaply without rendering it. Views and texts live as long
 * as the source.
 *
 * n_accepted == n_records: every record becomes an observation; fewer: the other records go to
 * ir.rejected; 0: the message only yields a raw document and a dead letter, and does not come back.
 */
typedef struct ir_source_message {
    ir_view_t mote;
    ir_view_t routing_key; /* "ir.MOTE" */
    unsigned mote_number;
    size_t n_records;  /* records in the message, including deliberately wrong ones; rates count
                          these */
    size_t n_accepted; /* number of observations that result; `ids` gives as many */
    uint64_t original; /* number of the message that this one repeats, or its own. A repeat has the
                        * same mote, body and ids, so it adds nothing to the stores */
    int64_t time_ns;   /* the first record's time in the body, if times are absolute */
    int64_t due_ns;    /* time at which it is due at pace 1, in data time since the first message;
                        * never decreases from one message to the next */
    unsigned faults;   /* ir_fault_t */
    ir_timed_t timed;
    char name[IR_SENDER_NAME_SIZE]; /* sent as message-id (AMQP) or Idempotency-Key (HTTP), not sent
                                       with MQTT; empty: none */
} ir_source_message_t;

typedef struct ir_source_kind {
    const char *name;
    void (*get)(const void *object, uint64_t number, ir_source_message_t *message);
    /* Appends the body; see ir_buffer_ok. */
    void (*body)(const void *object, uint64_t number, ir_buffer_t *out);
    /* The ids that the worker will compute for the n_accepted observations. Not for messages whose
     * times are relative to their arrival. */
    void (*ids)(const void *object, uint64_t number, ir_id_t *ids);
    ir_view_t (*mote)(const void *object, unsigned mote_number);
    void (*free)(void *object); /* takes NULL */
} ir_source_kind_t;

typedef struct ir_source {
    const ir_source_kind_t *kind;
    void *object;
    uint64_t messages;     /* or IR_SOURCE_UNLIMITED */
    uint64_t observations; /* records in all messages; or IR_SOURCE_UNLIMITED */
    size_t records_max;    /* per message */
    unsigned motes;        /* mote numbers are below this */
    const char *content_type;
} ir_source_t;

/* A simulation if `simulate` is above 0, else a replay. */
typedef struct ir_source_options {
    ir_pack_format_t format;
    uint64_t messages; /* maximum number; 0: all */
    double likely;     /* if `messages` is 0: the expected number of messages used; 0: unknown */
    double pace;       /* speed-up of the data's own times; 0: another schedule applies */

    const char *replay; /* path */
    int64_t repeat;
    bool single_records; /* one observation a message */

    unsigned simulate;
    uint64_t seed;
    unsigned records; /* per message */
    int64_t interval_ns;
    int64_t start_ns; /* 0: chosen so that the data end now (simulation.h) */
    ir_faults_t faults;
    ir_timings_t timings;
} ir_source_options_t;

/* Unique names for the messages of one opened source. A name consists of the message's number and a
 * number of the run, which the second function makes. */
void ir_source_make_name(uint64_t run, uint64_t number, char name[static IR_SENDER_NAME_SIZE]);
uint64_t ir_source_make_run(void);

static inline void ir_source_close(ir_source_t *source) {
    if (source->kind != NULL) {
        source->kind->free(source->object);
        source->kind = NULL;
    }
}

static inline void ir_source_get(const ir_source_t *source, uint64_t number,
                                 ir_source_message_t *message) {
    source->kind->get(source->object, number, message);
}

static inline void ir_source_body(const ir_source_t *source, uint64_t number, ir_buffer_t *out) {
    source->kind->body(source->object, number, out);
}

static inline void ir_source_ids(const ir_source_t *source, uint64_t number, ir_id_t *ids) {
    source->kind->ids(source->object, number, ids);
}

static inline ir_view_t ir_source_mote(const ir_source_t *source, unsigned mote_number) {
    return source->kind->mote(source->object, mote_number);
}

#endif
