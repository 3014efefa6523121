#include "common/clock.h"
#include "ingest/state.h"

#include <event2/buffer.h>

static void refuse_for_now(ir_gateway_t *gateway, ir_request_t *request, const char *reason,
                           const char *detail) {
    ir_intake_refuse(gateway, request, 503, reason, detail, gateway->options->retry_after_ns);
}

/* ---- results of decoding ---- */

static void charge(ir_gateway_t *gateway, const char *mote, size_t cost) {
    ir_account_t *account = ir_tokens_account(gateway->tokens, mote);
    if (account != NULL) { /* NULL if the mote's last token was removed while the body was read */
        ir_bucket_take(&account->bucket, &gateway->bucket_limits, (double)(cost > 0 ? cost : 1));
    }
}

/* `request` is NULL if it was already answered. */
static void conclude(ir_gateway_t *gateway, ir_request_t *request, const char *mote,
                     const ir_submission_t *submission, ir_shipment_t *shipment, int64_t since_ns) {
    charge(gateway, mote, submission->cost);
    if (request == NULL) {
        ir_shipment_free(shipment);
    } else if (shipment != NULL) {
        ir_metric_increase(gateway->meters.records_refused, submission->n_faults);
        ir_waiting_begin(gateway, request, shipment, submission->observations, since_ns);
    } else {
        ir_intake_refuse_submission(gateway, request, submission, mote);
    }
}

static void refuse_memory(ir_gateway_t *gateway, ir_request_t *request) {
    refuse_for_now(gateway, request, "memory", "nothing was accepted: out of memory");
}

/* ---- arrival times ---- */

/* Returns the present time, but always later than for the previous pack, so that equal readings
 * stay distinct. If the clock was set back by a second or more, follows the clock. */
static int64_t next_arrival(const ir_gateway_t *gateway) {
    const int64_t now = ir_clock_now() / IR_MICROSECOND_NS * IR_MICROSECOND_NS;
    const int64_t ahead = gateway->last_arrival_ns - now;
    return ahead >= 0 && ahead < IR_SECOND_NS ? gateway->last_arrival_ns + IR_PACK_INTERVAL_NS
                                              : now;
}

/* ---- in the loop ---- */

static void read_here(ir_gateway_t *gateway, ir_request_t *request, ir_submission_input_t *input) {
    struct evbuffer *body = ir_request_body(request);
    const size_t size = evbuffer_get_length(body);
    ir_submission_t *submission = &gateway->submission;
    ir_shipment_t *shipment = NULL;
    input->body = ir_view(size > 0 ? (const char *)evbuffer_pullup(body, -1) : "", size);
    if (input->body.data == NULL ||
        ir_decoder_read(gateway->reader, input, submission, &shipment) != IR_OK) {
        refuse_memory(gateway, request);
        return;
    }
    if (submission->n_packs > 0) {
        gateway->last_arrival_ns = submission->packs[submission->n_packs - 1].arrival_ns;
    }
    conclude(gateway, request, input->mote, submission, shipment, ir_clock_monotonic());
}

/* ---- in the decoder's thread ---- */

static ir_account_t *account_of(const ir_gateway_t *gateway, const ir_decoding_t *decoding) {
    return ir_tokens_account(gateway->tokens, decoding->input.mote);
}

/* Passes requests to the thread until it is busy or no request waits. If a mote has used up its
 * rate limit meanwhile, its request is refused without decoding the body. */
static void hand_next(ir_gateway_t *gateway) {
    ir_decoding_t *next = NULL;
    while ((next = ir_decoder_next(gateway->decoder)) != NULL) {
        ir_account_t *account = account_of(gateway, next);
        if (account == NULL || ir_intake_may_send(gateway, next->context, account)) {
            ir_decoder_hand(gateway->decoder, next);
        } else {
            ir_decoder_end(gateway->decoder, next, account);
        }
    }
}

/* Reserves arrival times for as many packs as a request may have. */
static void reserve_arrivals(ir_gateway_t *gateway, int64_t arrival_ns) {
    gateway->last_arrival_ns =
        arrival_ns + (gateway->options->request_packs - 1) * IR_PACK_INTERVAL_NS;
}

static void read_beside(ir_gateway_t *gateway, ir_request_t *request, ir_account_t *account,
                        const ir_submission_input_t *input) {
    struct evbuffer *body = ir_request_body(request);
    ir_status_t status = IR_ERR_FULL;
    if (ir_waiting_has_room(gateway, evbuffer_get_length(body))) {
        status = ir_decoder_add(gateway->decoder, account, input, body, request);
    }
    if (status == IR_OK) {
        reserve_arrivals(gateway, input->arrival_ns);
        hand_next(gateway);
    } else if (status == IR_ERR_FULL) {
        refuse_for_now(gateway, request, "busy",
                       "nothing was accepted: too many requests wait to be decoded");
    } else {
        refuse_memory(gateway, request);
    }
}

void ir_reading_go_on(ir_gateway_t *gateway) {
    ir_decoding_t *decoding = NULL;
    while ((decoding = ir_decoder_take(gateway->decoder)) != NULL) {
        ir_shipment_t *shipment = decoding->shipment;
        decoding->shipment = NULL;
        if (decoding->status == IR_OK) {
            conclude(gateway, decoding->context, decoding->input.mote,
                     ir_decoder_submission(gateway->decoder), shipment, decoding->since_ns);
        } else if (decoding->context != NULL) {
            refuse_memory(gateway, decoding->context);
        }
        ir_decoder_end(gateway->decoder, decoding, account_of(gateway, decoding));
        hand_next(gateway);
    }
}

void ir_reading_expire(ir_gateway_t *gateway, int64_t now_ns) {
    const int64_t bound_ns = now_ns - gateway->options->confirm_timeout_ns;
    ir_decoding_t *late = NULL;
    while ((late = ir_decoder_overdue(gateway->decoder, bound_ns)) != NULL) {
        refuse_for_now(gateway, late->context, "busy",
                       "nothing was accepted: the body was not decoded in time");
        ir_decoder_abandon(gateway->decoder, late, account_of(gateway, late));
    }
}

/* ---- both ---- */

void ir_reading_begin(ir_gateway_t *gateway, ir_request_t *request, ir_account_t *account,
                      ir_submission_input_t *input) {
    const size_t size = evbuffer_get_length(ir_request_body(request));
    input->arrival_ns = next_arrival(gateway);
    if (ir_decoder_wants(account, input, size)) {
        read_beside(gateway, request, account, input);
    } else {
        read_here(gateway, request, input);
    }
}
