/* The document store: raw messages, byte for byte, with their outcomes; processed observations; and
 * revisions. A client is used by one thread. Calls block, each at most for the store's time-out.
 *
 * URIs: mongodb://HOST…/DATABASE, sqlite:PATH, null: */
#ifndef IR_STORE_DOCUMENTS_DOCUMENTS_H
#define IR_STORE_DOCUMENTS_DOCUMENTS_H

#include "annotation/quality/quality.h"
#include "common/status.h"
#include "observation/batch.h"
#include "store/visit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_documents ir_documents_t;

typedef struct ir_documents_options {
    const char *uri;
    const char *password; /* password for mongodb that is not in the URI; or NULL */
    int64_t timeout_ns;   /* limit for one call to a server, or for waiting for a lock */
    const char *shards; /* for init on a mongos, the shards: "SET/HOST:PORT[,HOST:PORT…] …", or
                         * NULL */
    bool earlier; /* the store is one of an earlier release, whose ids have a different format. It
                   * can only be read (each_raw, each_sensor, each_observation); any other store is
                   * refused */
} ir_documents_options_t;

typedef struct ir_documents_counts {
    uint64_t raw, raw_rejected, observations, revisions;
} ir_documents_counts_t;

/* Only parses the URI and prepares a client. ready() or the first put connects to the server.
 * IR_ERR_USAGE names the fault in the URI. */
ir_status_t ir_documents_open(const ir_documents_options_t *options, ir_documents_t **documents,
                              ir_error_t *error);
void ir_documents_close(ir_documents_t *documents);

/* Initiates the replica set that the URI names, from the URI's hosts, if it does not exist yet;
 * also a set of config servers. Does nothing for other stores. Can be repeated. */
ir_status_t ir_documents_initiate(ir_documents_t *documents, ir_error_t *error);

typedef struct ir_documents_user {
    const char *name, *password;
    bool may_shard; /* whether init may add shards and distribute collections over them */
} ir_documents_user_t;

/* Makes a user who may read and write the store, or gives an existing one this password. The caller
 * must be allowed to make users. IR_ERR_USAGE: the store has no users. */
ir_status_t ir_documents_grant(ir_documents_t *documents, const ir_documents_user_t *user,
                               ir_error_t *error);

/* Creates collections or tables, and indexes. On a mongos, also adds the given shards and
 * distributes the collections over them (by hashed mote, and time). Can be repeated. */
ir_status_t ir_documents_init(ir_documents_t *documents, ir_error_t *error);

/* Whether the store answers, is set up, and accepts the credentials. IR_ERR_CONNECT, IR_ERR_AUTH,
 * IR_ERR_PROTOCOL (another service answers there), IR_ERR_NOT_FOUND (not set up: run ir-store
 * init). */
ir_status_t ir_documents_ready(ir_documents_t *documents, ir_error_t *error);

/* Checks the same, and also writes a control document where no reader looks, reads it back and
 * removes it. This detects a server that accepts everything. IR_ERR_PROTOCOL when the document is
 * not found. */
ir_status_t ir_documents_probe(ir_documents_t *documents, ir_error_t *error);

/* Whether stored data is still in place. Costs a few system calls; call it while nothing is put.
 * IR_ERR_VANISHED: it is not; other errors as for ready. */
ir_status_t ir_documents_present(ir_documents_t *documents, ir_error_t *error);

/* Releases the registry of earlier batches, of which the store may keep references. */
void ir_documents_forget(ir_documents_t *documents);

/* Stores the whole batch durably, in one group commit: every raw message (with its refusals), every
 * observation, every revision. Sets message.duplicate and observation.state. A document that the
 * store refuses is identified (by the server's answer or by splitting) and becomes a store refusal
 * of the batch; the rest is stored. OK: all of it is durable. RETRY: the result is unknown; call
 * again (repeating is harmless). But if `batch->contested` is set, another worker has meanwhile
 * stored a message with `ask` (batch.h): first query the arrivals again. */
ir_outcome_t ir_documents_put(ir_documents_t *documents, ir_batch_t *batch, ir_error_t *error);

/* When a raw message arrived and was sent. */
typedef struct ir_raw_arrival {
    ir_id_t raw_id;
    ir_senml_clock_t clock;
    uint32_t message; /* for the caller's use */
    bool stored;
} ir_raw_arrival_t;

/* Sets the stored times of those messages that are stored, and `stored` of all. The messages must
 * be sorted by id, without repeats. OK or RETRY. */
