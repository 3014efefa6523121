#include "worker/republish.h"

#include "broker/rehearsal.h"
#include "broker/topology.h"
#include "common/buffer.h"
#include "common/proof.h"
#include "worker/letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUTING_KEY_SIZE 512
#define CONTROL_NAME "ir-control" /* used in place of a mote's name */

struct ir_republish {
    ir_broker_options_t broker;
    ir_publisher_t *publisher;
    ir_letters_t *letters;
    const ir_format_t *const *formats;
    size_t n_formats;
    ir_format_options_t options;
    ir_meters_t *meters;
    ir_buffer_t body;
    ir_batch_t *batch;          /* the current batch */
    const ir_batch_t *tried;    /* a batch that failed, of which a part may already be published */
    char key[ROUTING_KEY_SIZE]; /* routing key of the last publication; may be too long for AMQP */
    ir_denied_t *denied;
    uint64_t unconfirmed[IR_FORMATS_MAX]; /* number of messages since the last flush */
    uint64_t published[IR_FORMATS_MAX];
};

ir_republish_t *ir_republish_new(const ir_broker_options_t *broker,
                                 const ir_format_t *const *formats, size_t n_formats,
                                 const ir_format_options_t *format_options, bool documented,
                                 ir_denied_t *denied, ir_meters_t *meters) {
    ir_republish_t *republish = calloc(1, sizeof *republish);
    if (republish == NULL) {
        return NULL;
    }
    republish->publisher = ir_publisher_new(broker);
    republish->letters = ir_letters_new(broker, documented, meters);
    if (republish->publisher == NULL || republish->letters == NULL) {
        ir_republish_free(republish);
        return NULL;
    }
    republish->broker = *broker;
    republish->formats = formats;
    republish->n_formats = n_formats;
    republish->options = *format_options;
    republish->denied = denied;
    republish->meters = meters;
    ir_buffer_init(&republish->body);
    return republish;
}

void ir_republish_free(ir_republish_t *republish) {
    if (republish == NULL) {
        return;
    }
    ir_publisher_free(republish->publisher);
    ir_letters_free(republish->letters);
    ir_buffer_free(&republish->body);
    free(republish);
}

static ir_header_t flag_header(const char *name) {
    return (ir_header_t){.name = name, .kind = IR_HEADER_FLAG, .integer = 1};
}

static void write_body(ir_republish_t *republish, const ir_format_t *format,
                       const ir_format_item_t *item) {
    ir_buffer_clear(&republish->body);
    if (format->head != NULL) {
        format->head(&republish->body, &republish->options);
    }
    format->item(&republish->body, item, &republish->options, true);
    if (format->tail != NULL) {
        format->tail(&republish->body, &republish->options);
    }
}

/* Whether the item contains nothing new. A message that was stored before may contain something
 * new: records that have become valid. */
static bool repeats(const ir_format_item_t *item) {
    const ir_message_t *message = item->message;
    for (uint32_t i = 0; i < message->n_observations; i++) {
        if (item->batch->observations[message->first_observation + i].state == IR_OBSERVATION_NEW) {
            return false;
        }
    }
    return message->duplicate;
}

/* The control item: a message in each format, from a mote that cannot exist. */
static ir_outcome_t control(void *context, ir_error_t *error) {
    ir_republish_t *republish = context;
    ir_publication_t publications[IR_FORMATS_MAX];
    char keys[IR_FORMATS_MAX][ROUTING_KEY_SIZE];
    for (size_t i = 0; i < republish->n_formats; i++) {
        snprintf(keys[i], sizeof keys[i], "%s.%s", republish->formats[i]->name, CONTROL_NAME);
        publications[i] = (ir_publication_t){.exchange = IR_EXCHANGE_PROCESSED,
                                             .routing_key = ir_view_text(keys[i]),
                                             .content_type = republish->formats[i]->content_type};
    }
    return ir_rehearsal_run(&republish->broker, publications, republish->n_formats, error);
}

/* OK: the caller may publish with this key. REFUSED: the broker is known to refuse the key. From
 * time to time, a rehearsal tries whether it still does. */
