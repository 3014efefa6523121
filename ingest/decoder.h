/* Decodes large bodies outside of the loop: a thread decodes one request after the other while the
 * loop answers the rest. Waiting requests are queued here. Motes take turns, the requests of one
 * mote keep their order, and their number per mote is limited. Loop thread only; while the thread
 * decodes a request, it owns the request's body and result. */
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

/* A request in the decoder. */
typedef struct ir_decoding {
    TAILQ_ENTRY(ir_decoding) place;
    void *context;               /* the owner's request; NULL: nobody waits for it any more */
    ir_submission_input_t input; /* a copy with its own texts; only the thread uses the body */
    struct evbuffer *body;
    uint64_t turn;
    int64_t since_ns; /* when the request was added (monotonic) */
    bool queued;
    ir_status_t status;      /* the result: IR_ERR_MEMORY, or see ir_decoder_submission */
    ir_shipment_t *shipment; /* the accepted messages; the owner may take them over and leave
                              * NULL */
    char texts[];
} ir_decoding_t;

/* Decodes the input and makes the shipment of the accepted messages; NULL if there are none.
 * IR_ERR_MEMORY. Any thread that owns the reader. */
ir_status_t ir_decoder_read(ir_submission_reader_t *reader, const ir_submission_input_t *input,
                            ir_submission_t *submission, ir_shipment_t **shipment);

/* Starts the thread. Holds at most `mote_most` requests of one mote at once. IR_ERR_MEMORY. */
ir_status_t ir_decoder_start(const ir_submission_limits_t *limits, size_t mote_most,
                             ir_decoder_t **decoder, ir_error_t *error);

/* Whether a request with a body of `size` bytes must be decoded here: because it is large or
 * compressed, or because an earlier one of its mote still waits here. */
bool ir_decoder_wants(const ir_account_t *account, const ir_submission_input_t *input, size_t size);

/* Queues the request; copies the texts and moves the bytes out of `body`. IR_ERR_FULL: too many
 * requests of its mote wait here; IR_ERR_MEMORY. Both leave `body` unchanged. */
ir_status_t ir_decoder_add(ir_decoder_t *decoder, ir_account_t *account,
                           const ir_submission_input_t *input, struct evbuffer *body,
                           void *context);

/* The next request, to be passed to ir_decoder_hand or ir_decoder_end; NULL: there is none, or the
 * thread is busy. */
ir_decoding_t *ir_decoder_next(ir_decoder_t *decoder);

/* Passes the request to the thread. */
void ir_decoder_hand(ir_decoder_t *decoder, ir_decoding_t *decoding);

/* The descriptor is readable when the thread has decoded a request. ir_decoder_take returns the
 * request, to be passed to ir_decoder_end; NULL: none. */
int ir_decoder_fd(const ir_decoder_t *decoder);
ir_decoding_t *ir_decoder_take(ir_decoder_t *decoder);

/* The decoded content of the request that was taken; valid until the next one is passed to the
 * thread. */
const ir_submission_t *ir_decoder_submission(const ir_decoder_t *decoder);

/* Removes the request. `account` is its mote's account; NULL if the mote is no longer known. */
void ir_decoder_end(ir_decoder_t *decoder, ir_decoding_t *decoding, ir_account_t *account);

/* A request that was added before `bound_ns` and for which somebody waits, or NULL. */
ir_decoding_t *ir_decoder_overdue(const ir_decoder_t *decoder, int64_t bound_ns);

/* Call when nobody waits for the request any more. It is removed at once, or when the thread has
 * decoded it. */
void ir_decoder_abandon(ir_decoder_t *decoder, ir_decoding_t *decoding, ir_account_t *account);

/* The number of requests that wait for the thread or are being decoded. */
size_t ir_decoder_count(const ir_decoder_t *decoder);

/* Ends the thread after its current request; frees everything. NULL is allowed. */
void ir_decoder_stop(ir_decoder_t *decoder);

#endif
