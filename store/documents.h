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

/* A raw message as it is stored. Views live during the call. */
typedef struct ir_raw_document {
    ir_id_t id;
    ir_view_t mote, content_type, body;
    ir_view_t name;         /* the sender's; empty: none */
    ir_senml_clock_t clock; /* what its relative times count from */
    const int *refused;     /* positions of records that were refused, by decoding or by a store, in
                               its newest outcome; -1: the whole message */
    size_t n_refused;
} ir_raw_document_t;

/* Calls `each` for every raw message, in any order, one after the other from the store. Stops and
 * returns its status when `each` does not return IR_OK. */
typedef ir_status_t (*ir_each_raw_fn)(void *context, const ir_raw_document_t *raw);
ir_status_t ir_documents_each_raw(ir_documents_t *documents, ir_each_raw_fn each, void *context,
                                  ir_error_t *error);

/* Calls `each` with every stored observation as one JSON line (the "json" format's document), by
 * time when the store can; for export. */
typedef ir_status_t (*ir_each_line_fn)(void *context, ir_view_t line);
ir_status_t ir_documents_export(ir_documents_t *documents, ir_each_line_fn each, void *context,
                                ir_error_t *error);

/* Whether what is put can be found again: not with null. */
bool ir_documents_keeps(const ir_documents_t *documents);

#endif
