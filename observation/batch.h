/* A batch: messages of the broker with the observations found in them, on its way through the
 * stages of the worker. It is owned by one thread at a time and handed on through rings; everything
 * it points to lives in its arena or in the registry it holds a reference to. */
#ifndef IR_OBSERVATION_BATCH_H
#define IR_OBSERVATION_BATCH_H

#include "common/arena.h"
#include "common/view.h"
#include "observation/identity.h"
#include "observation/reason.h"
#include "observation/registry/registry.h"
#include "observation/senml/senml.h"
#include "observation/value.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* QARTOD flags (US IOOS). */
typedef enum ir_flag {
    IR_FLAG_GOOD = 1,
    IR_FLAG_NOT_EVALUATED = 2,
    IR_FLAG_SUSPECT = 3,
    IR_FLAG_FAIL = 4,
    IR_FLAG_MISSING = 9
} ir_flag_t;

/* The tests, in the order in which every output shows them. */
typedef enum ir_test {
    IR_TEST_GROSS_RANGE,
    IR_TEST_CLIMATOLOGY,
    IR_TEST_SPIKE,
    IR_TEST_RATE_OF_CHANGE,
    IR_TEST_FLAT_LINE,
    IR_TEST_COUNT
} ir_test_t;

/* "gross_range", "climatology", "spike", "rate_of_change", "flat_line". */
const char *ir_test_text(ir_test_t test);

/* "good", "not_evaluated", "suspect", "fail", "missing". */
const char *ir_flag_text(int flag);

typedef enum ir_observation_state {
    IR_OBSERVATION_NEW,       /* not stored before, as far as is known */
    IR_OBSERVATION_DUPLICATE, /* the document store already had it */
    IR_OBSERVATION_REFUSED    /* by a store: `refusal` of the batch says why */
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
    bool late;  /* out of its series: not later than one seen before, or ahead (quality.h) */
    uint8_t flags[IR_TEST_COUNT];
    uint8_t aggregate;
    uint8_t state;    /* ir_observation_state_t */
    bool stored;      /* the documents have it since it was set aside: not put once more */
    uint32_t message; /* index into the batch's messages */
    int record;       /* position in the pack */
} ir_observation_t;

/* A flag of an earlier observation that became known only now. Append-only: the observation itself
 * stays as it was stored; `observation` carries it with its new flags and aggregate. */
typedef struct ir_revision {
    ir_id_t id;
    ir_test_t test;
    uint8_t flag;                 /* the new flag of `test` */
    uint8_t previous;             /* the flag it had */
    ir_observation_t observation; /* message is that of the deciding point */
    ir_id_t raw_id;               /* of the message that carried the revised observation */
    ir_id_t decided_by;           /* the observation that decided it */
    bool supersedes;    /* made by analysing it again, it takes the place of an earlier verdict: */
    ir_id_t superseded; /* a revision, or the observation itself when there was none */
} ir_revision_t;

/* Whether a message is set aside: no stage does anything more about it in this batch. */
typedef enum ir_aside {
    IR_ASIDE_NOT,
    IR_ASIDE_NEWLY, /* by the stage that has the batch in hand; taken back when it has to retry */
    IR_ASIDE_NOTED  /* for good: its mote is known to be in doubt */
} ir_aside_t;

typedef struct ir_message {
    ir_id_t raw_id;
    ir_view_t routing_key, content_type; /* as they came, and as text (common/legible.h): */
    ir_view_t key_text, type_text;
    ir_view_t mote; /* empty when the routing key has none */
    ir_view_t body;
    ir_view_t name;     /* the sender's own for it; empty: none */
    int64_t arrival_ns; /* whole microseconds */
    int64_t sent_ns;    /* what relative times count from; 0: from the arrival */
    bool stamped;       /* the arrival came with the message */
    bool ask;           /* the raw message may be stored with other times, which win */
    bool known; /* of those: it is stored, or comes before in this batch, and with this one */
    bool redelivered;
    bool refused;   /* the whole of it: no observations */
    bool duplicate; /* the document store already had the raw message */
    uint8_t aside;  /* ir_aside_t */
    bool left_out;  /* it was set aside before its observations were put in the documents */
    uint32_t first_observation, n_observations; /* contiguous in the batch */
    const uint32_t *by_time;            /* their order by time, from 0; NULL: they stand in it */
    uint32_t first_refusal, n_refusals; /* decoding's, contiguous; the last may stand for many */
    /* where it came from, for the acknowledgement; 0 when not from a broker */
    uint32_t partition;
    uint32_t session; /* counts up whenever a partition is taken again: quality state starts over */
    uint64_t delivery_tag;
} ir_message_t;

/* A refusal by a store, found after decoding; without a reason, a doubt (ir_batch_set_aside). Those
 * of messages that are set aside count for nothing. */
typedef struct ir_store_refusal {
    uint32_t message;
    uint32_t observation; /* index into observations, or UINT32_MAX: the raw message itself */
    uint8_t before;       /* the observation's state before: ir_observation_state_t */
    ir_refusal_t refusal;
} ir_store_refusal_t;