ir_outcome_t ir_documents_arrivals(ir_documents_t *documents, ir_raw_arrival_t *arrivals,
                                   size_t count, ir_error_t *error);

/* An ir_recent_fn; `context` is the ir_documents_t. */
ir_outcome_t ir_documents_recent(void *context, const ir_sensor_t *sensor, int64_t before_ns,
                                 size_t limit, ir_point_t *points, size_t *count,
                                 ir_error_t *error);

ir_status_t ir_documents_count(ir_documents_t *documents, ir_documents_counts_t *counts,
                               ir_error_t *error);

/* The data that identify a document. Views live during the call. */
typedef struct ir_document_key {
    ir_id_t id;
    ir_id_t raw_id; /* id of its raw message; of a raw document, its own */
    ir_view_t mote;
} ir_document_key_t;

/* Calls `each` for every document of that kind, in any order. Stops and returns its status when
 * `each` does not return IR_OK. */
typedef ir_status_t (*ir_each_document_fn)(void *context, const ir_document_key_t *key);
ir_status_t ir_documents_each(ir_documents_t *documents, ir_document_kind_t kind,
                              ir_each_document_fn each, void *context, ir_error_t *error);

/* Removes the documents of that kind with these sorted ids, and with a raw message its later
 * outcomes. Ignores unknown ids. OK: the removal is durable. */
ir_status_t ir_documents_purge(ir_documents_t *documents, ir_document_kind_t kind,
                               const ir_id_t *ids, size_t count, ir_error_t *error);

/* Copies everything into files of a folder. Workers may continue to write; a purge may not run. The
 * copy need not be of a single moment: dependent documents are read first, so for each copied
 * message only documents that `ir-store reprocess` can make may be missing. Errors as in
 * store/backup/file.h, and the store's. */
ir_status_t ir_documents_save(ir_documents_t *documents, const char *folder, ir_error_t *error);

/* Restores what ir_documents_save wrote. Call ir_documents_init afterwards: until then workers that
 * lost the documents wait. Repeating it changes nothing.
 * IR_ERR_STATE: the store is not empty, and cannot add to its content (SQLite). IR_ERR_NOT_FOUND:
 * the folder has no documents of this kind of store. */
ir_status_t ir_documents_load(ir_documents_t *documents, const char *folder, ir_error_t *error);

/* A stored refusal: of one record, by decoding or by a store, or of the whole message. */
typedef struct ir_stored_refusal {
    ir_view_t reason, detail;
    ir_view_t records; /* records refused with it (observation/reason.h); empty: only `record` */
    int record;        /* -1: the whole message */
} ir_stored_refusal_t;

/* A stored raw message, with its newest outcome. The views are valid during the call. */
typedef struct ir_raw_document {
    ir_id_t id;
    ir_view_t mote, body;
    ir_view_t key_text, type_text; /* routing key and content type (common/legible.h) */
    ir_view_t name;                /* the sender's name for it, as bytes; empty: none */
    ir_senml_clock_t clock;        /* the base of its relative times */
    ir_view_t status;              /* "accepted", "partly", "rejected", "dropped" */
    ir_view_t first_status;        /* the status of its first outcome */
    const ir_stored_refusal_t *refusals;
    size_t n_refusals;
} ir_raw_document_t;

/* Selects raw messages. All zero: all messages. */
typedef struct ir_raw_selection {
    const ir_id_t *id;          /* NULL: any */
    const char *mote, *reason;  /* NULL: any. A reason of the newest outcome counts */
    int64_t since_ns, until_ns; /* range of the arrival, without its end; 0: no bound */
    bool refused;               /* only messages that are "rejected" or "partly" */
} ir_raw_selection_t;

/* Calls `each` for every selected raw message, one after the other from the store, in the order of
 * arrival (mongodb) or of storing (sqlite); without a selection (NULL: all) in any order. Messages
 * stored meanwhile may be included. Blocks no writer. Stops when `each` does not return IR_OK, and
 * returns its status. */
typedef ir_status_t (*ir_each_raw_fn)(void *context, const ir_raw_document_t *raw);
ir_status_t ir_documents_each_raw(ir_documents_t *documents, const ir_raw_selection_t *selection,
                                  ir_each_raw_fn each, void *context, ir_error_t *error);

