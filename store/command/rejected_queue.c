/* The queue ir.rejected, for messages that never reached a worker: the broker dead-lettered them,
 * or took them aside because it could not deliver them (ingest/take-aside.erl). Dead letters that a
 * worker wrote are skipped, unless the documents keep nothing. The broker keeps fetched messages
 * until they are acknowledged; the others return to their place when the connection ends. */
#include "broker/fetcher.h"
#include "broker/topology.h"
#include "common/base64.h"
#include "common/clock.h"
#include "common/legible.h"
#include "store/command/rejected.h"

#include <string.h>

/* A message of the queue. The views are valid until the next one. */
typedef struct ir_letter {
    uint64_t tag;
    ir_id_t id; /* computed from routing key, body and arrival, because the message's position in
                 * the queue may change */
    ir_view_t key_text, type_text, name_text, reason; /* legible */
    ir_view_t body;
    int64_t arrival_ns, sent_ns;
    bool told; /* written by a worker */
} ir_letter_t;

/* ---- reading one ---- */

/* A dead letter from a worker, or from a broker that took a message aside: its headers contain the
 * properties of the message. */
static void read_told(const ir_assembled_t *message, const ir_headers_t *headers,
                      ir_letter_t *letter) {
    const ir_view_t name = ir_headers_text(headers, "name");
    letter->told = ir_headers_text(headers, "raw-id").size > 0;
    letter->key_text = ir_headers_text(headers, "routing-key");
    letter->reason = ir_headers_text(headers, "reason");
    letter->arrival_ns = message->arrival.header_ns;
    letter->type_text = message->content_type;
    if (letter->told || name.size > 0) {
        letter->name_text = name;
    }
    letter->sent_ns = letter->told ? 0 : letter->sent_ns;
}

/* When RabbitMQ itself dead-letters a message, it adds the header x-death. All other headers are
 * the sender's. */
static void read_letter(const ir_rejected_t *rejected, const ir_assembled_t *message,
                        const ir_headers_t *headers, ir_letter_t *letter) {
    const ir_arrival_t *arrival = &message->arrival;
    const bool trusted =
        ir_arrival_trusts(rejected->stores->options->trusted_users, message->user_id);
    letter->tag = message->tag;
    letter->key_text = ir_legible_text(rejected->arena, message->routing_key);
    letter->type_text = ir_legible_text(rejected->arena, message->content_type);
    letter->name_text = ir_legible_text(rejected->arena, message->message_id);
    letter->reason = ir_view_text("dead-lettered by the broker");
    letter->body = message->body;
    letter->arrival_ns =
        trusted && arrival->header_ns != 0 ? arrival->header_ns : arrival->broker_ns;
    letter->sent_ns = arrival->sent_ns;
    if (!ir_headers_has(headers, "x-death")) {
        read_told(message, headers, letter);
    }
    const ir_raw_key_t key = {.kind = letter->arrival_ns != 0 ? IR_RAW_ARRIVED : IR_RAW_PLAIN,
                              .mote = letter->key_text,
                              .body = letter->body,
                              .time_ns = letter->arrival_ns};
    ir_id_raw(&key, &letter->id);
}

/* ---- the verbs ---- */

static void append_head(ir_buffer_t *out, const ir_letter_t *letter) {
    char id[IR_ID_TEXT_SIZE];
    ir_buffer_append_format(out, "{\"id\":\"%s\",\"routing_key\":", ir_id_format(&letter->id, id));
    ir_buffer_append_json_string(out, letter->key_text);
    ir_buffer_append_text(out, ",\"reason\":");
    ir_buffer_append_json_string(out, letter->reason);
    if (letter->arrival_ns != 0) {
        ir_rejected_append_time(out, "arrival", letter->arrival_ns);
    }
    if (letter->name_text.size > 0) {
        ir_buffer_append_text(out, ",\"name\":");
        ir_buffer_append_json_string(out, letter->name_text);
    }
    ir_buffer_append_text(out, ",\"content_type\":");
    ir_buffer_append_json_string(out, letter->type_text);
    ir_buffer_append_format(out, ",\"bytes\":%zu", letter->body.size);
}

static ir_status_t list_letter(ir_rejected_t *rejected, const ir_letter_t *letter, bool show) {
    ir_buffer_t *out = &rejected->line;
    rejected->done++;
    if (!rejected->stores->options->json && show) {
        return ir_rejected_write(rejected, letter->body);
    }
    if (rejected->stores->options->json) {
        append_head(out, letter);
        if (show) {
            ir_buffer_append_text(out, ",\"body\":\"");
            ir_base64_append(out, letter->body, false);
            ir_buffer_append_char(out, '"');
        }
        ir_buffer_append_char(out, '}');
    } else {
        char id[IR_ID_TEXT_SIZE];
        char arrival[IR_TIME_SIZE] = "not known";
        if (letter->arrival_ns != 0) {
            ir_clock_format_fixed(letter->arrival_ns, 3, arrival);
        }
        ir_buffer_append_format(out, "%s  %-24s  %-24.*s %8zu  %.*s", ir_id_format(&letter->id, id),
                                arrival, IR_VIEW_ARG(letter->key_text), letter->body.size,
                                IR_VIEW_ARG(letter->reason));
    }
    return ir_rejected_print(rejected);
}

