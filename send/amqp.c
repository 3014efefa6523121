#include "send/sender.h"

#include "broker/publisher.h"
#include "broker/topology.h"
#include "common/clock.h"

#include <stdint.h>
#include <stdlib.h>

typedef struct ir_amqp {
    ir_publisher_t *publisher;
    ir_answers_t answers;
    int64_t timeout_ns;
    int64_t progress_ns; /* time of the last answer, or of the first message sent after all were
                            answered */
    uint64_t refused;    /* number of messages since the last RETRY */
    ir_error_t returned; /* why a message was unroutable since the last RETRY; IR_OK: none was */
} ir_amqp_t;

/* ---- the broker's answers ---- */

/* AMQP does not show which of the confirms belongs to a returned message. */
static void on_answer(void *context, void *ticket, bool confirmed) {
    ir_amqp_t *amqp = context;
    amqp->progress_ns = ir_clock_monotonic();
    amqp->refused += !confirmed;
    if (confirmed && amqp->returned.status == IR_OK) {
        amqp->answers.take(amqp->answers.context, (uintptr_t)ticket, IR_ANSWER_CONFIRMED, NULL);
    }
}

static void on_return(void *context, ir_view_t routing_key, const ir_error_t *why) {
    ir_amqp_t *amqp = context;
    (void)routing_key;
    amqp->returned = *why;
}

/* ---- life ---- */

static void *open_amqp(const ir_target_t *target, const ir_answers_t *answers) {
    ir_amqp_t *amqp = calloc(1, sizeof *amqp);
    if (amqp == NULL) {
        return NULL;
    }
    amqp->answers = *answers;
    amqp->timeout_ns = target->timeout_ns;
    amqp->publisher = ir_publisher_new(&target->broker);
    if (amqp->publisher == NULL) {
        free(amqp);
        return NULL;
    }
    ir_publisher_on_answer(amqp->publisher, &(ir_publisher_answers_t){on_answer, on_return, amqp});
    return amqp;
}

static void close_amqp(void *sender) {
    ir_amqp_t *amqp = sender;
    if (amqp != NULL) {
        ir_publisher_free(amqp->publisher);
        free(amqp);
    }
}

/* ---- messages ---- */

static ir_outcome_t after(ir_amqp_t *amqp, ir_outcome_t outcome) {
    if (outcome == IR_OUTCOME_RETRY) {
        amqp->refused = 0;
        amqp->returned.status = IR_OK;
    }
    return outcome;
}

static ir_outcome_t connect_amqp(void *sender, ir_error_t *error) {
    ir_amqp_t *amqp = sender;
    return ir_publisher_prepare(amqp->publisher, error);
}

static ir_outcome_t send_amqp(void *sender, const ir_parcel_t *parcel, ir_error_t *error) {
    ir_amqp_t *amqp = sender;
    const ir_publication_t publication = {
        .exchange = IR_EXCHANGE_OBSERVATIONS,
        .routing_key = parcel->routing_key,
        .content_type = parcel->content_type,
        .message_id = parcel->name,
        .body = parcel->body,
        .mandatory = true,
        .ticket = (void *)(uintptr_t)parcel->number,
    };
    const bool first = ir_publisher_open(amqp->publisher) == 0;
    const ir_outcome_t outcome = ir_publisher_publish(amqp->publisher, &publication, error);
    if (outcome == IR_OUTCOME_OK && first) {
        amqp->progress_ns = ir_clock_monotonic();
    }
    return after(amqp, outcome);
}

/* The answers that are still to come show which messages need not be sent again, so the connection
 * stays open. */
static ir_outcome_t take_rest(ir_amqp_t *amqp, ir_error_t *error) {
    if (ir_publisher_flush(amqp->publisher, error) != IR_OUTCOME_OK) {
        return IR_OUTCOME_RETRY;
    }
    if (amqp->returned.status != IR_OK) {
        ir_error_set(error, IR_ERR_REFUSED, "RabbitMQ could not route a message to %s",
                     amqp->returned.text);
    } else {
        ir_error_set(error, IR_ERR_REFUSED,
                     "RabbitMQ refused %llu messages (a queue is full or its node is lost)",
                     (unsigned long long)amqp->refused);
    }
    return IR_OUTCOME_RETRY;
}

/* If the confirms did not arrive within the time-out, the flush waits once more and then returns
 * the reason. */
static ir_outcome_t push_amqp(void *sender, int64_t wait_ns, ir_error_t *error) {
    ir_amqp_t *amqp = sender;
    const bool open = ir_publisher_open(amqp->publisher) > 0;
    if (!ir_publisher_connected(amqp->publisher) && !open) {
        ir_clock_sleep(wait_ns);
        return IR_OUTCOME_OK;
    }
    const bool late = open && ir_clock_monotonic() - amqp->progress_ns > amqp->timeout_ns;
    ir_outcome_t outcome = late ? ir_publisher_flush(amqp->publisher, error)
                                : ir_publisher_push(amqp->publisher, wait_ns, error);
    if (outcome == IR_OUTCOME_OK && (amqp->refused > 0 || amqp->returned.status != IR_OK)) {
        outcome = take_rest(amqp, error);
    }
    return after(amqp, outcome);
}

const ir_sender_t ir_sender_amqp = {
    .name = "amqp",
    .names = true,
    .open = open_amqp,
    .close = close_amqp,
    .connect = connect_amqp,
    .send = send_amqp,
    .push = push_amqp,
};
