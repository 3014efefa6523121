#include "store/command/rejected.h"

#include "common/base64.h"
#include "common/clock.h"
#include "common/legible.h"
#include "store/command/raw_pack.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ARENA_CHUNK (64 * 1024)
#define FLUSH_EVERY 500

/* ---- shared by documents and queue ---- */

bool ir_rejected_full(const ir_rejected_t *rejected) {
    const int64_t limit = rejected->stores->options->limit;
    return limit > 0 && rejected->seen >= (uint64_t)limit;
}

ir_status_t ir_rejected_write(ir_rejected_t *rejected, ir_view_t body) {
    return fwrite(body.data, 1, body.size, rejected->stores->out) == body.size
               ? IR_OK
               : ir_error_set(rejected->error, IR_ERR_IO, "cannot write the output: %s",
                              strerror(errno));
}

ir_status_t ir_rejected_print(ir_rejected_t *rejected) {
    ir_buffer_append_char(&rejected->line, '\n');
    if (!ir_buffer_ok(&rejected->line)) {
        return ir_error_set(rejected->error, IR_ERR_MEMORY, "out of memory for a line");
    }
    const ir_status_t status = ir_rejected_write(rejected, ir_buffer_view(&rejected->line));
    ir_buffer_clear(&rejected->line);
    return status;
}

void ir_rejected_append_time(ir_buffer_t *out, const char *key, int64_t time_ns) {
    char text[IR_TIME_SIZE];
    ir_clock_format(time_ns, text);
    ir_buffer_append_format(out, ",\"%s\":\"%s\"", key, text);
}

/* ---- list ---- */

static void append_text(ir_buffer_t *out, const char *key, ir_view_t text) {
    ir_buffer_append_format(out, ",\"%s\":", key);
    ir_buffer_append_json_string(out, text);
}

static void append_refusals(ir_buffer_t *out, const ir_stored_refusal_t *refusals, size_t count) {
    ir_buffer_append_text(out, ",\"refusals\":[");
    for (size_t i = 0; i < count; i++) {
        ir_buffer_append_format(out, "%s{\"record\":%d", i > 0 ? "," : "", refusals[i].record);
        append_text(out, "reason", refusals[i].reason);
        append_text(out, "detail", refusals[i].detail);
        ir_buffer_append_char(out, '}');
    }
    ir_buffer_append_char(out, ']');
}

static void append_head(ir_rejected_t *rejected, const ir_raw_document_t *raw) {
    ir_buffer_t *out = &rejected->line;
    char id[IR_ID_TEXT_SIZE];
    ir_buffer_append_format(out, "{\"id\":\"%s\"", ir_id_format(&raw->id, id));
    append_text(out, "mote", raw->mote);
    append_text(out, "routing_key", raw->key_text);
    append_text(out, "status", raw->status);
    ir_rejected_append_time(out, "arrival", raw->clock.arrival_ns);
    if (raw->clock.sent_ns != 0) {
        ir_rejected_append_time(out, "sent", raw->clock.sent_ns);
    }
    if (raw->name.size > 0) {
        append_text(out, "name", ir_legible_text(rejected->arena, raw->name));
    }
    append_text(out, "content_type", raw->type_text);
    ir_buffer_append_format(out, ",\"bytes\":%zu", raw->body.size);
    append_refusals(out, raw->refusals, raw->n_refusals);
}

static void append_columns(ir_buffer_t *out, const ir_raw_document_t *raw) {
    char id[IR_ID_TEXT_SIZE];
    char arrival[IR_TIME_SIZE];
    ir_clock_format_fixed(raw->clock.arrival_ns, 3, arrival);
    ir_buffer_append_format(out, "%s  %s  %-20.*s %-8.*s %8zu", ir_id_format(&raw->id, id), arrival,
                            IR_VIEW_ARG(raw->mote), IR_VIEW_ARG(raw->status), raw->body.size);
    if (raw->n_refusals > 0) {
        const ir_stored_refusal_t *first = &raw->refusals[0];
        ir_buffer_append_format(out, "  %.*s: %.*s", IR_VIEW_ARG(first->reason),
                                IR_VIEW_ARG(first->detail));
    }
    if (raw->n_refusals > 1) {
        ir_buffer_append_format(out, " (and %zu more)", raw->n_refusals - 1);
    }
}

