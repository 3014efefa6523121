#include "common/clock.h"
#include "ingest/state.h"

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>

#define AGAIN                                                                                      \
    "send it again, unchanged and under the same Idempotency-Key: messages already stored are "    \
    "not stored twice (without a key, too, when all its times are absolute)"

/* ---- answers ---- */

static void answer_confirmed(ir_gateway_t *gateway, ir_waiting_t *waiting) {
    const ir_shipment_t *shipment = waiting->shipment;
    ir_ingest_meters_t *meters = &gateway->meters;
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_shipment_append_answer(shipment, &body);
    ir_metric_increase(meters->messages, shipment->n_messages);
    ir_metric_increase(meters->observations, waiting->observations);
    ir_metric_increase(meters->bytes, ir_shipment_body_bytes(shipment));
    ir_metric_histogram_record(meters->confirm_seconds, ir_clock_monotonic() - shipment->since_ns);
    ir_intake_answer(gateway, waiting->request, 202, "application/json", &body);
    ir_buffer_free(&body);
}

static void answer_failed(ir_gateway_t *gateway, const ir_waiting_t *waiting, const char *reason,
                          const char *what) {
    char fault[320];
    char detail[480];
    ir_outlet_fault(gateway->outlet, fault, sizeof fault);
    snprintf(detail, sizeof detail, "%s%s%s", what, fault[0] != '\0' ? "; " : "", fault);
    ir_intake_refuse(gateway, waiting->request, 503, reason, detail,
                     gateway->options->retry_after_ns);
}

static void answer_settled(ir_gateway_t *gateway, ir_waiting_t *waiting) {
    const bool single = waiting->shipment->n_messages == 1;
    switch (waiting->shipment->fate) {
    case IR_SHIPMENT_CONFIRMED:
        answer_confirmed(gateway, waiting);
        break;
    case IR_SHIPMENT_HELD:
        answer_failed(
            gateway, waiting, "waiting",
            "nothing was accepted: the broker has not confirmed earlier messages of this mote");
        break;
    case IR_SHIPMENT_UNSENT:
        answer_failed(gateway, waiting, "broker-away",
                      single
                          ? "nothing was accepted: the broker is away"
                          : "the broker is away, and perhaps not everything was accepted: " AGAIN);
        break;
    case IR_SHIPMENT_REFUSED:
        answer_failed(gateway, waiting, "broker-full",
                      single ? "nothing was accepted: the broker refused it"
                             : "the broker refused some of it: " AGAIN);
        break;
    case IR_SHIPMENT_TOO_LARGE:
        ir_intake_refuse(gateway, waiting->request, 413, "too-large",
                         single
                             ? "nothing was accepted: the message is larger than the broker accepts"
                             : "at least one message is larger than the broker accepts; the others "
                               "may have been accepted",
                         0);
        break;
    case IR_SHIPMENT_UNKNOWN:
        answer_failed(
            gateway, waiting, "unconfirmed",
            "the broker did not confirm it, and it may or may not have been stored: " AGAIN);
        break;
    }
}

static void end_waiting(ir_gateway_t *gateway, ir_waiting_t *waiting) {
    TAILQ_REMOVE(&gateway->waiting, waiting, place);
    gateway->n_waiting--;
    waiting->shipment->context = NULL;
    free(waiting);
}

/* ---- sending off ---- */

bool ir_waiting_has_room(const ir_gateway_t *gateway, size_t bytes) {
    const size_t under_way = gateway->shipped + ir_decoder_count(gateway->decoder);
    return under_way < (size_t)gateway->options->in_flight &&
           gateway->shipped_bytes + bytes <= (size_t)gateway->options->in_flight_bytes;
}

/* Keeps the list ordered, with the request that has waited longest in front. So a request that the
 * thread decoded goes before those that arrived after it. */
static void insert(ir_gateway_t *gateway, ir_waiting_t *waiting) {
    ir_waiting_t *before = TAILQ_LAST(&gateway->waiting, ir_waiting_list);
    while (before != NULL && before->shipment->since_ns > waiting->shipment->since_ns) {
        before = TAILQ_PREV(before, ir_waiting_list, place);
    }
    if (before != NULL) {
        TAILQ_INSERT_AFTER(&gateway->waiting, before, waiting, place);
    } else {
        TAILQ_INSERT_HEAD(&gateway->waiting, waiting, place);
    }
    gateway->n_waiting++;
}

static bool send_off(ir_gateway_t *gateway, ir_waiting_t *waiting) {
    ir_shipment_t *shipment = waiting->shipment;
    shipment->context = waiting;
    const size_t bytes = shipment->bytes;
    if (!ir_waiting_has_room(gateway, bytes) || !ir_outlet_give(gateway->outlet, shipment)) {
        return false;
    }
    gateway->shipped++;
    gateway->shipped_bytes += bytes;
    insert(gateway, waiting);
    event_active(gateway->on_sent, EV_TIMEOUT, 1);
    return true;
}

void ir_waiting_begin(ir_gateway_t *gateway, ir_request_t *request, ir_shipment_t *shipment,
                      size_t observations, int64_t since_ns) {
    ir_waiting_t *waiting = calloc(1, sizeof *waiting);
    if (waiting == NULL) {
        ir_shipment_free(shipment);
        ir_intake_refuse(gateway, request, 503, "memory", "nothing was accepted: out of memory",
                         gateway->options->retry_after_ns);
        return;
    }
    *waiting =
        (ir_waiting_t){.request = request, .shipment = shipment, .observations = observations};
    shipment->since_ns = since_ns;
    if (send_off(gateway, waiting)) {
        ir_request_release(request);
        return;
    }
    free(waiting);
    ir_shipment_free(shipment);
    ir_intake_refuse(gateway, request, 503, "busy",
                     "nothing was accepted: too many requests wait for the broker",
                     gateway->options->retry_after_ns);
}

/* ---- coming back ---- */

static void take_back(ir_gateway_t *gateway, ir_shipment_t *shipment) {
    ir_waiting_t *waiting = shipment->context;
    gateway->shipped--;
    gateway->shipped_bytes -= shipment->bytes;
    if (waiting != NULL) {
        answer_settled(gateway, waiting);
        end_waiting(gateway, waiting);
    } else {
        ir_metric_increase(gateway->meters.late, shipment->n_messages);
    }
    ir_shipment_free(shipment);
}

void ir_waiting_settle(ir_gateway_t *gateway) {
    ir_outlet_acknowledge(gateway->outlet);
    for (ir_shipment_t *shipment; (shipment = ir_outlet_take(gateway->outlet)) != NULL;) {
        take_back(gateway, shipment);
    }
}

/* The shipment stays with the outlet, which returns it later. */
void ir_waiting_expire(ir_gateway_t *gateway, int64_t now_ns) {
    ir_waiting_t *next = NULL;
    for (ir_waiting_t *first = TAILQ_FIRST(&gateway->waiting); first != NULL; first = next) {
        next = TAILQ_NEXT(first, place);
        if (now_ns - first->shipment->since_ns <= gateway->options->confirm_timeout_ns) {
            return;
        }
        answer_failed(
            gateway, first, "unconfirmed",
            "the broker did not confirm in time, and it may or may not have been stored: " AGAIN);
        end_waiting(gateway, first);
    }
}

void ir_waiting_forget(ir_gateway_t *gateway) {
    ir_waiting_t *next = NULL;
    for (ir_waiting_t *first = TAILQ_FIRST(&gateway->waiting); first != NULL; first = next) {
        next = TAILQ_NEXT(first, place);
        end_waiting(gateway, first);
    }
}
