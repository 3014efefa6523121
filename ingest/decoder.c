#include "ingest/decoder.h"

#include "common/clock.h"
#include "common/ring.h"
#include "common/thread.h"

#include <event2/buffer.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LARGE_BYTES                                                                                \
    4096 /* bodies up to this size take less than a millisecond, whatever they                     \
          * contain */
#define WAIT_NS (10 * IR_SECOND_NS)
#define RING_SIZE 2 /* only one request at a time is passed to the thread */

TAILQ_HEAD(decoding_list, ir_decoding);

struct ir_decoder {
    size_t mote_most;
    struct decoding_list waiting; /* ordered by turn; within a turn by arrival */
    size_t count;
    uint64_t turn;          /* the turn of the last request passed to the thread */
    ir_decoding_t *handed;  /* the request passed to the thread, until it is collected */
    ir_ring_t *todo, *done; /* of ir_decoding_t */
    pthread_t thread;
    bool started;
    ir_submission_reader_t *reader; /* owned by the thread, like the following fields while it
                                     * decodes */
    ir_submission_t submission;
};

/* ---- reading ---- */

ir_status_t ir_decoder_read(ir_submission_reader_t *reader, const ir_submission_input_t *input,
                            ir_submission_t *submission, ir_shipment_t **shipment) {
    *shipment = NULL;
    const ir_status_t status = ir_submission_read(reader, input, submission);
    if (status != IR_OK || submission->code != 202) {
        return status;
    }
    *shipment = ir_shipment_new(submission, input->mote);
    return *shipment != NULL ? IR_OK : IR_ERR_MEMORY;
}

static void read_one(ir_decoder_t *decoder, ir_decoding_t *decoding) {
    const size_t size = evbuffer_get_length(decoding->body);
    const unsigned char *data =
        size > 0 ? evbuffer_pullup(decoding->body, -1) : (unsigned char *)"";
    decoding->input.body = ir_view((const char *)data, size);
    decoding->status = data != NULL ? ir_decoder_read(decoder->reader, &decoding->input,
                                                      &decoder->submission, &decoding->shipment)
                                    : IR_ERR_MEMORY;
}

static void *run(void *argument) {
    ir_decoder_t *decoder = argument;
    for (;;) {
        ir_decoding_t *decoding = ir_ring_wait(decoder->todo, WAIT_NS);
        if (decoding != NULL) {
            read_one(decoder, decoding);
            (void)ir_ring_push(decoder->done, decoding);
        } else if (ir_ring_closed(decoder->todo)) {
            return NULL;
        }
    }
}

/* ---- life ---- */

ir_status_t ir_decoder_start(const ir_submission_limits_t *limits, size_t mote_most,
                             ir_decoder_t **decoder, ir_error_t *error) {
    ir_decoder_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "decoder: out of memory");
    }
    TAILQ_INIT(&made->waiting);
    made->mote_most = mote_most;
    made->reader = ir_submission_reader_new(limits);
    made->todo = ir_ring_new(RING_SIZE, false);
    made->done = ir_ring_new(RING_SIZE, true);
    made->started = made->reader != NULL && made->todo != NULL && made->done != NULL &&
                    ir_thread_start(&made->thread, run, made) == 0;
    if (!made->started) {
        ir_decoder_stop(made);
        return ir_error_set(error, IR_ERR_MEMORY, "decoder: out of memory or threads");
    }
    *decoder = made;
    return IR_OK;
}

static void free_decoding(ir_decoding_t *decoding) {
    ir_shipment_free(decoding->shipment);
    ir_registry_unref(decoding->input.registry);
    evbuffer_free(decoding->body);
    free(decoding);
}

void ir_decoder_stop(ir_decoder_t *decoder) {
    if (decoder == NULL) {
        return;
    }
    if (decoder->started) {
        ir_ring_close(decoder->todo);
        pthread_join(decoder->thread, NULL);
    }
    if (decoder->handed != NULL) {
        free_decoding(decoder->handed);
    }
    ir_decoding_t *next = NULL;
    for (ir_decoding_t *each = TAILQ_FIRST(&decoder->waiting); each != NULL; each = next) {
        next = TAILQ_NEXT(each, place);
        free_decoding(each);
    }
    ir_ring_free(decoder->todo);
    ir_ring_free(decoder->done);
    ir_submission_reader_free(decoder->reader);
    free(decoder);
}

/* ---- coming ---- */

bool ir_decoder_wants(const ir_account_t *account, const ir_submission_input_t *input,
                      size_t size) {
    const char *encoding = input->content_encoding;
    const bool compressed = encoding != NULL && strcasecmp(encoding, "identity") != 0;
    return account->decoding > 0 || compressed || size > LARGE_BYTES;
}