static ir_status_t list_one(ir_rejected_t *rejected, const ir_raw_document_t *raw) {
    rejected->done++;
    if (rejected->stores->options->json) {
        append_head(rejected, raw);
        ir_buffer_append_char(&rejected->line, '}');
    } else {
        append_columns(&rejected->line, raw);
    }
    return ir_rejected_print(rejected);
}

/* ---- show ---- */

static ir_status_t show_outcome(void *context, const ir_raw_outcome_t *outcome) {
    char at[IR_TIME_SIZE];
    ir_clock_format(outcome->at_ns, at);
    fprintf(stderr, "%s %.*s\n", at, IR_VIEW_ARG(outcome->status));
    for (size_t i = 0; i < outcome->n_refusals; i++) {
        const ir_stored_refusal_t *refusal = &outcome->refusals[i];
        fprintf(stderr, "  %d %.*s: %.*s\n", refusal->record, IR_VIEW_ARG(refusal->reason),
                IR_VIEW_ARG(refusal->detail));
    }
    (void)context;
    return IR_OK;
}

static ir_status_t append_outcome(void *context, const ir_raw_outcome_t *outcome) {
    ir_buffer_t *out = context;
    ir_buffer_append_text(out, out->data[out->size - 1] == '[' ? "{" : ",{");
    ir_buffer_append_text(out, "\"status\":");
    ir_buffer_append_json_string(out, outcome->status);
    ir_rejected_append_time(out, "at", outcome->at_ns);
    append_refusals(out, outcome->refusals, outcome->n_refusals);
    ir_buffer_append_char(out, '}');
    return ir_buffer_ok(out) ? IR_OK : IR_ERR_MEMORY;
}

static ir_status_t show_json(ir_rejected_t *rejected, const ir_raw_document_t *raw) {
    ir_buffer_t *out = &rejected->line;
    append_head(rejected, raw);
    ir_buffer_append_text(out, ",\"outcomes\":[");
    const ir_status_t status = ir_documents_each_outcome(rejected->stores->documents, &raw->id,
                                                         append_outcome, out, rejected->error);
    ir_buffer_append_text(out, "],\"body\":\"");
    ir_base64_append(out, raw->body, false);
    ir_buffer_append_text(out, "\"}");
    return status == IR_OK ? ir_rejected_print(rejected) : status;
}

/* Writes only the body to standard output, byte for byte. */
static ir_status_t show_one(ir_rejected_t *rejected, const ir_raw_document_t *raw) {
    rejected->done++;
    if (rejected->stores->options->json) {
        return show_json(rejected, raw);
    }
    char arrival[IR_TIME_SIZE];
    const ir_view_t name = ir_legible_text(rejected->arena, raw->name);
    ir_clock_format(raw->clock.arrival_ns, arrival);
    fprintf(stderr, "arrival %s, routing key %.*s, content type %.*s, name %.*s, %zu bytes\n",
            arrival, IR_VIEW_ARG(raw->key_text), IR_VIEW_ARG(raw->type_text), IR_VIEW_ARG(name),
            raw->body.size);
    const ir_status_t status = ir_documents_each_outcome(rejected->stores->documents, &raw->id,
                                                         show_outcome, NULL, rejected->error);
    return status == IR_OK ? ir_rejected_write(rejected, raw->body) : status;
}

/* ---- replay ---- */

/* The times of such a message are relative to an arrival that was never stamped. A replay would
 * make it a different message. */
static ir_status_t can_be_replayed(const ir_rejected_t *rejected, const ir_raw_document_t *raw,
                                   bool *can) {
    ir_senml_pack_t pack;
    const ir_status_t status = ir_raw_pack(raw, rejected->arena, &pack);
    if (status != IR_OK) {
        return ir_error_set(rejected->error, status, "out of memory for one message");
    }
    *can = ir_raw_pack_follows(raw, &pack);
    return IR_OK;
}

static void tell_unfit(ir_rejected_t *rejected, const ir_raw_document_t *raw, const char *why) {
    char id[IR_ID_TEXT_SIZE];
    rejected->unfit++;
    fprintf(stderr, "%s is not replayed: %s\n", ir_id_format(&raw->id, id), why);
}

