/* The targets of messages: amqp(s)://, mqtt(s)://, http(s):// and null: addresses. Immutable, any
 * thread. */
#ifndef IR_SEND_TARGET_H
#define IR_SEND_TARGET_H

#include "broker/connection.h"
#include "common/status.h"
#include "send/mote_tokens.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_sender ir_sender_t;

#define IR_TARGETS_MAX 32

typedef struct ir_target {
    const ir_sender_t *sender;
    char *uri;
    char *label;                    /* the address for display, without its password */
    char *host;                     /* mqtt, http; NULL: amqp and null */
    char *user;                     /* mqtt; NULL: none given */
    char *password;                 /* mqtt: from the address; NULL: none given */
    unsigned port;                  /* mqtt */
    bool secure;                    /* mqtts */
    const char *ca;                 /* certificate authority's file, or NULL */
    const char *secret;             /* mqtt-password, or NULL */
    const ir_mote_tokens_t *tokens; /* http; NULL: none */
    ir_broker_options_t broker;     /* amqp */
    unsigned connections;           /* number of connections of one thread */
    unsigned packs;                 /* http: maximum number in one request */
    int64_t timeout_ns;             /* limit for connecting and for each answer */
} ir_target_t;

/* Options shared by all targets. The texts are not copied. */
typedef struct ir_target_options {
    const char *ca, *mqtt_password;
    const ir_mote_tokens_t *tokens;
    ir_broker_options_t broker; /* its URI is the target if no other is given */
    unsigned connections; /* connections of one thread to each target; 0: the protocol's default */
    unsigned packs;
    int64_t timeout_ns;
} ir_target_options_t;

typedef struct ir_targets {
    ir_target_t all[IR_TARGETS_MAX];
    unsigned count;
} ir_targets_t;

/* `text`: addresses separated by commas; NULL: the broker of the options. IR_ERR_USAGE: an address
 * is wrong, and `error` names it; then nothing needs to be freed. */
ir_status_t ir_targets_parse(const char *list, const ir_target_options_t *options,
                             ir_targets_t *targets, ir_error_t *error);
void ir_targets_free(ir_targets_t *targets);

/* Whether messages sent there can be republished. */
bool ir_targets_are_null(const ir_targets_t *targets);

#endif
