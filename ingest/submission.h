/* Decodes a request's body as SenML packs of one mote, or gives the reasons why it cannot be
 * accepted. A body that is not valid SenML is refused as a whole, so that the sender need not find
 * out which part was accepted; decoding then ends at the maximum number of listed faults. With a
 * registry, records that no worker could use are reported as well, but the packs are accepted
 * unchanged if at least one record is usable. The only part of HTTP in this file is the status
 * codes. */
#ifndef IR_INGEST_SUBMISSION_H
#define IR_INGEST_SUBMISSION_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"
#include "observation/identity.h"
#include "observation/reason.h"
#include "observation/registry/registry.h"
#include "observation/senml/senml.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ir_submission_limits {
    ir_senml_limits_t senml;
    size_t body_bytes;     /* as received */
    size_t expanded_bytes; /* decompressed */
    size_t packs;          /* limit for the packs of one request */
} ir_submission_limits_t;

/* A request as received over HTTP. Texts are NULL for missing headers. */
typedef struct ir_submission_input {
    const char *mote;
    const char *content_type;
    const char *content_encoding;
    const char *idempotency_key;
    ir_view_t body;
    int64_t arrival_ns;       /* arrival in whole microseconds, as it is sent with the messages */
    ir_registry_t *registry;  /* NULL: only names are checked */
    bool accept_unregistered; /* records of unregistered sensors are usable, too */
} ir_submission_input_t;

/* Each further pack of a request gets an arrival this much later, so that equal packs without a
 * time stay distinct. */
#define IR_PACK_INTERVAL_NS 1000

typedef struct ir_submission_pack {
    ir_view_t body;
    ir_view_t name; /* the sender's name for it; empty: none */
    int64_t arrival_ns;
    ir_id_t raw_id;
} ir_submission_pack_t;

typedef struct ir_submission_fault {
    size_t line; /* line of the body, from 1; 0: the body is one pack */
    ir_refusal_t refusal;
} ir_submission_fault_t;

#define IR_FAULTS_LISTED 16

typedef struct ir_submission {
    int code;           /* 202, or 400, 403, 413, 415 */
    const char *reason; /* one word, for metrics and programs: a refusal's reason, or one of the
                         * gateway's own */
    char detail[200];   /* for people */
    ir_media_t media;
    ir_submission_pack_t *packs;  /* bodies and names are views of the input or of the reader */
    size_t n_packs, observations; /* number of usable records */
    size_t cost; /* cost for the rate limit: its records, accepted or not, plus one for each
                  * decompressed KiB */
    ir_submission_fault_t faults[IR_FAULTS_LISTED]; /* the first faults */
    size_t n_faults; /* number of faults; with 202, those found with the registry */
} ir_submission_t;

/* Reusable memory for decoding; one thread. */
typedef struct ir_submission_reader ir_submission_reader_t;

/* NULL when out of memory. */
ir_submission_reader_t *ir_submission_reader_new(const ir_submission_limits_t *limits);
void ir_submission_reader_free(ir_submission_reader_t *reader);

/* Decodes one request into `submission`, which stays valid until the next call. Faults of the
 * request are not errors of this call. IR_ERR_MEMORY. */
ir_status_t ir_submission_read(ir_submission_reader_t *reader, const ir_submission_input_t *input,
                               ir_submission_t *submission);

#endif