static ir_status_t replay_one(ir_rejected_t *rejected, const ir_raw_document_t *raw) {
    bool can = false;
    const ir_status_t status = can_be_replayed(rejected, raw, &can);
    if (status != IR_OK) {
        return status;
    }
    if (!can) {
        tell_unfit(
            rejected, raw,
            "its times depend on an arrival stamp, which it lacks; use ir-store reprocess for it");
        return IR_OK;
    }
    if (rejected->replay == NULL) {
        rejected->done++;
        return IR_OK;
    }
    const ir_republisher_message_t message = {.key_text = raw->key_text,
                                              .type_text = raw->type_text,
                                              .body = raw->body,
                                              .name_text =
                                                  ir_legible_text(rejected->arena, raw->name),
                                              .arrival_ns = raw->clock.arrival_ns,
                                              .sent_ns = raw->clock.sent_ns};
    ir_error_t why = {.status = IR_OK};
    ir_outcome_t outcome = ir_republisher_publish(rejected->replay, &message, &why);
    if (outcome == IR_OUTCOME_REFUSED) {
        tell_unfit(rejected, raw, why.text);
        return IR_OK;
    }
    if (outcome == IR_OUTCOME_OK && (rejected->done + 1) % FLUSH_EVERY == 0) {
        outcome = ir_republisher_flush(rejected->replay, &why);
    }
    rejected->done += outcome == IR_OUTCOME_OK;
    return outcome == IR_OUTCOME_OK ? IR_OK
                                    : ir_error_set(rejected->error, why.status, "%s", why.text);
}

/* ---- drop ---- */

static ir_status_t drop_one(ir_rejected_t *rejected, const ir_raw_document_t *raw) {
    ir_status_t status = IR_OK;
    if (!rejected->stores->options->dry_run) {
        status = ir_documents_drop(rejected->stores->documents, raw, rejected->error);
    }
    rejected->done += status == IR_OK;
    return status;
}

/* ---- the documents ---- */

static ir_status_t visit(void *context, const ir_raw_document_t *raw) {
    static ir_status_t (*const verbs[])(ir_rejected_t *, const ir_raw_document_t *) = {
        [IR_REJECTED_LIST] = list_one,
        [IR_REJECTED_SHOW] = show_one,
        [IR_REJECTED_REPLAY] = replay_one,
        [IR_REJECTED_DROP] = drop_one,
    };
    ir_rejected_t *rejected = context;
    if (ir_rejected_full(rejected)) {
        return IR_ERR_STATE; /* the limit is reached: stop */
    }
    rejected->seen++;
    ir_arena_reset(rejected->arena);
    return verbs[rejected->verb](rejected, raw);
}

static ir_status_t walk_documents(ir_rejected_t *rejected) {
    ir_documents_t *documents = rejected->stores->documents;
    if (!ir_documents_keeps(documents)) {
        return ir_error_set(
            rejected->error, IR_ERR_USAGE,
            "documents null: keeps nothing; --queue shows the content of ir.rejected");
    }
    rejected->selection.refused = rejected->verb != IR_REJECTED_SHOW;
    ir_status_t status = ir_documents_ready(documents, rejected->error);
    if (status == IR_OK) {
        status = ir_documents_each_raw(documents, &rejected->selection, visit, rejected,
                                       rejected->error);
    }
    return status == IR_ERR_STATE && ir_rejected_full(rejected) ? IR_OK : status;
}

static ir_status_t walk(ir_rejected_t *rejected) {
    const ir_status_t status = rejected->stores->options->queue ? ir_rejected_in_queue(rejected)
                                                                : walk_documents(rejected);
    return status != IR_OK || rejected->which == NULL || rejected->seen > 0
               ? status
               : ir_error_set(rejected->error, IR_ERR_NOT_FOUND, "no %smessage %s%s",
                              rejected->selection.refused ? "refused " : "", rejected->which,
                              rejected->stores->options->queue ? " in the queue" : "");
}

/* ---- the command ---- */

static const char *const verb_names[] = {[IR_REJECTED_LIST] = "list",
                                         [IR_REJECTED_SHOW] = "show",
                                         [IR_REJECTED_REPLAY] = "replay",
                                         [IR_REJECTED_DROP] = "drop"};

