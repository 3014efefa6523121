/* What one request carries: its body read as SenML packs of one mote, or the reasons why it cannot
 * be taken. What is no valid SenML is refused whole, so that who sent it need not find out which
 * part of it went through; then reading ends when as many faults as are listed were found. With a
 * registry, records that it does not let a worker use are told as well: the packs are taken
 * unchanged as long as one record is of use. Nothing here knows HTTP but the status codes. */
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
    size_t body_bytes;     /* as it comes */
    size_t expanded_bytes; /* out of gzip */
    size_t packs;          /* in one request */
} ir_submission_limits_t;

/* A request as HTTP gave it. Texts may be NULL: no such header. */
typedef struct ir_submission_input {
    const char *mote;
    const char *content_type;
    const char *content_encoding;
    const char *idempotency_key;
    ir_view_t body;
    int64_t arrival_ns;       /* whole microseconds: so it goes along with the messages */
    ir_registry_t *registry;  /* NULL: names alone are looked at */
    bool accept_unregistered; /* what the registry lacks is of use, too */
} ir_submission_input_t;

/* Each further pack of a request arrives so much later: equal ones without a time stay apart. */
#define IR_PACK_INTERVAL_NS 1000

typedef struct ir_submission_pack {
    ir_view_t body;
    ir_view_t name; /* its sender's; empty: none */
    int64_t arrival_ns;
    ir_id_t raw_id;
} ir_submission_pack_t;

typedef struct ir_submission_fault {
    size_t line; /* of the body, from 1; 0: the body is one pack */
    ir_refusal_t refusal;
} ir_submission_fault_t;

#define IR_FAULTS_LISTED 16

typedef struct ir_submission {
    int code;           /* 202, or 400, 403, 413, 415 */
    const char *reason; /* one word, for metrics and programs; a refusal's, or one of its own */
    char detail[200];   /* for people */
    ir_media_t media;
    ir_submission_pack_t *packs;  /* bodies and names are views of the input or of the reader */
    size_t n_packs, observations; /* that are of use */
    size_t cost; /* of reading it: its records, taken or not, and one for each KiB, out of gzip */
    ir_submission_fault_t faults[IR_FAULTS_LISTED]; /* the first ones */
    size_t n_faults; /* how many there are; with 202, those that the registry finds */
} ir_submission_t;

/* What reading needs again and again; one thread. */
typedef struct ir_submission_reader ir_submission_reader_t;

/* NULL when memory is out. */
ir_submission_reader_t *ir_submission_reader_new(const ir_submission_limits_t *limits);
void ir_submission_reader_free(ir_submission_reader_t *reader);

/* Reads one request into `submission`, which stays valid until the next call. What is wrong with
 * the request is no error of this call. IR_ERR_MEMORY. */
ir_status_t ir_submission_read(ir_submission_reader_t *reader, const ir_submission_input_t *input,
                               ir_submission_t *submission);

#endif
