/* The document store: raw messages byte for byte with what became of them, processed observations,
 * and revisions. One client is used by one thread; calls block, each within the store's time-out.
 *
 * URIs: mongodb://HOST…/DATABASE, sqlite:PATH, null: */
#ifndef IR_STORE_DOCUMENTS_H
#define IR_STORE_DOCUMENTS_H

#include "annotation/quality.h"
#include "common/status.h"
#include "observation/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_documents ir_documents_t;

typedef struct ir_documents_options {
    const char *uri;
    const char *password; /* for mongodb, kept out of the URI; or NULL */
    int64_t timeout_ns;   /* of one call to a server, or of waiting for a lock */
    const char *shards;   /* for init on a mongos: "SET/HOST:PORT[,HOST:PORT…] …" or NULL */
    bool earlier; /* a store of an earlier release, whose ids are of another kind: it is only walked
                     (each_raw, each_sensor, each_observation), and no other store is taken */
} ir_documents_options_t;

/* What kind of id ir_documents_each_id walks. */
typedef enum ir_document_kind {
    IR_DOCUMENT_RAW,
    IR_DOCUMENT_OBSERVATION,
    IR_DOCUMENT_REVISION
} ir_document_kind_t;

typedef struct ir_documents_counts {
    uint64_t raw, raw_rejected, observations, revisions;
} ir_documents_counts_t;

/* Only parses the URI and prepares a client; reaching the server is the business of ready() and of
 * the first put. IR_ERR_USAGE names what is wrong with the URI. */
ir_status_t ir_documents_open(const ir_documents_options_t *options, ir_documents_t **documents,
                              ir_error_t *error);
void ir_documents_close(ir_documents_t *documents);

/* Makes the replica set that the URI names out of the URI's hosts, when it does not exist yet; a
 * set of config servers, too. Nothing to do for the other stores. Repeatable. */
ir_status_t ir_documents_initiate(ir_documents_t *documents, ir_error_t *error);

typedef struct ir_documents_user {
    const char *name, *password;
    bool may_shard; /* also add shards and spread collections over them */
} ir_documents_user_t;

/* Makes a user who may read and write the store, or gives the one of that name this password. By
 * whoever may make users. IR_ERR_USAGE: the store has no users. */
ir_status_t ir_documents_grant(ir_documents_t *documents, const ir_documents_user_t *user,
                               ir_error_t *error);

/* Creates collections or tables and indexes; on a mongos adds the shards that are given and spreads
 * the collections over them (mote hashed, time). Repeatable. */
ir_status_t ir_documents_init(ir_documents_t *documents, ir_error_t *error);

/* Whether the store answers, is set up, and takes the credentials. IR_ERR_CONNECT, IR_ERR_AUTH,
 * IR_ERR_PROTOCOL (another service answers there), IR_ERR_NOT_FOUND (not set up: run ir-store
 * init). */
ir_status_t ir_documents_ready(ir_documents_t *documents, ir_error_t *error);

/* The same, and writes a control document where no reader looks, reads it back and removes it: a
 * server that says yes to everything is found. IR_ERR_PROTOCOL when it is not there. */
ir_status_t ir_documents_probe(ir_documents_t *documents, ir_error_t *error);

/* Whether what was stored is still where it was put, at the price of a few system calls; to be
 * asked when nothing is put. IR_ERR_VANISHED: it is not; other errors as ready. */
ir_status_t ir_documents_present(ir_documents_t *documents, ir_error_t *error);

/* Lets go of the registry of earlier batches, of which it may keep what it looked up. */
void ir_documents_forget(ir_documents_t *documents);

/* Stores the whole batch durably, in one group commit: every raw message (with its refusals),
 * every observation, every revision. Sets message.duplicate and observation.state; a document that
 * the store refuses is found (by the server's answer or by splitting) and becomes a store refusal
 * of the batch, the rest is stored. OK: all of it is durable. RETRY: nothing may be assumed, call
 * again (it is idempotent); but when `batch->contested` is set, the store has got a message with
 * `ask` that was not known (batch.h): ask for the arrivals again first. */
ir_outcome_t ir_documents_put(ir_documents_t *documents, ir_batch_t *batch, ir_error_t *error);

/* A raw message, when it arrived and when it was sent. */
typedef struct ir_raw_arrival {
    ir_id_t raw_id;
    ir_senml_clock_t clock;
    uint32_t message; /* the caller's */
    bool stored;
} ir_raw_arrival_t;

/* Gives those of these messages that are stored their stored times, and sets `stored` of all. They
 * are in the order of their ids, each once. OK or RETRY. */
ir_outcome_t ir_documents_arrivals(ir_documents_t *documents, ir_raw_arrival_t *arrivals,
                                   size_t count, ir_error_t *error);

/* An ir_recent_fn; `context` is the ir_documents_t. */
ir_outcome_t ir_documents_recent(void *context, const ir_sensor_t *sensor, int64_t before_ns,
                                 size_t limit, ir_point_t *points, size_t *count,
                                 ir_error_t *error);

ir_status_t ir_documents_count(ir_documents_t *documents, ir_documents_counts_t *counts,
                               ir_error_t *error);

/* Calls `each` for every id of that kind, in any order, one call for every stored document. Stops
 * and returns its status when `each` does not return IR_OK. */