static ir_outcome_t look_denied(ir_republish_t *republish, const ir_publication_t *publication,
                                ir_error_t *error) {
    ir_error_t why;
    const ir_denial_t denial = ir_denied_find(republish->denied, publication->routing_key, &why);
    if (denial == IR_DENIAL_NONE) {
        return IR_OUTCOME_OK;
    }
    ir_outcome_t outcome = IR_OUTCOME_REFUSED;
    if (denial == IR_DENIAL_DUE) {
        outcome = ir_rehearsal_run(&republish->broker, publication, 1, error);
        if (outcome == IR_OUTCOME_REFUSED && control(republish, error) != IR_OUTCOME_OK) {
            outcome = IR_OUTCOME_RETRY;
        }
    }
    if (outcome == IR_OUTCOME_OK) {
        ir_denied_remove(republish->denied, publication->routing_key);
    } else if (outcome == IR_OUTCOME_REFUSED) {
        *error = why;
    }
    return outcome;
}

/* Publishes one item in one format with the key FORMAT.MOTE. */
static ir_outcome_t publish_item(ir_republish_t *republish, size_t which,
                                 const ir_format_item_t *item, const char *message_id,
                                 ir_error_t *error) {
    const ir_format_t *format = republish->formats[which];
    write_body(republish, format, item);
    if (!ir_buffer_ok(&republish->body)) {
        ir_error_set(error, IR_ERR_MEMORY, "out of memory for a message in format %s",
                     format->name);
        return IR_OUTCOME_RETRY;
    }
    const char *mote = item->revision != NULL ? item->revision->observation.sensor->mote->id : NULL;
    const ir_view_t mote_view = mote != NULL ? ir_view_text(mote) : item->message->mote;
    snprintf(republish->key, sizeof republish->key, "%s.%.*s", format->name,
             IR_VIEW_ARG(mote_view));
    ir_header_t headers[3];
    size_t n_headers = 0;
    if (item->message->redelivered || republish->tried == item->batch) {
        headers[n_headers++] = flag_header("redelivered");
    }
    if (repeats(item)) {
        headers[n_headers++] = flag_header("duplicate");
    }
    if (item->revision != NULL) {
        headers[n_headers++] = flag_header("revision");
    }
    const ir_publication_t publication = {
        .exchange = IR_EXCHANGE_PROCESSED,
        .routing_key = ir_view_text(republish->key),
        .content_type = format->content_type,
        .message_id = ir_view(message_id, IR_ID_TEXT_SIZE - 1),
        .headers = headers,
        .n_headers = n_headers,
        .body = ir_buffer_view(&republish->body),
    };
    const ir_outcome_t outcome = look_denied(republish, &publication, error);
    return outcome == IR_OUTCOME_OK
               ? ir_publisher_publish(republish->publisher, &publication, error)
               : outcome;
}

/* ---- one by one ---- */

/* Publications of a batch are numbered: first each message in each format, then each revision. */
static uint32_t count_items(const ir_republish_t *republish) {
    const ir_batch_t *batch = republish->batch;
    return (batch->n_messages + batch->n_revisions) * (uint32_t)republish->n_formats;
}

static uint32_t message_of(const ir_republish_t *republish, uint32_t number) {
    const ir_batch_t *batch = republish->batch;
    const uint32_t index = number / (uint32_t)republish->n_formats;
    return index < batch->n_messages
               ? index
               : batch->revisions[index - batch->n_messages].observation.message;
}

/* Some items need not be published, and count as published: empty ones, revisions in a format that
 * does not show flags, and messages that are set aside. */
static ir_outcome_t publish_number(ir_republish_t *republish, uint32_t number, ir_error_t *error) {
    const ir_batch_t *batch = republish->batch;
    const size_t which = number % republish->n_formats;
    const uint32_t index = number / (uint32_t)republish->n_formats;
    ir_format_item_t item = {.batch = batch,
                             .message = &batch->messages[message_of(republish, number)]};
    char id[IR_ID_TEXT_SIZE];
    if (ir_batch_is_aside(batch, message_of(republish, number))) {
        return IR_OUTCOME_OK;
    }
    if (index >= batch->n_messages) {
        item.revision = &batch->revisions[index - batch->n_messages];
        ir_id_format(&item.revision->id, id);
        if (!republish->formats[which]->has_quality) {
            return IR_OUTCOME_OK;
        }
    } else {
        ir_id_format(&item.message->raw_id, id);
        if (ir_format_item_empty(&item)) {
            return IR_OUTCOME_OK;
        }
    }
    republish->unconfirmed[which]++;
    return publish_item(republish, which, &item, id, error);
}

/* ---- callbacks for common/proof.h ---- */

