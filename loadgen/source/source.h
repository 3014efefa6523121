/* Where the messages come from: one const table of functions for each kind of source. Messages have
 * numbers, from 0, in the order in which they are meant to be sent; each is a pure function of its
 * number, so that any thread may take any of them, in any order, as often as it likes. Nothing
 * changes after opening. */
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

/* What is known of a message without rendering it; a few dozen instructions. Views and texts live
 * as long as the source.
 *
 * n_accepted == n_records: all of it becomes observations; fewer: the other records go to
 * ir.rejected; 0: nothing comes back, raw document and dead letter are all there will be. */
typedef struct ir_source_message {
    ir_view_t mote;
    ir_view_t routing_key; /* "ir.MOTE" */
    unsigned mote_number;
    size_t n_records;  /* that it carries, those on purpose wrong included: what rates count */
    size_t n_accepted; /* observations that come of it: as many as `ids` gives */
    uint64_t original; /* the message that this one repeats, of the same mote; else its own number.
                          Body and ids are that one's, so the stores gain nothing by it */
    int64_t time_ns;   /* of its first record, as the body says it, if times are absolute */
    int64_t due_ns;  /* when it is sent at its own pace, after the first message, in the time of the
                        data; never less than that of the message before */
    unsigned faults; /* ir_fault_t */
    ir_timed_t timed;
    char name[IR_SENDER_NAME_SIZE]; /* that it is sent under: message-id by AMQP, Idempotency-Key by
                                       HTTP, nothing by MQTT; empty: none */
} ir_source_message_t;

typedef struct ir_source_kind {
    const char *name;
    void (*get)(const void *object, uint64_t number, ir_source_message_t *message);
    /* Appends the body; see ir_buffer_ok. */
    void (*body)(const void *object, uint64_t number, ir_buffer_t *out);
    /* The ids of the n_accepted observations as the worker will find them; not of a message whose
     * times count from its arrival. */
    void (*ids)(const void *object, uint64_t number, ir_id_t *ids);
    ir_view_t (*mote)(const void *object, unsigned mote_number);
    void (*free)(void *object); /* takes NULL */
} ir_source_kind_t;

typedef struct ir_source {
    const ir_source_kind_t *kind;
    void *object;
    uint64_t messages;     /* or IR_SOURCE_UNLIMITED */
    uint64_t observations; /* records in all of these; or IR_SOURCE_UNLIMITED */
    size_t records_max;    /* of one message */
    unsigned motes;        /* their numbers are below it */
    const char *content_type;
} ir_source_t;

/* A simulation when `simulate` says how many motes, else a replay. */
typedef struct ir_source_options {
    ir_pack_format_t format;
    uint64_t messages; /* at most so many; 0: all */
    double likely; /* when `messages` is 0: how many will be taken on average; 0: nobody knows */
    double pace;   /* times as fast as its own pace; 0: another schedule holds */

    const char *replay; /* path */
    int64_t repeat;
    bool single_records; /* one observation a message */

    unsigned simulate;
    uint64_t seed;
    unsigned records; /* of one message */
    int64_t interval_ns;
    int64_t start_ns; /* 0: so that the last message is of now (simulation.h) */
    ir_faults_t faults;
    ir_timings_t timings;
} ir_source_options_t;

/* Names for the messages of one opened source, which no other has: of a run's own number, which the
 * second function makes, and the message's. */
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
