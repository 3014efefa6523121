#include "store/command/replay.h"

#include "broker/arrival.h"
#include "broker/publisher.h"
#include "broker/topology.h"
#include "common/arena.h"
#include "common/clock.h"
#include "common/legible.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_CHUNK 4096
#define CONTENT_TYPE_SIZE 256

struct ir_republisher {
    ir_publisher_t *publisher;
    ir_arena_t *arena; /* memory for one message */
    char user[IR_BROKER_USER_SIZE];
};

static ir_status_t check_user(const ir_republisher_t *replay, const char *trusted_users,
                              ir_error_t *error) {
    return ir_arrival_trusts(trusted_users, ir_view_text(replay->user))
               ? IR_OK
               : ir_error_set(error, IR_ERR_USAGE,
                              "amqp: the user '%s' is not one of trusted-users (%s), so the "
                              "workers would not accept its arrival times; log in as operator",
                              replay->user, trusted_users);
}

ir_status_t ir_republisher_open(const ir_broker_options_t *broker, const char *trusted_users,
                                ir_republisher_t **replay, ir_error_t *error) {
    ir_republisher_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "replay: out of memory");
    }
    ir_status_t status = ir_broker_user(broker, made->user, error);
    if (status == IR_OK) {
        status = check_user(made, trusted_users, error);
    }
    if (status == IR_OK) {
        made->arena = ir_arena_new(ARENA_CHUNK);
        made->publisher = ir_publisher_new(broker);
        status = made->arena != NULL && made->publisher != NULL
                     ? IR_OK
                     : ir_error_set(error, IR_ERR_MEMORY, "replay: out of memory");
    }
    if (status != IR_OK) {
        ir_republisher_close(made);
        return status;
    }
    ir_publisher_need(made->publisher, IR_EXCHANGE_OBSERVATIONS);
    *replay = made;
    return IR_OK;
}

void ir_republisher_close(ir_republisher_t *replay) {
    if (replay != NULL) {
        ir_publisher_free(replay->publisher);
        ir_arena_free(replay->arena);
        free(replay);
    }
}

ir_outcome_t ir_republisher_publish(ir_republisher_t *replay,
                                    const ir_republisher_message_t *message, ir_error_t *error) {
    char content_type[CONTENT_TYPE_SIZE];
    ir_arena_reset(replay->arena);
    ir_view_t key;
    ir_view_t type;
    ir_view_t name;
    if (!ir_legible_bytes(replay->arena, message->key_text, &key) ||
        !ir_legible_bytes(replay->arena, message->type_text, &type) ||
        !ir_legible_bytes(replay->arena, message->name_text, &name)) {
        ir_error_set(error, IR_ERR_MEMORY, "replay: out of memory");
        return IR_OUTCOME_RETRY;
    }
    snprintf(content_type, sizeof content_type, "%.*s", IR_VIEW_ARG(type));
    const ir_header_t arrival = {.name = IR_HEADER_ARRIVAL,
                                 .kind = IR_HEADER_INTEGER,
                                 .integer = message->arrival_ns / IR_MICROSECOND_NS};
    const ir_publication_t publication = {
        .exchange = IR_EXCHANGE_OBSERVATIONS,
        .routing_key = key,
        .content_type = content_type[0] != '\0' ? content_type : NULL,
        .message_id = name,
        .user_id = ir_view_text(replay->user),
        .timestamp_s = message->sent_ns / IR_SECOND_NS,
        .headers = &arrival,
        .n_headers = message->arrival_ns != 0,
        .body = message->body,
        .mandatory = true,
    };
    return ir_publisher_publish(replay->publisher, &publication, error);
}

ir_outcome_t ir_republisher_flush(ir_republisher_t *replay, ir_error_t *error) {
    return ir_publisher_flush(replay->publisher, error);
}
