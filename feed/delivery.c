#include "feed/delivery.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/name_table.h"
#include "common/routing.h"
#include "feed/input.h"
#include "send/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT_TYPE "application/senml+json"
#define FIRST_BACKOFF_NS (100 * IR_MILLISECOND_NS)
#define LONGEST_BACKOFF_NS (10 * IR_SECOND_NS)
#define LOG_EVERY_NS (10 * IR_SECOND_NS)
#define ROUND_SHIFT                                                                                \
    32 /* layout of a pack's id in the sender: the round's index, then the pack's number in the    \
          round */

struct ir_feed_delivery {
    ir_delivery_options_t options;
    const ir_sender_t *kind;
    void *sender;
    bool up, reached, denied;
    ir_backoff_t backoff;
    int64_t retry_ns, trouble_ns; /* time of the next attempt; when the target began to fail (0: it
                                   * works) */
    int64_t logged_ns, logged_later_ns;
    ir_name_table_t motes; /* maps a mote to its index in `keys`, counted from 1 */
    char **keys;           /* "ir.MOTE" */
    size_t n_keys;
    ir_delivery_counts_t counts;
    ir_error_t error; /* the error if the target denies everything */
};

/* ---- answers ---- */

static void name_refusal(const ir_pack_t *pack, const char *why) {
    ir_log(IR_LOG_WARN, "%s:%llu: %s", ir_input_path(pack->input),
           (unsigned long long)pack->begin.line, why);
}

static void take_answer(void *context, uint64_t number, ir_sender_answer_t answer,
                        const char *why) {
    ir_feed_delivery_t *delivery = context;
    ir_round_t *round = delivery->options.rounds[number >> ROUND_SHIFT];
    const size_t place = (size_t)(number & UINT32_MAX);
    switch (answer) {
    case IR_ANSWER_CONFIRMED:
        delivery->counts.confirmed++;
        if (why != NULL) {
            delivery->counts.partly++;
            name_refusal(ir_round_pack(round, place), why);
        }
        delivery->reached = true;
        delivery->trouble_ns = 0;
        ir_round_settle(round, place);
        break;
    case IR_ANSWER_REFUSED:
        delivery->counts.refused++;
        name_refusal(ir_round_pack(round, place), why);
        ir_round_settle(round, place);
        break;
    case IR_ANSWER_DENIED:
        delivery->denied = true;
        ir_error_set(&delivery->error, IR_ERR_AUTH, "%s:%llu: %s",
                     ir_input_path(ir_round_pack(round, place)->input),
                     (unsigned long long)ir_round_pack(round, place)->begin.line, why);
        break;
    case IR_ANSWER_AGAIN:
        ir_log_limited(&delivery->logged_later_ns, LOG_EVERY_NS, IR_LOG_WARN,
                       "%s; trying again later", why);
        break;
    }
}

static void reach(void *context) {
    (void)context;
}

/* ---- life ---- */

ir_feed_delivery_t *ir_delivery_open(const ir_delivery_options_t *options) {
    ir_feed_delivery_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    const ir_answers_t answers = {.take = take_answer, .reach = reach, .context = made};
    made->options = *options;
    made->kind = options->target->sender;
    ir_backoff_init(&made->backoff, FIRST_BACKOFF_NS, LONGEST_BACKOFF_NS);
    made->sender = made->kind->open(options->target, &answers);
    if (made->sender == NULL) {
        ir_delivery_close(made);
        return NULL;
    }
    return made;
}

void ir_delivery_close(ir_feed_delivery_t *delivery) {
    if (delivery != NULL) {
        delivery->kind->close(delivery->sender);
        for (size_t i = 0; i < delivery->n_keys; i++) {
            free(delivery->keys[i]);
        }
        free(delivery->keys);
        ir_name_table_free(&delivery->motes);
        free(delivery);
    }
}

/* ---- motes ---- */

static bool add_mote(ir_feed_delivery_t *delivery, ir_view_t mote) {
    char **keys = realloc(delivery->keys, (delivery->n_keys + 1) * sizeof *keys);
    char *key = NULL;
    delivery->keys = keys != NULL ? keys : delivery->keys;
    if (keys == NULL || asprintf(&key, IR_ROUTING_PREFIX "%.*s", IR_VIEW_ARG(mote)) < 0) {
        return false;
    }
    delivery->keys[delivery->n_keys++] = key;
    /* The number plus one, so that the value is not NULL. */
    return ir_name_table_add(&delivery->motes, ir_view_text(key + strlen(IR_ROUTING_PREFIX)),
                             (void *)(uintptr_t)delivery->n_keys);
}

/* Assigns each mote a number, from 0. Senders keep pointers to its name and key, so these stay
 * allocated. False when out of memory. */