static ir_status_t read_words(ir_rejected_t *rejected, char *const *words, int n_words) {
    const size_t n_verbs = sizeof verb_names / sizeof verb_names[0];
    size_t verb = 0;
    while (n_words > 0 && verb < n_verbs && strcmp(words[0], verb_names[verb]) != 0) {
        verb++;
    }
    if (n_words == 0 || verb == n_verbs || n_words > 2) {
        return ir_error_set(rejected->error, IR_ERR_USAGE,
                            "rejected needs list, show ID, replay [ID] or drop [ID]");
    }
    rejected->verb = (ir_rejected_verb_t)verb;
    rejected->which = n_words > 1 ? words[1] : NULL;
    if (rejected->verb == IR_REJECTED_SHOW && rejected->which == NULL) {
        return ir_error_set(rejected->error, IR_ERR_USAGE, "show needs an id from list");
    }
    if (rejected->verb == IR_REJECTED_DROP && rejected->which == NULL &&
        !ir_store_selects(rejected->stores->options) && !rejected->stores->options->yes) {
        return ir_error_set(rejected->error, IR_ERR_USAGE,
                            "drop of everything needs --yes; or give an id, mote, reason or time");
    }
    return IR_OK;
}

/* If an id is given, the other options select nothing. */
static ir_status_t select_messages(ir_rejected_t *rejected) {
    const ir_status_t status =
        ir_store_selection(rejected->stores->options, &rejected->selection, rejected->error);
    if (status != IR_OK || rejected->which == NULL) {
        return status;
    }
    if (!ir_id_parse(ir_view_text(rejected->which), &rejected->id)) {
        return ir_error_set(rejected->error, IR_ERR_USAGE,
                            "'%s' is not a message id; list shows the ids", rejected->which);
    }
    rejected->selection = (ir_raw_selection_t){.id = &rejected->id};
    return IR_OK;
}

static ir_status_t open_replay(ir_rejected_t *rejected) {
    const ir_store_options_t *options = rejected->stores->options;
    return rejected->verb == IR_REJECTED_REPLAY && !options->dry_run
               ? ir_republisher_open(&rejected->broker, options->trusted_users, &rejected->replay,
                                     rejected->error)
               : IR_OK;
}

static ir_status_t finish_replay(ir_rejected_t *rejected) {
    return rejected->replay == NULL ||
                   ir_republisher_flush(rejected->replay, rejected->error) == IR_OUTCOME_OK
               ? IR_OK
               : rejected->error->status;
}

static void tell(const ir_rejected_t *rejected) {
    static const char *const done[] = {
        [IR_REJECTED_REPLAY] = "replayed", [IR_REJECTED_DROP] = "dropped"};
    const char *word = done[rejected->verb];
    if (rejected->stores->options->json) {
        fprintf(rejected->stores->out,
                "{\"%s\":%" PRIu64 ",\"unfit\":%" PRIu64 ",\"dry_run\":%s}\n", word, rejected->done,
                rejected->unfit, rejected->stores->options->dry_run ? "true" : "false");
    } else {
        fprintf(rejected->stores->out, "%s%s %" PRIu64 " messages%s\n",
                rejected->stores->options->dry_run ? "would have " : "", word, rejected->done,
                rejected->unfit > 0 ? "; the others are listed above" : "");
    }
}

ir_status_t ir_store_rejected(const ir_stores_t *stores, char *const *words, int n_words,
                              ir_error_t *error) {
    ir_rejected_t rejected = {.stores = stores, .error = error};
    const ir_store_options_t *options = stores->options;
    ir_buffer_init(&rejected.line);
    ir_broker_settings_options(&options->broker, "ir-store", options->timeout_ns, &rejected.broker);
    ir_status_t status = read_words(&rejected, words, n_words);
    rejected.arena = ir_arena_new(ARENA_CHUNK);
    if (status == IR_OK && rejected.arena == NULL) {
        status = ir_error_set(error, IR_ERR_MEMORY, "out of memory");
    }
    if (status == IR_OK) {
        status = select_messages(&rejected);
    }
    if (status == IR_OK) {
        status = open_replay(&rejected);
    }
    if (status == IR_OK) {
        status = walk(&rejected);
    }
    if (status == IR_OK) {
        status = finish_replay(&rejected);
    }
    if (status == IR_OK && rejected.verb >= IR_REJECTED_REPLAY) {
        tell(&rejected);
    }
    if (status == IR_OK && ir_rejected_full(&rejected) && rejected.verb == IR_REJECTED_LIST) {
        fprintf(stderr, "there may be more: limit is %" PRId64 "\n", options->limit);
    }
    ir_republisher_close(rejected.replay);
    ir_buffer_free(&rejected.line);
    ir_arena_free(rejected.arena);
    return status;
}
