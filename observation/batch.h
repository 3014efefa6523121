/* A batch: messages from the broker with their observations, which passes through the worker's
 * stages. One thread owns it at a time; rings hand it on. Everything it points to is in its arena,
 * or in the registry to which it holds a reference. */
#ifndef IR_OBSERVATION_BATCH_H
#define IR_OBSERVATION_BATCH_H

#include "common/arena.h"
#include "common/view.h"
#include "observation/identity.h"
#include "observation/quality_tests.h"
#include "observation/reason.h"
#include "observation/registry/registry.h"
#include "observation/senml/senml.h"
#include "observation/value.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ir_observation_state {
    IR_OBSERVATION_NEW,       /* not known to be stored */
    IR_OBSERVATION_DUPLICATE, /* the document store already had it */
    IR_OBSERVATION_REFUSED    /* refused by a store; a refusal of the batch has the reason */
} ir_observation_state_t;

typedef struct ir_observation {
    ir_id_t id;
    const ir_sensor_t *sensor; /* not NULL */
    int64_t time_ns;           /* phenomenon time = result time */
    ir_value_t value;          /* numbers: in sensor->unit; NONE: missing */
    ir_value_t source_value;   /* as sent */
    ir_view_t source_unit;     /* as sent; empty: none */
    bool has_sum;
    double sum; /* as sent */
    bool late;  /* not part of its series: not later than an earlier point, or too far ahead
                   (quality.h) */
    uint8_t flags[IR_TEST_COUNT];
    uint8_t aggregate;
    uint8_t state;    /* ir_observation_state_t */
    bool stored;      /* already in the documents when its message was set aside; not written
                       * again */
    uint32_t message; /* index into the batch's messages */
    int record;       /* position in the pack */
} ir_observation_t;

/* A flag of an earlier observation that was decided later. The stored observation does not change;
 * `observation` is a copy with the new flags and aggregate. */
typedef struct ir_revision {
    ir_id_t id;
    ir_test_t test;
    uint8_t flag;                 /* the new flag of `test` */
    uint8_t previous;             /* the flag it had */
    ir_observation_t observation; /* a copy; its `message` is that of the deciding point */
    ir_id_t raw_id;               /* id of the message with the revised observation */
    ir_id_t decided_by;           /* the observation that decided it */
    bool supersedes;    /* whether it replaces a verdict, after reprocessing; if so, … */
    ir_id_t superseded; /* … that verdict: a revision, or the observation itself */
} ir_revision_t;

/* Whether a message is set aside. A stage skips messages that are set aside. */
typedef enum ir_aside {
    IR_ASIDE_NOT,
    IR_ASIDE_NEWLY, /* set by the current stage; undone if the stage must retry */
    IR_ASIDE_NOTED  /* permanently: its mote is in doubt */
} ir_aside_t;

typedef struct ir_message {
    ir_id_t raw_id;
    ir_view_t routing_key, content_type; /* as received; then as text (common/legible.h): */
    ir_view_t key_text, type_text;
    ir_view_t mote; /* empty when the routing key names no mote */
    ir_view_t body;
    ir_view_t name;     /* the sender's name for the message; empty: none */
    int64_t arrival_ns; /* whole microseconds */
    int64_t sent_ns;    /* base of relative times; 0: the arrival */
    bool stamped;       /* the message carried its arrival time */
    bool ask;   /* the raw message may already be stored with other times, which take precedence */
    bool known; /* `arrival_ns` is the stored one, or that of an equal message */
    bool redelivered;
    bool refused;   /* entirely refused: no observations */
    bool duplicate; /* the document store already had the raw message */
    uint8_t aside;  /* ir_aside_t */
    bool left_out;  /* it was set aside before its observations were written to the documents */
    uint32_t first_observation, n_observations; /* contiguous in the batch */
    const uint32_t
        *by_time; /* indexes of the observations in time order; NULL: they are in time order */
    uint32_t first_refusal,
        n_refusals; /* refusals from decoding, adjacent; the last one may stand for several */
    /* for the acknowledgement; 0 if not from a broker */
    uint32_t partition;
    uint32_t
        session; /* increases each time a partition is acquired; then quality state starts over */
    uint64_t delivery_tag;
} ir_message_t;