static bool find_mote(ir_feed_delivery_t *delivery, ir_view_t mote, unsigned *number) {
    if (ir_name_table_find(&delivery->motes, mote) == NULL && !add_mote(delivery, mote)) {
        return false;
    }
    *number = (unsigned)((uintptr_t)ir_name_table_find(&delivery->motes, mote) - 1);
    return true;
}

/* ---- giving ---- */

static ir_status_t lose(ir_feed_delivery_t *delivery, const ir_error_t *why, ir_error_t *error) {
    const int64_t now_ns = ir_clock_monotonic();
    const bool final = ir_sender_is_final(why->status);
    delivery->up = false;
    delivery->trouble_ns = delivery->trouble_ns == 0 ? now_ns : delivery->trouble_ns;
    if ((final && !delivery->reached) ||
        (delivery->options.retry_ns > 0 &&
         now_ns - delivery->trouble_ns > delivery->options.retry_ns)) {
        return ir_error_set(error, why->status, "%s", why->text);
    }
    ir_log_limited(&delivery->logged_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s; trying again", why->text);
    delivery->retry_ns = now_ns + ir_backoff_next(&delivery->backoff);
    for (size_t i = 0; i < delivery->options.n_rounds; i++) {
        ir_round_again(delivery->options.rounds[i]);
    }
    return IR_OK;
}

static ir_status_t connect_sender(ir_feed_delivery_t *delivery, ir_error_t *error) {
    ir_error_t why = {.status = IR_OK};
    if (delivery->up || ir_clock_monotonic() < delivery->retry_ns) {
        return IR_OK;
    }
    if (delivery->kind->connect(delivery->sender, &why) != IR_OUTCOME_OK) {
        return lose(delivery, &why, error);
    }
    delivery->up = true;
    ir_backoff_reset(&delivery->backoff);
    return IR_OK;
}

static ir_status_t give(ir_feed_delivery_t *delivery, size_t round_number, size_t number,
                        ir_error_t *error) {
    ir_round_t *round = delivery->options.rounds[round_number];
    const ir_pack_t *pack = ir_round_pack(round, number);
    ir_error_t why = {.status = IR_OK};
    unsigned mote = 0;
    if (!find_mote(delivery, pack->mote, &mote)) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a mote");
    }
    const ir_parcel_t parcel = {
        .number = (uint64_t)round_number << ROUND_SHIFT | number,
        .mote_number = mote,
        .mote = ir_view_text(delivery->keys[mote] + strlen(IR_ROUTING_PREFIX)),
        .routing_key = ir_view_text(delivery->keys[mote]),
        .content_type = CONTENT_TYPE,
        .body = pack->body,
    };
    switch (delivery->kind->send(delivery->sender, &parcel, &why)) {
    case IR_OUTCOME_OK:
        return IR_OK;
    case IR_OUTCOME_REFUSED:
        if (why.status == IR_ERR_MEMORY) {
            return ir_error_set(error, why.status, "%s", why.text);
        }
        take_answer(delivery, parcel.number, IR_ANSWER_REFUSED, why.text);
        return IR_OK;
    default:
        return lose(delivery, &why, error);
    }
}

static ir_status_t give_round(ir_feed_delivery_t *delivery, size_t round_number,
                              ir_error_t *error) {
    ir_round_t *round = delivery->options.rounds[round_number];
    const size_t share = delivery->options.window / delivery->options.n_rounds;
    ir_status_t status = IR_OK;
    size_t number = 0;
    while (status == IR_OK && delivery->up &&
           ir_round_open_packs(round) < (share > 0 ? share : 1) && ir_round_next(round, &number)) {
        status = give(delivery, round_number, number, error);
    }
    return status;
}

static ir_status_t push(ir_feed_delivery_t *delivery, int64_t wait_ns, ir_error_t *error) {
    ir_error_t why = {.status = IR_OK};
    if (!delivery->up) {
        ir_clock_sleep(wait_ns);
        return IR_OK;
    }
    const ir_outcome_t outcome = delivery->kind->push(delivery->sender, wait_ns, &why);
    if (delivery->denied) {
        *error = delivery->error;
        return delivery->error.status;
    }
    return outcome == IR_OUTCOME_OK        ? IR_OK
           : outcome == IR_OUTCOME_REFUSED ? ir_error_set(error, why.status, "%s", why.text)
                                           : lose(delivery, &why, error);
}

ir_status_t ir_delivery_turn(ir_feed_delivery_t *delivery, bool stopping, int64_t wait_ns,
                             ir_error_t *error) {
    ir_status_t status = connect_sender(delivery, error);
    for (size_t i = 0; i < delivery->options.n_rounds && status == IR_OK && !stopping; i++) {
        status = give_round(delivery, i, error);
    }
    return status == IR_OK ? push(delivery, wait_ns, error) : status;
}

ir_delivery_counts_t ir_delivery_counts(const ir_feed_delivery_t *delivery) {
    return delivery->counts;
}
