/* Reads large bodies beside the loop: a thread reads one request after the other, and the loop goes
 * on answering the rest. What waits for the thread is kept here: motes take turns, the requests of
 * one mote keep their order, and one mote has a bounded number of them. Loop thread only; while the
 * thread reads a request, its body and its result are the thread's. */
#ifndef IR_INGEST_DECODER_H
#define IR_INGEST_DECODER_H

#include "common/status.h"
#include "ingest/shipment.h"
#include "ingest/submission.h"
#include "ingest/tokens.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct evbuffer;

typedef struct ir_decoder ir_decoder_t;

/* A request on its way. */
typedef struct ir_decoding {
    TAILQ_ENTRY(ir_decoding) place;
    void *context;               /* the owner's; NULL: nobody waits for it any more */
    ir_submission_input_t input; /* its texts are copies; the body is the thread's to know */
    struct evbuffer *body;
    uint64_t turn;
    int64_t since_ns; /* monotonic, when it was added */
    bool queued;
    ir_status_t status;      /* the result: IR_ERR_MEMORY, or what ir_decoder_submission tells */
    ir_shipment_t *shipment; /* of what was accepted; the owner may take it and leave NULL */
    char texts[];
} ir_decoding_t;

/* Reads the input and makes the shipment of what is accepted, else NULL. IR_ERR_MEMORY. Any thread
 * that owns the reader. */
ir_status_t ir_decoder_read(ir_submission_reader_t *reader, const ir_submission_input_t *input,
                            ir_submission_t *submission, ir_shipment_t **shipment);

/* Starts the thread. At most `mote_most` requests of one mote are here at once. IR_ERR_MEMORY. */
ir_status_t ir_decoder_start(const ir_submission_limits_t *limits, size_t mote_most,
                             ir_decoder_t **decoder, ir_error_t *error);

/* Whether a request with a body of `size` bytes has to go this way: it is large or compressed, or
 * an earlier one of its mote is here. */
bool ir_decoder_wants(const ir_account_t *account, const ir_submission_input_t *input, size_t size);

/* Takes the request; copies the texts and moves the bytes out of `body`. IR_ERR_FULL: its mote has
 * too many here; IR_ERR_MEMORY. Both leave `body` as it was. */
ir_status_t ir_decoder_add(ir_decoder_t *decoder, ir_account_t *account,
                           const ir_submission_input_t *input, struct evbuffer *body,
                           void *context);

/* The request whose turn it is, to be given to ir_decoder_hand or ir_decoder_end; NULL: there is
 * none, or the thread is at work. */
ir_decoding_t *ir_decoder_next(ir_decoder_t *decoder);

/* Gives it to the thread. */
void ir_decoder_hand(ir_decoder_t *decoder, ir_decoding_t *decoding);

/* Readable when the thread has read a request: ir_decoder_take returns it, to be given to
 * ir_decoder_end; NULL: none. */
int ir_decoder_fd(const ir_decoder_t *decoder);
ir_decoding_t *ir_decoder_take(ir_decoder_t *decoder);

/* What was found in the request that was taken; until the next one is handed to the thread. */
const ir_submission_t *ir_decoder_submission(const ir_decoder_t *decoder);

/* Forgets it. `account` is its mote's; NULL: the mote is known no more. */
void ir_decoder_end(ir_decoder_t *decoder, ir_decoding_t *decoding, ir_account_t *account);

/* A request that was added before `bound_ns` and for which somebody waits, or NULL. */
ir_decoding_t *ir_decoder_overdue(const ir_decoder_t *decoder, int64_t bound_ns);

/* Nobody waits for it any more: it is forgotten, at the latest when the thread has read it. */
void ir_decoder_abandon(ir_decoder_t *decoder, ir_decoding_t *decoding, ir_account_t *account);

/* Requests that wait for the thread or are with it. */
size_t ir_decoder_count(const ir_decoder_t *decoder);

/* Ends the thread when it has read what it reads; forgets everything. Takes NULL. */
void ir_decoder_stop(ir_decoder_t *decoder);

#endif