typedef ir_status_t (*ir_each_id_fn)(void *context, const ir_id_t *id);
ir_status_t ir_documents_each_id(ir_documents_t *documents, ir_document_kind_t kind,
                                 ir_each_id_fn each, void *context, ir_error_t *error);

/* A refusal as it is stored: one of a record, by decoding or by a store, or of the whole message.
 */
typedef struct ir_stored_refusal {
    ir_view_t reason, detail;
    ir_view_t records; /* those refused with it (observation/reason.h); empty: `record` alone */
    int record;        /* -1: the whole message */
} ir_stored_refusal_t;

/* A raw message as it is stored, with its newest outcome. Views live during the call. */
typedef struct ir_raw_document {
    ir_id_t id;
    ir_view_t mote, body;
    ir_view_t key_text, type_text; /* routing key and content type (common/legible.h) */
    ir_view_t name;                /* the sender's, its bytes; empty: none */
    ir_senml_clock_t clock;        /* what its relative times count from */
    ir_view_t status;              /* "accepted", "partly", "rejected", "dropped" */
    ir_view_t first_status;        /* that of its first outcome */
    const ir_stored_refusal_t *refusals;
    size_t n_refusals;
} ir_raw_document_t;

/* Which raw messages. All zero: all of them. */
typedef struct ir_raw_selection {
    const ir_id_t *id;          /* NULL: any */
    const char *mote, *reason;  /* NULL: any; the reason of a refusal of its newest outcome */
    int64_t since_ns, until_ns; /* of the arrival, the end not included; 0: no bound */
    bool refused;               /* only what is "rejected" or "partly" */
} ir_raw_selection_t;

/* Calls `each` for every raw message of the selection, one after the other from the store, in the
 * order in which they arrived (mongodb) or were stored (sqlite); without a selection (NULL: all) in
 * any order. What is stored meanwhile may be among them. Holds up no writer. Stops and returns its
 * status when `each` does not return IR_OK. */
typedef ir_status_t (*ir_each_raw_fn)(void *context, const ir_raw_document_t *raw);
ir_status_t ir_documents_each_raw(ir_documents_t *documents, const ir_raw_selection_t *selection,
                                  ir_each_raw_fn each, void *context, ir_error_t *error);

/* What became of a message at some time. Views live during the call. */
typedef struct ir_raw_outcome {
    int64_t at_ns; /* the arrival, of the first one */
    ir_view_t status;
    const ir_stored_refusal_t *refusals;
    size_t n_refusals;
} ir_raw_outcome_t;

/* Calls `each` for every outcome of one message, the first one first. */
typedef ir_status_t (*ir_each_outcome_fn)(void *context, const ir_raw_outcome_t *outcome);
ir_status_t ir_documents_each_outcome(ir_documents_t *documents, const ir_id_t *raw_id,
                                      ir_each_outcome_fn each, void *context, ir_error_t *error);

/* Appends the outcome "dropped", with the refusals of the newest one, durably. `raw` as it was
 * walked. */
ir_status_t ir_documents_drop(ir_documents_t *documents, const ir_raw_document_t *raw,
                              ir_error_t *error);

/* Calls `each` for every series that has observations, the full name of a sensor and its mote, in
 * any order. */
typedef ir_status_t (*ir_each_sensor_fn)(void *context, ir_view_t mote, ir_view_t name);
ir_status_t ir_documents_each_sensor(ir_documents_t *documents, ir_each_sensor_fn each,
                                     void *context, ir_error_t *error);

/* An observation as it is stored. Views live during the call. */
typedef struct ir_stored_observation {
    ir_observation_t observation; /* without a sensor */
    ir_id_t raw_id;
    ir_view_t unit; /* UCUM; empty: none */
} ir_stored_observation_t;

/* Calls `each` for the observations of one series, what a sensor of a mote measured, from one time
 * to another (both included), by time, at one time those first that were not late. Stops as above.
 */
typedef ir_status_t (*ir_each_observation_fn)(void *context, const ir_stored_observation_t *stored);
ir_status_t ir_documents_each_observation(ir_documents_t *documents, const char *mote,
                                          const char *sensor, int64_t from_ns, int64_t to_ns,
                                          ir_each_observation_fn each, void *context,
                                          ir_error_t *error);

/* A revision as it is stored. */
typedef struct ir_stored_revision {
    ir_id_t id, observation;
    ir_test_t test;
    uint8_t flag;
    bool supersedes;    /* it takes the place of a verdict: */
    ir_id_t superseded; /* a revision, or the observation */
} ir_stored_revision_t;

/* Calls `each` for the revisions of a series' observations of that time, in any order. */
typedef ir_status_t (*ir_each_revision_fn)(void *context, const ir_stored_revision_t *stored);
ir_status_t ir_documents_each_revision(ir_documents_t *documents, const char *sensor,
                                       int64_t from_ns, int64_t to_ns, ir_each_revision_fn each,
                                       void *context, ir_error_t *error);

/* Calls `each` with every stored observation as one JSON line (the "json" format's document), by
 * time when the store can; for export. */
typedef ir_status_t (*ir_each_line_fn)(void *context, ir_view_t line);
ir_status_t ir_documents_export(ir_documents_t *documents, ir_each_line_fn each, void *context,
                                ir_error_t *error);

/* Whether what is put can be found again: not with null. */
bool ir_documents_keeps(const ir_documents_t *documents);

#endif