static ir_outcome_t publish_numbers(ir_republish_t *republish, const uint32_t *numbers,
                                    size_t count, ir_suspects_t *suspects, ir_error_t *error) {
    for (size_t i = 0; i < count; i++) {
        ir_answer_t answer = {.certain = true};
        const ir_outcome_t outcome = publish_number(republish, numbers[i], &answer.why);
        if (outcome == IR_OUTCOME_RETRY) {
            *error = answer.why;
            return IR_OUTCOME_RETRY;
        }
        if (outcome == IR_OUTCOME_REFUSED) {
            republish->unconfirmed[numbers[i] % republish->n_formats]--;
        }
        if (outcome == IR_OUTCOME_REFUSED && !ir_suspects_add(suspects, numbers[i], &answer)) {
            ir_error_set(error, IR_ERR_MEMORY, "out of memory for a refusal");
            return IR_OUTCOME_RETRY;
        }
    }
    return ir_publisher_flush(republish->publisher, error);
}

/* When RabbitMQ shuts down, it closes connections with the code CONNECTION_FORCED. Any other code
 * may be about one of the messages. */
static ir_outcome_t put(void *context, const uint32_t *numbers, size_t count,
                        ir_suspects_t *suspects, ir_answer_t *answer) {
    ir_republish_t *republish = context;
    memset(republish->unconfirmed, 0, sizeof republish->unconfirmed);
    if (publish_numbers(republish, numbers, count, suspects, &answer->why) == IR_OUTCOME_OK) {
        for (size_t i = 0; i < republish->n_formats; i++) {
            republish->published[i] += republish->unconfirmed[i];
        }
        return IR_OUTCOME_OK;
    }
    republish->tried = republish->batch;
    answer->code = ir_publisher_closed_code(republish->publisher);
    return answer->code != 0 && answer->code != IR_CLOSED_FORCED ? IR_OUTCOME_REFUSED
                                                                 : IR_OUTCOME_RETRY;
}

/* The broker refuses this item. It stays in the stores, its message gets a dead letter, and the
 * other items continue. If the reason is a missing permission, the item was just published alone,
 * so `key` is the key that is denied. */
static bool refuse(void *context, uint32_t number, const ir_answer_t *answer) {
    ir_republish_t *republish = context;
    if (answer->code == IR_CLOSED_ACCESS_REFUSED) {
        ir_denied_add(republish->denied, ir_view_text(republish->key), &answer->why);
    }
    return ir_batch_refuse(republish->batch, message_of(republish, number), UINT32_MAX,
                           IR_REASON_UNPUBLISHABLE, answer->why.text);
}

/* The whole message is published again, including parts that were published before. */
static bool set_aside(void *context, uint32_t number, const ir_answer_t *answer) {
    ir_republish_t *republish = context;
    return ir_batch_set_aside(republish->batch, message_of(republish, number), UINT32_MAX,
                              answer->why.text);
}

/* ---- all of a batch ---- */

static ir_outcome_t publish_batch(ir_republish_t *republish, const ir_batch_t *batch,
                                  ir_error_t *error) {
    const ir_proof_work_t work = {.put = put,
                                  .control = control,
                                  .refuse = refuse,
                                  .set_aside = batch->sets_aside ? set_aside : NULL,
                                  .context = republish,
                                  .in_order = true,
                                  .given_up = batch->given_up};
    const ir_outcome_t outcome = ir_proof_run(&work, count_items(republish), error);
    return outcome == IR_OUTCOME_OK ? ir_letters_run(republish->letters, batch, error) : outcome;
}

ir_outcome_t ir_republish_run(void *context, ir_batch_t *batch, ir_error_t *error) {
    ir_republish_t *republish = context;
    memset(republish->published, 0, sizeof republish->published);
    republish->batch = batch;
    const uint32_t n_before = batch->n_store_refusals;
    const ir_outcome_t outcome = publish_batch(republish, batch, error);
    republish->tried = outcome == IR_OUTCOME_OK ? NULL : batch;
    if (outcome != IR_OUTCOME_OK) {
        ir_batch_undo_refusals(batch, n_before);
        return IR_OUTCOME_RETRY;
    }
    for (size_t i = 0; i < republish->n_formats; i++) {
        ir_metric_increase(republish->meters->republished[i], republish->published[i]);
    }
    return IR_OUTCOME_OK;
}

void ir_republish_idle(void *context) {
    ir_republish_t *republish = context;
    ir_publisher_idle(republish->publisher);
    ir_letters_idle(republish->letters);
}