/* An outcome of a message at some time. The views are valid during the call. */
typedef struct ir_raw_outcome {
    int64_t at_ns; /* when it was appended; for the first outcome, the arrival */
    ir_view_t status;
    const ir_stored_refusal_t *refusals;
    size_t n_refusals;
} ir_raw_outcome_t;

/* Calls `each` for every outcome of one message, oldest first. */
typedef ir_status_t (*ir_each_outcome_fn)(void *context, const ir_raw_outcome_t *outcome);
ir_status_t ir_documents_each_outcome(ir_documents_t *documents, const ir_id_t *raw_id,
                                      ir_each_outcome_fn each, void *context, ir_error_t *error);

/* Durably appends the outcome "dropped", with the refusals of the newest outcome. `raw` comes from
 * ir_documents_each_raw. */
ir_status_t ir_documents_drop(ir_documents_t *documents, const ir_raw_document_t *raw,
                              ir_error_t *error);

/* Calls `each` for every series with observations, with the mote and the full name of the sensor,
 * in any order. */
typedef ir_status_t (*ir_each_sensor_fn)(void *context, ir_view_t mote, ir_view_t name);
ir_status_t ir_documents_each_sensor(ir_documents_t *documents, ir_each_sensor_fn each,
                                     void *context, ir_error_t *error);

/* A stored observation. The views and the sensor are valid during the call. */
typedef struct ir_stored_observation {
    ir_observation_t observation; /* its sensor is set only where a function says so */
    ir_id_t raw_id;
    ir_view_t unit; /* UCUM; empty: none */
} ir_stored_observation_t;

/* Calls `each` for the observations of one series (one sensor of a mote) in a time range, ends
 * included. They are ordered by time; at equal times those that were not late come first. Stops as
 * above. */
typedef ir_status_t (*ir_each_observation_fn)(void *context, const ir_stored_observation_t *stored);
ir_status_t ir_documents_each_observation(ir_documents_t *documents, const char *mote,
                                          const char *sensor, int64_t from_ns, int64_t to_ns,
                                          ir_each_observation_fn each, void *context,
                                          ir_error_t *error);

/* A selection of observations. A zeroed struct does not select all of them: see
 * ir_observations_all. */
typedef struct ir_observation_selection {
    const char *mote, *property; /* NULL: any; the property's key */
    int64_t from_ns, to_ns;      /* range of their times, both ends included */
    const ir_id_t *after;        /* only observations with later ids; NULL: all */
} ir_observation_selection_t;

extern const ir_observation_selection_t ir_observations_all;

/* Calls `each` for every observation of the selection, one after the other from the store, in the
 * order of ids: by time to the millisecond, times before 1970 first. Their sensors contain what the
 * store describes: mote, name, IRIs, property, feature, procedure and unit, but no place and no
 * limits. Observations stored meanwhile may be included. Stops as above. */
ir_status_t ir_documents_each_selected(ir_documents_t *documents,
                                       const ir_observation_selection_t *selection,
                                       ir_each_observation_fn each, void *context,
                                       ir_error_t *error);

/* Calls `each` for the newest observation, by its time, of one series. */
ir_status_t ir_documents_last(ir_documents_t *documents, const char *mote, const char *sensor,
                              ir_each_observation_fn each, void *context, ir_error_t *error);

/* A stored revision. */
typedef struct ir_stored_revision {
    ir_id_t id, observation, decided_by;
    ir_test_t test;
    uint8_t flag;
    uint8_t aggregate;  /* the observation's aggregate flag, with this flag */
    bool supersedes;    /* whether it replaces an earlier verdict: */
    ir_id_t superseded; /* a revision, or the observation */
} ir_stored_revision_t;

/* Calls `each` for the revisions of the series' observations in that time range, in any order. */
typedef ir_status_t (*ir_each_revision_fn)(void *context, const ir_stored_revision_t *stored);
ir_status_t ir_documents_each_revision(ir_documents_t *documents, const char *sensor,
                                       int64_t from_ns, int64_t to_ns, ir_each_revision_fn each,
                                       void *context, ir_error_t *error);

/* Calls `each` for the first `limit` revisions of any series whose ids are not less than `least`,
 * in the order of ids. May be called while observations are walked. */
ir_status_t ir_documents_revisions_from(ir_documents_t *documents, const ir_id_t *least,
                                        size_t limit, ir_each_revision_fn each, void *context,
                                        ir_error_t *error);

/* Whether stored documents can be found again; false for null. */
bool ir_documents_keeps(const ir_documents_t *documents);

#endif