typedef struct ir_batch {
    ir_arena_t *arena;
    ir_arena_t *decoding;    /* of the message that is being added */
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
    uint64_t sequence; /* order of acknowledgement */
    bool undone;       /* a stage gave it up: it must not be acknowledged */
    bool contested;    /* a message was not known, and another worker stored it meanwhile */
    int64_t opened_ns; /* monotonic, when its first message came */
    int64_t oldest_ns; /* the earliest arrival of its messages, as they came; 0: not known. Only the
                          worker's loop reads and writes it */
    /* The owner's, kept by a reset. */
    bool sets_aside;             /* what is in doubt is set aside, not proved (common/proof.h) */
    const atomic_bool *given_up; /* of its proofs; NULL: never */
    const void *stage;           /* which has it; NULL: the loop has it (worker/stage.h) */
} ir_batch_t;

/* NULL when memory is out. `registry` is referenced. */
ir_batch_t *ir_batch_new(ir_registry_t *registry);
void ir_batch_free(ir_batch_t *batch);

/* Empties it for the next use, with this registry; keeps bounded memory. */
void ir_batch_reset(ir_batch_t *batch, ir_registry_t *registry);

/* How a message is analysed. */
typedef struct ir_analysis {
    ir_senml_limits_t limits;
    bool accept_unregistered; /* unknown motes and sensors get generic terms below base_iri */
    const char *base_iri;     /* ends in '/' or '#' */
    bool infer_mote;          /* no routing key: the mote is that of the pack's first sensor */
} ir_analysis_t;

/* A message as the broker (or a file) gave it. Without a content type the body's first byte tells.
 * Views need only live during the call. */
typedef struct ir_batch_input {
    ir_view_t routing_key; /* "ir.MOTE" */
    ir_view_t content_type;
    ir_view_t body;
    ir_view_t name;     /* the sender's own name for it; empty: none */
    int64_t arrival_ns; /* when it arrived, as stamped on the way in; 0: no stamp */
    int64_t sent_ns; /* when its sender says it was sent: the base of relative times; 0: unknown */
    int64_t now_ns;  /* takes the arrival's place where there is no stamp */
    bool redelivered;
    uint32_t partition, session;
    uint64_t delivery_tag;
} ir_batch_input_t;

/* Decodes and resolves one message into the batch: identity, registry, units; not quality control.
 * Copies what it keeps. What is wrong with the input becomes refusals. IR_ERR_MEMORY leaves the
 * batch as it was. */
ir_status_t ir_batch_add(ir_batch_t *batch, const ir_analysis_t *analysis,
                         const ir_batch_input_t *input);

/* The same with message `message` of the batch `from`, in which it is set aside, as if the broker
 * had delivered it once more. */
ir_status_t ir_batch_add_again(ir_batch_t *batch, const ir_analysis_t *analysis,
                               const ir_batch_t *from, uint32_t message);

/* Analyses every message again, with clocks[i] for message i, in `scratch`, and swaps the contents.
 * Nothing that was found out after ir_batch_add is kept, but what is set aside. IR_ERR_MEMORY
 * leaves the batch as it was. */
ir_status_t ir_batch_rebuild(ir_batch_t *batch, ir_batch_t *scratch, const ir_analysis_t *analysis,
                             const ir_senml_clock_t *clocks);

/* Appends (for quality control); false when memory is out. */
bool ir_batch_add_revision(ir_batch_t *batch, const ir_revision_t *revision);

/* Appends one that is stored already, for quality control alone: a batch of these is not put. Its
 * views are not copied. False when memory is out. */
bool ir_batch_add_observation(ir_batch_t *batch, const ir_observation_t *observation);

/* A store refuses an observation, whose state says so from now on, or with UINT32_MAX something
 * else of the message. False when memory is out. */
bool ir_batch_refuse(ir_batch_t *batch, uint32_t message, uint32_t observation, ir_reason_t reason,
                     const char *detail);

/* A store is in doubt about an observation, or with UINT32_MAX something else of the message. This
 * is set aside, and so are all later messages of its mote in this batch: they have to wait for it.
 * `detail` says why. False when memory is out. */
bool ir_batch_set_aside(ir_batch_t *batch, uint32_t message, uint32_t observation,
                        const char *detail);

/* The observations are put in the documents now, without those of what is set aside already. */
void ir_batch_leave_out(ir_batch_t *batch);

/* Takes back all such refusals and doubts but the first n_before: each observation gets the state
 * it had. */
void ir_batch_undo_refusals(ir_batch_t *batch, uint32_t n_before);

static inline bool ir_batch_is_aside(const ir_batch_t *batch, uint32_t message) {
    return batch->n_aside > 0 && batch->messages[message].aside != IR_ASIDE_NOT;
}

/* Whether the observation goes on to the graph and the subscribers. */
static inline bool ir_observation_accepted(const ir_observation_t *observation) {
    return observation->state != IR_OBSERVATION_REFUSED;
}

#endif
