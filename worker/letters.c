#include "worker/letters.h"

#include "broker/arrival.h"
#include "broker/publisher.h"
#include "broker/topology.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/legible.h"
#include "common/log.h"
#include "common/messages.h"

#include <stdio.h>
#include <stdlib.h>

#define LETTER_HEADERS 10
#define LETTER_HEADERS_LEAST 6
#define ROUTING_KEY_MAX 255
#define LOG_INTERVAL_NS (10 * IR_SECOND_NS)

struct ir_letters {
    ir_publisher_t *publisher;
    bool documented;
    ir_meters_t *meters;
    ir_buffer_t list;
    int64_t logged_ns;
    /* for the current batch */
    uint64_t taken, left_out;
    bool must; /* the broker did not accept a letter that it must accept */
    ir_error_t why;
};

/* ---- the broker's answers ---- */

/* The ticket tells whether the broker must accept the dead letter: this address means that it
 * must. */
static char must_be_taken;

static void on_answer(void *context, void *ticket, bool confirmed) {
    ir_letters_t *letters = context;
    letters->taken += confirmed;
    letters->left_out += !confirmed;
    if (!confirmed && ticket == &must_be_taken && !letters->must) {
        letters->must = true;
        ir_error_set(&letters->why, IR_ERR_REFUSED,
                     "RabbitMQ refused a dead letter whose message is in no document "
                     "(" IR_QUEUE_REJECTED " is full or its node is lost): make room there");
    }
}

/* No queue received the dead letter, because the exchange lacks its binding, which will be restored
 * within a second. */
static void on_return(void *context, ir_view_t routing_key, const ir_error_t *why) {
    ir_letters_t *letters = context;
    (void)routing_key;
    letters->must = true;
    ir_error_set(&letters->why, why->status, "RabbitMQ could not route a dead letter: %s",
                 why->text);
}

/* ---- life ---- */

ir_letters_t *ir_letters_new(const ir_broker_options_t *broker, bool documented,
                             ir_meters_t *meters) {
    ir_letters_t *letters = calloc(1, sizeof *letters);
    if (letters == NULL) {
        return NULL;
    }
    letters->publisher = ir_publisher_new(broker);
    if (letters->publisher == NULL) {
        free(letters);
        return NULL;
    }
    const ir_publisher_answers_t answers = {on_answer, on_return, letters};
    ir_publisher_on_answer(letters->publisher, &answers);
    letters->documented = documented;
    letters->meters = meters;
    ir_buffer_init(&letters->list);
    return letters;
}

void ir_letters_free(ir_letters_t *letters) {
    if (letters == NULL) {
        return;
    }
    ir_publisher_free(letters->publisher);
    ir_buffer_free(&letters->list);
    free(letters);
}

void ir_letters_idle(ir_letters_t *letters) {
    ir_publisher_idle(letters->publisher);
}

/* ---- the refusals ---- */

/* All refusals of one message: first those from decoding, then those of the stores. */
typedef struct ir_refusals {
    const ir_refusal_t *first;
    int64_t count;
    bool undocumented; /* the document store refused the raw message */
} ir_refusals_t;

static void list_refusal(ir_letters_t *letters, ir_refusals_t *refusals,
                         const ir_refusal_t *refusal) {
    if (refusals->count == 0) {
        refusals->first = refusal;
    }
    if (refusals->count < IR_REFUSALS_LISTED) {
        ir_buffer_append_format(&letters->list, "%s%d %s: %s", refusals->count > 0 ? "\n" : "",
                                refusal->record, ir_reason_text(refusal->reason), refusal->detail);
    }
    refusals->count += refusal->count;
}

static ir_refusals_t collect_refusals(ir_letters_t *letters, const ir_batch_t *batch,
                                      uint32_t index) {
    const ir_message_t *message = &batch->messages[index];
    ir_refusals_t refusals = {.first = NULL};
    ir_buffer_clear(&letters->list);
    for (uint32_t i = 0; i < message->n_refusals; i++) {
        list_refusal(letters, &refusals, &batch->refusals[message->first_refusal + i]);
    }
    for (uint32_t i = 0; i < batch->n_store_refusals; i++) {
        const ir_store_refusal_t *refusal = &batch->store_refusals[i];
        if (refusal->message == index) {
            list_refusal(letters, &refusals, &refusal->refusal);
            refusals.undocumented |= refusal->observation == UINT32_MAX &&
                                     refusal->refusal.reason == IR_REASON_DOCUMENT_REFUSED;
        }
    }
    return refusals;
}

/* ---- one letter ---- */

static ir_header_t text_header(const char *name, ir_view_t text) {
    return (ir_header_t){.name = name, .kind = IR_HEADER_TEXT, .text = text};
}

static ir_header_t integer_header(const char *name, int64_t value) {
    return (ir_header_t){.name = name, .kind = IR_HEADER_INTEGER, .integer = value};
}

/* Makes the headers and returns their number. They contain everything that a replay needs to
 * restore the message. */
