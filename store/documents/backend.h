/* The interface of a document store: one const table of functions. They are required unless marked
 * otherwise. documents.h defines their contracts; `store` is the object that `open` made. */
#ifndef IR_STORE_DOCUMENTS_BACKEND_H
#define IR_STORE_DOCUMENTS_BACKEND_H

#include "store/documents/documents.h"
#include "store/scheme.h"

typedef struct ir_documents_backend {
    ir_scheme_t scheme;
    ir_status_t (*open)(const ir_documents_options_t *options, void **store, ir_error_t *error);
    void (*close)(void *store);
    ir_status_t (*initiate)(void *store, ir_error_t *error); /* NULL: nothing to do */
    /* NULL: the store has no users */
    ir_status_t (*grant)(void *store, const ir_documents_user_t *user, ir_error_t *error);
    ir_status_t (*init)(void *store, ir_error_t *error);
    ir_status_t (*ready)(void *store, ir_error_t *error);
    ir_status_t (*probe)(void *store, ir_error_t *error);   /* NULL: same as `ready` */
    ir_status_t (*present)(void *store, ir_error_t *error); /* NULL: `put` notices */
    void (*forget)(void *store); /* NULL: the store keeps no reference to a registry */
    /* If it does not return OK, it may leave states and store refusals in the batch; the caller
     * (documents.c) undoes them. */
    ir_outcome_t (*put)(void *store, ir_batch_t *batch, ir_error_t *error);
    ir_outcome_t (*arrivals)(void *store, ir_raw_arrival_t *arrivals, size_t count,
                             ir_error_t *error);
    ir_outcome_t (*recent)(void *store, const ir_sensor_t *sensor, int64_t before_ns, size_t limit,
                           ir_point_t *points, size_t *count, ir_error_t *error);
    ir_status_t (*count)(void *store, ir_documents_counts_t *counts, ir_error_t *error);
    ir_status_t (*purge)(void *store, ir_document_kind_t kind, const ir_id_t *ids, size_t count,
                         ir_error_t *error); /* NULL: keeps nothing */
    ir_status_t (*save)(void *store, const char *folder, ir_error_t *error); /* NULL: as above */
    ir_status_t (*load)(void *store, const char *folder, ir_error_t *error); /* NULL: as above */
    ir_status_t (*each)(void *store, ir_document_kind_t kind, ir_each_document_fn each,
                        void *context, ir_error_t *error);
    /* The caller (documents.c) checks `selection->reason`. */
    ir_status_t (*each_raw)(void *store, const ir_raw_selection_t *selection, ir_each_raw_fn each,
                            void *context, ir_error_t *error);
    /* The next eight are NULL when the store keeps nothing. */
    ir_status_t (*each_outcome)(void *store, const ir_id_t *raw_id, ir_each_outcome_fn each,
                                void *context, ir_error_t *error);
    ir_status_t (*drop)(void *store, const ir_raw_document_t *raw, ir_error_t *error);
    ir_status_t (*each_sensor)(void *store, ir_each_sensor_fn each, void *context,
                               ir_error_t *error);
    ir_status_t (*each_observation)(void *store, const char *mote, const char *sensor,
                                    int64_t from_ns, int64_t to_ns, ir_each_observation_fn each,
                                    void *context, ir_error_t *error);
    ir_status_t (*each_revision)(void *store, const char *sensor, int64_t from_ns, int64_t to_ns,
                                 ir_each_revision_fn each, void *context, ir_error_t *error);
    ir_status_t (*each_selected)(void *store, const ir_observation_selection_t *selection,
                                 ir_each_observation_fn each, void *context, ir_error_t *error);
    ir_status_t (*last)(void *store, const char *mote, const char *sensor,
                        ir_each_observation_fn each, void *context, ir_error_t *error);
    ir_status_t (*revisions_from)(void *store, const ir_id_t *least, size_t limit,
                                  ir_each_revision_fn each, void *context, ir_error_t *error);
} ir_documents_backend_t;

/* X(name): the backends, in the order of messages. Each defines ir_documents_NAME. */
#define IR_DOCUMENTS_BACKENDS(X)                                                                   \
    X(mongodb)                                                                                     \
    X(sqlite)                                                                                      \
    X(null)

#define IR_DOCUMENTS_BACKEND(name) extern const ir_documents_backend_t ir_documents_##name;
IR_DOCUMENTS_BACKENDS(IR_DOCUMENTS_BACKEND)
#undef IR_DOCUMENTS_BACKEND

/* The status of a message in its raw document: "accepted", "partly" (some records were refused) or
 * "rejected" (no record was accepted). Call it after the message's observations were stored. */
const char *ir_raw_status(const ir_batch_t *batch, uint32_t message);

/* Calls `each` for every refusal of the message's records, by decoding and by the store. Returns
 * their number. `each` may be NULL. */
typedef void (*ir_each_refusal_fn)(void *context, const ir_refusal_t *refusal);
size_t ir_raw_refusals(const ir_batch_t *batch, uint32_t message, ir_each_refusal_fn each,
                       void *context);

/* Collects the refusals of an outcome during a walk; reused for each. All zero: empty. */
typedef struct ir_refusal_list {
    ir_stored_refusal_t *refusals;
    size_t count, capacity;
} ir_refusal_list_t;

bool ir_refusal_list_add(ir_refusal_list_t *list, ir_stored_refusal_t refusal); /* false: memory */

/* Records that the store refuses a document: an observation, or with UINT32_MAX the raw message.
 * Returns false when memory is exhausted. */
bool ir_document_refuse(ir_batch_t *batch, uint32_t message, uint32_t observation,
                        const char *detail);

#endif