/* A store's refusal. If it has no reason, it is only a doubt (ir_batch_set_aside). Ignored for
 * messages that are set aside. */
typedef struct ir_store_refusal {
    uint32_t message;
    uint32_t observation; /* index into observations, or UINT32_MAX: the raw message itself */
    uint8_t before;       /* the observation's previous state: ir_observation_state_t */
    ir_refusal_t refusal;
} ir_store_refusal_t;

typedef struct ir_batch {
    ir_arena_t *arena;
    ir_arena_t *decoding;    /* memory for the message that is being added */
    ir_registry_t *registry; /* a reference */
    ir_message_t *messages;
    uint32_t n_messages, messages_capacity;
    ir_observation_t *observations;
    uint32_t n_observations, observations_capacity;
    ir_refusal_t *refusals;
    uint32_t n_refusals, refusals_capacity;
    ir_revision_t *revisions;
    uint32_t n_revisions, revisions_capacity;
    ir_store_refusal_t *store_refusals;
    uint32_t n_store_refusals, store_refusals_capacity;
    uint32_t n_aside;  /* messages that are set aside */
    size_t body_bytes; /* sum of the bodies */
    size_t text_bytes; /* sum of the observations' texts and data, which gzip can make large */
    uint64_t sequence; /* order of acknowledgement */
    bool undone;       /* a stage gave up: its messages must not be acknowledged */
    bool contested;    /* another worker has meanwhile stored one of these messages */
    int64_t opened_ns; /* monotonic time of its first message */
    int64_t oldest_ns; /* earliest arrival of its messages; 0: unknown. Only the worker's loop uses
                          it */
    /* The owner's, kept by a reset. */
    bool sets_aside;             /* messages in doubt are set aside, not proved (common/proof.h) */
    const atomic_bool *given_up; /* whether its proofs are abandoned; NULL: never */
    const void *stage;           /* the stage that has it; NULL: the loop (worker/stage.h) */
} ir_batch_t;

/* NULL when out of memory. Takes a reference to `registry`. */
ir_batch_t *ir_batch_new(ir_registry_t *registry);
void ir_batch_free(ir_batch_t *batch);

/* Empties the batch for reuse with this registry; keeps a bounded amount of memory. */
void ir_batch_reset(ir_batch_t *batch, ir_registry_t *registry);

/* Ensures room for `extra` more items of `size` bytes in one of the batch's lists; false when out
 * of memory. For the files of this folder. */
bool ir_batch_reserve(void **items, uint32_t *capacity, uint32_t count, size_t extra, size_t size);

/* Appends a revision (for quality control); false when out of memory. */
bool ir_batch_add_revision(ir_batch_t *batch, const ir_revision_t *revision);

/* Appends a stored observation, for quality control only; such a batch is not written. Does not
 * copy its views. False when out of memory. */
bool ir_batch_add_observation(ir_batch_t *batch, const ir_observation_t *observation);

/* Records that a store refused an observation, or with UINT32_MAX another part of the message. Sets
 * the observation's state. False when out of memory. */
bool ir_batch_refuse(ir_batch_t *batch, uint32_t message, uint32_t observation, ir_reason_t reason,
                     const char *detail);

/* Records a store's doubt about an observation, or with UINT32_MAX about another part of the
 * message. Sets aside the message and all later messages of its mote in this batch, which must wait
 * for it. `detail` has the reason. False when out of memory. */
bool ir_batch_set_aside(ir_batch_t *batch, uint32_t message, uint32_t observation,
                        const char *detail);

/* Records that the documents have the observations, except those of messages already set aside. */
void ir_batch_leave_out(ir_batch_t *batch);

/* Undoes the refusals and doubts of stores, except the first n_before. Each observation gets its
 * previous state again. */
void ir_batch_undo_refusals(ir_batch_t *batch, uint32_t n_before);

static inline bool ir_batch_is_aside(const ir_batch_t *batch, uint32_t message) {
    return batch->n_aside > 0 && batch->messages[message].aside != IR_ASIDE_NOT;
}

/* Whether the graph and the subscribers get the observation. */
static inline bool ir_observation_accepted(const ir_observation_t *observation) {
    return observation->state != IR_OBSERVATION_REFUSED;
}

#endif