static size_t make_headers(const ir_letters_t *letters, const ir_message_t *message,
                           const ir_refusals_t *refusals, ir_view_t id, ir_view_t name,
                           ir_header_t headers[static LETTER_HEADERS]) {
    size_t n = 0;
    headers[n++] = text_header("reason", ir_view_text(ir_reason_text(refusals->first->reason)));
    headers[n++] = text_header("detail", ir_view_text(refusals->first->detail));
    headers[n++] = (ir_header_t){
        .name = "record", .kind = IR_HEADER_INT32, .integer = refusals->first->record};
    headers[n++] = text_header("raw-id", id);
    headers[n++] = integer_header("refused", refusals->count);
    headers[n++] = integer_header("bytes", (int64_t)message->body.size);
    headers[n++] = text_header("refusals", ir_buffer_view(&letters->list));
    headers[n++] = text_header("routing-key", message->key_text);
    if (message->stamped) {
        headers[n++] = integer_header(IR_HEADER_ARRIVAL, message->arrival_ns / IR_MICROSECOND_NS);
    }
    if (name.size > 0) {
        headers[n++] = text_header("name", name);
    }
    return n;
}

/* The dead letter is too large for the broker. Republishes it without the body, which the raw
 * documents have; if that fails, with fewer headers, too. */
static ir_outcome_t publish_smaller(ir_letters_t *letters, ir_publication_t *letter,
                                    ir_error_t *error) {
    ir_outcome_t outcome = ir_publisher_publish(letters->publisher, letter, error);
    if (outcome == IR_OUTCOME_REFUSED) {
        letter->body = ir_view("", 0);
        outcome = ir_publisher_publish(letters->publisher, letter, error);
    }
    if (outcome == IR_OUTCOME_REFUSED) {
        letter->n_headers = LETTER_HEADERS_LEAST;
        letter->routing_key = ir_view("", 0);
        outcome = ir_publisher_publish(letters->publisher, letter, error);
    }
    /* The broker will never accept it, but the raw document has the refusal. */
    return outcome == IR_OUTCOME_REFUSED ? IR_OUTCOME_OK : outcome;
}

static ir_outcome_t publish_letter(ir_letters_t *letters, const ir_batch_t *batch, uint32_t index,
                                   ir_error_t *error) {
    const ir_message_t *message = &batch->messages[index];
    const ir_refusals_t refusals = collect_refusals(letters, batch, index);
    if (refusals.count == 0) {
        return IR_OUTCOME_OK;
    }
    char id[IR_ID_TEXT_SIZE];
    const ir_view_t id_view = ir_view_text(ir_id_format(&message->raw_id, id));
    const ir_view_t name = ir_legible_text(batch->arena, message->name);
    ir_header_t headers[LETTER_HEADERS];
    const size_t n_headers = make_headers(letters, message, &refusals, id_view, name, headers);
    char content_type[128];
    ir_legible_line(content_type, sizeof content_type, message->type_text);
    ir_publication_t publication = {
        .exchange = IR_EXCHANGE_REJECTED,
        .routing_key =
            message->key_text.size <= ROUTING_KEY_MAX ? message->key_text : ir_view("", 0),
        .content_type = content_type,
        .message_id = id_view,
        .headers = headers,
        .n_headers = n_headers,
        .body = message->body,
        .mandatory = true,
        .ticket = letters->documented && !refusals.undocumented ? NULL : &must_be_taken,
    };
    return publish_smaller(letters, &publication, error);
}

/* ---- all of a batch ---- */

static void tell_left_out(ir_letters_t *letters) {
    ir_metric_increase(letters->meters->dead_letters, letters->taken);
    ir_metric_increase(letters->meters->dead_letters_left_out, letters->left_out);
    if (letters->left_out > 0) {
        ir_log_limited(&letters->logged_ns, LOG_INTERVAL_NS, IR_LOG_WARN, IR_TEXT_NO_DEAD_LETTER,
                       (unsigned long long)letters->left_out);
    }
}

ir_outcome_t ir_letters_run(ir_letters_t *letters, const ir_batch_t *batch, ir_error_t *error) {
    letters->taken = letters->left_out = 0;
    letters->must = false;
    ir_outcome_t outcome = IR_OUTCOME_OK;
    for (uint32_t i = 0; i < batch->n_messages && outcome == IR_OUTCOME_OK; i++) {
        if (!ir_batch_is_aside(batch, i)) {
            outcome = publish_letter(letters, batch, i, error);
        }
    }
    if (outcome == IR_OUTCOME_OK) {
        outcome = ir_publisher_flush(letters->publisher, error);
    }
    if (ir_publisher_doubtful(letters->publisher)) {
        ir_publisher_disconnect(letters->publisher);
    }
    if (outcome == IR_OUTCOME_OK && letters->must) {
        *error = letters->why;
        outcome = IR_OUTCOME_RETRY;
    }
    if (outcome == IR_OUTCOME_OK) {
        tell_left_out(letters);
    }
    return outcome;
}