static ir_status_t acknowledge(ir_rejected_t *rejected, ir_fetcher_t *fetcher,
                               const ir_letter_t *letter) {
    const ir_status_t status = ir_fetcher_acknowledge(fetcher, letter->tag, rejected->error);
    rejected->done += status == IR_OK;
    return status;
}

/* The message leaves this queue only after the broker has confirmed its publication to
 * ir.observations. */
static ir_status_t replay_letter(ir_rejected_t *rejected, ir_fetcher_t *fetcher,
                                 const ir_letter_t *letter) {
    const ir_republisher_message_t message = {.key_text = letter->key_text,
                                              .type_text = letter->type_text,
                                              .body = letter->body,
                                              .name_text = letter->name_text,
                                              .arrival_ns = letter->arrival_ns,
                                              .sent_ns = letter->sent_ns};
    if (rejected->replay == NULL) {
        rejected->done++;
        return IR_OK;
    }
    ir_error_t why = {.status = IR_OK};
    ir_outcome_t outcome = ir_republisher_publish(rejected->replay, &message, &why);
    if (outcome == IR_OUTCOME_REFUSED) {
        rejected->unfit++;
        char id[IR_ID_TEXT_SIZE];
        fprintf(stderr, "%s is not replayed: %s\n", ir_id_format(&letter->id, id), why.text);
        return IR_OK;
    }
    if (outcome == IR_OUTCOME_OK) {
        outcome = ir_republisher_flush(rejected->replay, &why);
    }
    return outcome == IR_OUTCOME_OK ? acknowledge(rejected, fetcher, letter)
                                    : ir_error_set(rejected->error, why.status, "%s", why.text);
}

static ir_status_t take_letter(ir_rejected_t *rejected, ir_fetcher_t *fetcher,
                               const ir_letter_t *letter) {
    switch (rejected->verb) {
    case IR_REJECTED_LIST:
    case IR_REJECTED_SHOW:
        return list_letter(rejected, letter, rejected->verb == IR_REJECTED_SHOW);
    case IR_REJECTED_REPLAY:
        return replay_letter(rejected, fetcher, letter);
    case IR_REJECTED_DROP:
        break;
    }
    if (rejected->stores->options->dry_run) {
        rejected->done++;
        return IR_OK;
    }
    return acknowledge(rejected, fetcher, letter);
}

/* ---- the queue ---- */

static bool selects(const ir_rejected_t *rejected, const ir_letter_t *letter) {
    const ir_raw_selection_t *selection = &rejected->selection;
    const size_t prefix = strlen(IR_ROUTING_PREFIX);
    const ir_view_t key = letter->key_text;
    const ir_view_t mote =
        key.size > prefix ? ir_view(key.data + prefix, key.size - prefix) : (ir_view_t){NULL, 0};
    return (selection->id == NULL || ir_id_compare(&letter->id, selection->id) == 0) &&
           (!letter->told || !ir_documents_keeps(rejected->stores->documents)) &&
           (selection->reason == NULL ||
            ir_view_equal(letter->reason, ir_view_text(selection->reason))) &&
           ir_selection_has(selection, mote, letter->arrival_ns);
}

static ir_status_t visit_one(ir_rejected_t *rejected, ir_fetcher_t *fetcher, bool *got) {
    ir_assembled_t message;
    const ir_headers_t *headers = NULL;
    const ir_status_t status = ir_fetcher_next(fetcher, &message, &headers, got, rejected->error);
    if (status != IR_OK || !*got) {
        return status;
    }
    ir_letter_t letter = {.tag = 0};
    ir_arena_reset(rejected->arena);
    read_letter(rejected, &message, headers, &letter);
    if (!selects(rejected, &letter)) {
        return IR_OK;
    }
    rejected->seen++;
    return take_letter(rejected, fetcher, &letter);
}

/* Visits each message once. */
ir_status_t ir_rejected_in_queue(ir_rejected_t *rejected) {
    ir_fetcher_t *fetcher = NULL;
    ir_status_t status =
        ir_fetcher_open(&rejected->broker, IR_QUEUE_REJECTED, &fetcher, rejected->error);
    bool got = true;
    while (status == IR_OK && got && !ir_rejected_full(rejected)) {
        status = visit_one(rejected, fetcher, &got);
    }
    ir_fetcher_close(fetcher);
    return status;
}
