#include "loadgen/sender.h"

#include "broker/publisher.h"
#include "broker/topology.h"
#include "common/clock.h"

#include <stdlib.h>
#include <time.h>

typedef struct ir_amqp {
    ir_publisher_t *publisher;
    ir_answers_t answers;
    int64_t timeout_ns;
    uint64_t sent, told; /* messages since the last RETRY, and how many push has called settled */
    uint64_t numbers[IR_SENDER_OPEN_MAX]; /* of the message N at N % IR_SENDER_OPEN_MAX */
    int64_t progress_ns; /* when the last of them was settled, or the first one sent */
} ir_amqp_t;

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
    return amqp;
}

static void close_amqp(void *sender) {
    ir_amqp_t *amqp = sender;
    if (amqp != NULL) {
        ir_publisher_free(amqp->publisher);
        free(amqp);
    }
}

static ir_outcome_t connect_amqp(void *sender, ir_error_t *error) {
    ir_amqp_t *amqp = sender;
    return ir_publisher_prepare(amqp->publisher, error);
}

/* After RETRY the publisher counts anew. */
static ir_outcome_t after(ir_amqp_t *amqp, ir_outcome_t outcome) {
    if (outcome == IR_OUTCOME_RETRY) {
        amqp->sent = amqp->told = 0;
    }
    return outcome;
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
    };
    const ir_outcome_t outcome = ir_publisher_publish(amqp->publisher, &publication, error);
    if (outcome == IR_OUTCOME_OK) {
        if (amqp->sent == amqp->told) {
            amqp->progress_ns = ir_clock_monotonic();
        }
        amqp->numbers[amqp->sent++ % IR_SENDER_OPEN_MAX] = parcel->number;
    }
    return after(amqp, outcome);
}

static void note_settled(ir_amqp_t *amqp, uint64_t settled) {
    if (settled <= amqp->told) {
        return;
    }
    amqp->progress_ns = ir_clock_monotonic();
    while (amqp->told < settled) {
        const uint64_t number = amqp->numbers[amqp->told++ % IR_SENDER_OPEN_MAX];
        amqp->answers.take(amqp->answers.context, number, IR_ANSWER_CONFIRMED, NULL);
    }
}

/* Confirms did not come within the time-out: the flush waits once more and then says why. */
static ir_outcome_t flush_late(ir_amqp_t *amqp, ir_error_t *error) {
    const ir_outcome_t outcome = ir_publisher_flush(amqp->publisher, error);
    if (outcome == IR_OUTCOME_OK) {
        note_settled(amqp, amqp->sent);
        amqp->sent = amqp->told = 0;
    }
    return after(amqp, outcome);
}

static void wait_unconnected(int64_t wait_ns) {
    const struct timespec wait = {.tv_sec = wait_ns / IR_SECOND_NS,
                                  .tv_nsec = wait_ns % IR_SECOND_NS};
    nanosleep(&wait, NULL);
}

static ir_outcome_t push_amqp(void *sender, int64_t wait_ns, ir_error_t *error) {
    ir_amqp_t *amqp = sender;
    const bool open = amqp->sent > amqp->told;
    if (!ir_publisher_connected(amqp->publisher) && !open) {
        wait_unconnected(wait_ns);
        return IR_OUTCOME_OK;
    }
    if (open && ir_clock_monotonic() - amqp->progress_ns > amqp->timeout_ns) {
        return flush_late(amqp, error);
    }
    const ir_outcome_t outcome = ir_publisher_push(amqp->publisher, wait_ns, error);
    if (outcome == IR_OUTCOME_OK) {
        note_settled(amqp, ir_publisher_settled(amqp->publisher));
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