static const char *copy_text(const char *text, char **at) {
    if (text == NULL) {
        return NULL;
    }
    const size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static size_t text_size(const char *text) {
    return text != NULL ? strlen(text) + 1 : 0;
}

static ir_decoding_t *new_decoding(const ir_submission_input_t *input, struct evbuffer *body) {
    const size_t size = text_size(input->mote) + text_size(input->content_type) +
                        text_size(input->content_encoding) + text_size(input->idempotency_key);
    ir_decoding_t *decoding = calloc(1, sizeof *decoding + size);
    struct evbuffer *own = evbuffer_new();
    if (decoding == NULL || own == NULL || evbuffer_add_buffer(own, body) != 0) {
        free(decoding);
        if (own != NULL) {
            evbuffer_free(own);
        }
        return NULL;
    }
    char *at = decoding->texts;
    decoding->input = (ir_submission_input_t){
        .mote = copy_text(input->mote, &at),
        .content_type = copy_text(input->content_type, &at),
        .content_encoding = copy_text(input->content_encoding, &at),
        .idempotency_key = copy_text(input->idempotency_key, &at),
        .arrival_ns = input->arrival_ns,
        .registry = ir_registry_ref(input->registry),
        .accept_unregistered = input->accept_unregistered,
    };
    decoding->body = own;
    return decoding;
}

/* Inserts the request after all others whose turn is at most as late. */
static void insert(ir_decoder_t *decoder, ir_decoding_t *decoding) {
    ir_decoding_t *before = TAILQ_LAST(&decoder->waiting, decoding_list);
    while (before != NULL && before->turn > decoding->turn) {
        before = TAILQ_PREV(before, decoding_list, place);
    }
    if (before != NULL) {
        TAILQ_INSERT_AFTER(&decoder->waiting, before, decoding, place);
    } else {
        TAILQ_INSERT_HEAD(&decoder->waiting, decoding, place);
    }
    decoding->queued = true;
}

ir_status_t ir_decoder_add(ir_decoder_t *decoder, ir_account_t *account,
                           const ir_submission_input_t *input, struct evbuffer *body,
                           void *context) {
    if (account->decoding >= decoder->mote_most) {
        return IR_ERR_FULL;
    }
    ir_decoding_t *decoding = new_decoding(input, body);
    if (decoding == NULL) {
        return IR_ERR_MEMORY;
    }
    decoding->context = context;
    decoding->since_ns = ir_clock_monotonic();
    decoding->turn = account->decoding > 0 ? account->turn + 1 : decoder->turn;
    account->turn = decoding->turn;
    account->decoding++;
    decoder->count++;
    insert(decoder, decoding);
    return IR_OK;
}

/* ---- to the thread and back ---- */

static void unqueue(ir_decoder_t *decoder, ir_decoding_t *decoding) {
    TAILQ_REMOVE(&decoder->waiting, decoding, place);
    decoding->queued = false;
}

ir_decoding_t *ir_decoder_next(ir_decoder_t *decoder) {
    ir_decoding_t *first = decoder->handed == NULL ? TAILQ_FIRST(&decoder->waiting) : NULL;
    if (first != NULL) {
        unqueue(decoder, first);
        decoder->turn = first->turn;
    }
    return first;
}

void ir_decoder_hand(ir_decoder_t *decoder, ir_decoding_t *decoding) {
    decoder->handed = decoding;
    (void)ir_ring_push(decoder->todo, decoding);
}

int ir_decoder_fd(const ir_decoder_t *decoder) {
    return ir_ring_fd(decoder->done);
}

ir_decoding_t *ir_decoder_take(ir_decoder_t *decoder) {
    ir_ring_acknowledge(decoder->done);
    ir_decoding_t *taken = ir_ring_pop(decoder->done);
    if (taken != NULL) {
        decoder->handed = NULL;
    }
    return taken;
}

const ir_submission_t *ir_decoder_submission(const ir_decoder_t *decoder) {
    return &decoder->submission;
}

/* ---- going ---- */

void ir_decoder_end(ir_decoder_t *decoder, ir_decoding_t *decoding, ir_account_t *account) {
    if (account != NULL && account->decoding > 0) {
        account->decoding--;
    }
    decoder->count--;
    free_decoding(decoding);
}

ir_decoding_t *ir_decoder_overdue(const ir_decoder_t *decoder, int64_t bound_ns) {
    ir_decoding_t *each = decoder->handed;
    if (each != NULL && each->context != NULL && each->since_ns < bound_ns) {
        return each;
    }
    TAILQ_FOREACH(each, &decoder->waiting, place) {
        if (each->since_ns < bound_ns) {
            return each;
        }
    }
    return NULL;
}

void ir_decoder_abandon(ir_decoder_t *decoder, ir_decoding_t *decoding, ir_account_t *account) {
    decoding->context = NULL;
    if (decoding->queued) {
        unqueue(decoder, decoding);
        ir_decoder_end(decoder, decoding, account);
    }
}

size_t ir_decoder_count(const ir_decoder_t *decoder) {
    return decoder->count;
}
