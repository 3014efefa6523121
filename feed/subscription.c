#include "feed/subscription.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "feed/spool.h"
#include "feed/uplink_kind.h"
#include "send/mqtt_client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_NS (200 * IR_MILLISECOND_NS) /* maximum wait before a stop is noticed */
#define FIRST_BACKOFF_NS (500 * IR_MILLISECOND_NS)
#define LONGEST_BACKOFF_NS (30 * IR_SECOND_NS)
#define LOG_EVERY_NS (30 * IR_SECOND_NS)
#define ID_SIZE 128
#define REFUSED_QOS 0x80 /* the code for a refusal in a SUBACK */

struct ir_feed_subscription {
    ir_mqtt_client_t client; /* first: the library's context */
    ir_subscription_options_t options;
    const char *topic;
    char id[ID_SIZE];
    ir_targets_t targets;
    ir_spool_t *spool;
    pthread_t thread;
    atomic_bool stop;
    atomic_bool gave_up; /* once set, `failure` does not change */
    ir_error_t failure;
    bool subscribed, refused;
    bool taken;         /* the broker has accepted the subscription once */
    ir_status_t status; /* result of writing the last message */
    ir_error_t error;
    int64_t logged_ns;
};

/* ---- callbacks of the library ---- */

static void on_message(struct mosquitto *handle, void *context,
                       const struct mosquitto_message *message) {
    (void)handle;
    ir_feed_subscription_t *subscription = context;
    if (message->retain || message->payloadlen <= 0 || subscription->status != IR_OK) {
        return;
    }
    if (!ir_spool_has_room(subscription->spool)) {
        subscription->status = ir_error_set(
            &subscription->error, IR_ERR_FULL,
            "the spool is full: disconnected from the broker until packs are confirmed");
        return;
    }
    const ir_status_t status =
        ir_spool_append(subscription->spool, ir_view(message->payload, (size_t)message->payloadlen),
                        &subscription->error);
    if (status == IR_ERR_RANGE) {
        ir_log(IR_LOG_WARN, "[%s]: %s, left out", subscription->options.position->name,
               subscription->error.text);
    } else {
        subscription->status = status;
    }
}

static void on_subscribe(struct mosquitto *handle, void *context, int id, int count,
                         const int *granted) {
    (void)handle;
    (void)id;
    ir_feed_subscription_t *subscription = context;
    subscription->refused = count < 1 || granted[0] >= REFUSED_QOS;
    subscription->subscribed = !subscription->refused;
}

/* ---- the connection ---- */

static ir_outcome_t subscribe(ir_feed_subscription_t *subscription, ir_error_t *error) {
    ir_mqtt_client_t *client = &subscription->client;
    const int qos = subscription->options.position->format->uplink->qos;
    int code = ir_mqtt_client_prepare(client, &subscription->targets.all[0],
                                      qos > 0 ? subscription->id : NULL);
    if (code == MOSQ_ERR_SUCCESS) {
        code = mosquitto_threaded_set(client->handle, true);
    }
    if (code != MOSQ_ERR_SUCCESS) {
        return ir_mqtt_client_lose(client, IR_ERR_CONNECT, ir_mqtt_fault_text(code), error);
    }
    mosquitto_message_callback_set(client->handle, on_message);
    mosquitto_subscribe_callback_set(client->handle, on_subscribe);
    subscription->subscribed = subscription->refused = false;
    const ir_outcome_t outcome = ir_mqtt_client_connect(client, error);
    if (outcome != IR_OUTCOME_OK) {
        return outcome;
    }
    code = mosquitto_subscribe(client->handle, NULL, subscription->topic, qos);
    return code == MOSQ_ERR_SUCCESS
               ? IR_OUTCOME_OK
               : ir_mqtt_client_lose(client, IR_ERR_CONNECT, ir_mqtt_fault_text(code), error);
}

/* One turn: makes received messages durable, so that the next turn can acknowledge them. */
static ir_outcome_t take_turn(ir_feed_subscription_t *subscription, ir_error_t *error) {
    ir_mqtt_client_t *client = &subscription->client;
    const int code = ir_mqtt_client_turn(client, LOOK_NS);
    ir_status_t status = subscription->status;
    *error = subscription->error;
    if (status == IR_OK) {
        status = ir_spool_sync(subscription->spool, error);
    }
    if (status != IR_OK) {
        return ir_mqtt_client_lose(client, status, (*error).text, error);
    }
    if (code != MOSQ_ERR_SUCCESS) {
        return ir_mqtt_client_lose(client, IR_ERR_CONNECT, ir_mqtt_fault_text(code), error);
    }
    if (subscription->refused) {
        return ir_mqtt_client_lose(client, IR_ERR_AUTH, "the subscription was refused", error);
    }
    return IR_OUTCOME_OK;
}

/* ---- the thread ---- */

static void sleep_unless_stopped(const ir_feed_subscription_t *subscription, int64_t wait_ns) {
    const int64_t end_ns = ir_clock_monotonic() + wait_ns;
    const struct timespec look = {.tv_nsec = LOOK_NS};
    while (!atomic_load(&subscription->stop) && ir_clock_monotonic() < end_ns) {
        nanosleep(&look, NULL);
    }
}

static bool open_spool(ir_feed_subscription_t *subscription, ir_error_t *error) {
    if (subscription->spool != NULL && subscription->status == IR_OK) {
        return ir_spool_has_room(subscription->spool);
    }
    ir_spool_close(subscription->spool);
    subscription->spool = NULL;
    subscription->status =
        ir_spool_open(subscription->options.spool, subscription->options.spool_bytes,
                      &subscription->spool, error);
    return subscription->status == IR_OK && ir_spool_has_room(subscription->spool);
}

static void give_up(ir_feed_subscription_t *subscription, const ir_error_t *why) {
    ir_error_set(&subscription->failure, why->status, "[%s]: %s",
                 subscription->options.position->name, why->text);
    atomic_store(&subscription->gave_up, true);
}

bool ir_subscription_gave_up(const ir_feed_subscription_t *subscription, ir_error_t *error) {
    const bool over = atomic_load(&subscription->gave_up);
    if (over) {
        *error = subscription->failure;
    }
    return over;
}

static void *run(void *context) {
    ir_feed_subscription_t *subscription = context;
    ir_backoff_t backoff;
    ir_backoff_init(&backoff, FIRST_BACKOFF_NS, LONGEST_BACKOFF_NS);
    while (!atomic_load(&subscription->stop)) {
        ir_error_t error = {.text = "the spool is full"};
        ir_outcome_t outcome = IR_OUTCOME_RETRY;
        if (open_spool(subscription, &error)) {
            outcome = subscribe(subscription, &error);
        }
        while (outcome == IR_OUTCOME_OK && !atomic_load(&subscription->stop)) {
            outcome = take_turn(subscription, &error);
            if (subscription->subscribed) {
                subscription->taken = true;
                ir_backoff_reset(&backoff);
            }
        }
        if (outcome != IR_OUTCOME_OK && error.status == IR_ERR_AUTH && !subscription->taken) {
            give_up(subscription, &error);
            break;
        }
        if (outcome != IR_OUTCOME_OK) {
            ir_log_limited(&subscription->logged_ns, LOG_EVERY_NS, IR_LOG_WARN,
                           "[%s]: %s; trying again", subscription->options.position->name,
                           error.text);
            sleep_unless_stopped(subscription, ir_backoff_next(&backoff));
        }
    }
    ir_mqtt_client_close(&subscription->client);
    return NULL;
}

/* ---- life ---- */

static ir_status_t parse_address(const ir_position_t *position, int64_t timeout_ns,
                                 ir_targets_t *targets, ir_error_t *error) {
    const ir_target_options_t options = {.ca = ir_setting_text(position->ca),
                                         .timeout_ns = timeout_ns};
    ir_error_t inner;
    if (strncmp(position->subscribe, "mqtt://", 7) != 0 &&
        strncmp(position->subscribe, "mqtts://", 8) != 0) {
        return ir_error_set(error, IR_ERR_USAGE, "[%s]: subscribe needs mqtt:// or mqtts://",
                            position->name);
    }
    return ir_targets_parse(position->subscribe, &options, targets, &inner) == IR_OK
               ? IR_OK
               : ir_error_set(error, IR_ERR_USAGE, "[%s]: subscribe: %s", position->name,
                              inner.text);
}

ir_status_t ir_subscription_check(const ir_position_t *position, ir_error_t *error) {
    ir_targets_t targets;
    const ir_status_t status = parse_address(position, IR_SECOND_NS, &targets, error);
    if (status == IR_OK) {
        ir_targets_free(&targets);
    }
    return status;
}

static void free_subscription(ir_feed_subscription_t *subscription) {
    ir_spool_close(subscription->spool);
    ir_targets_free(&subscription->targets);
    free(subscription);
}

ir_status_t ir_subscription_start(const ir_subscription_options_t *options,
                                  ir_feed_subscription_t **subscription, ir_error_t *error) {
    const ir_position_t *position = options->position;
    const char *id = ir_setting_text(position->client_id);
    const char *topic = ir_setting_text(position->topic);
    ir_feed_subscription_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a subscription");
    }
    made->options = *options;
    made->topic = topic != NULL ? topic : position->format->uplink->topic;
    snprintf(made->id, sizeof made->id, id != NULL ? "%s" : "ir-feed-%s",
             id != NULL ? id : position->name);
    ir_status_t status = parse_address(position, options->timeout_ns, &made->targets, error);
    if (status == IR_OK) {
        status = ir_spool_open(options->spool, options->spool_bytes, &made->spool, error);
    }
    const int failed = status == IR_OK ? ir_thread_start(&made->thread, run, made) : 0;
    if (failed != 0) {
        status = ir_error_set(error, IR_ERR_MEMORY, "cannot start a thread: %s", strerror(failed));
    }
    if (status != IR_OK) {
        free_subscription(made);
        return status;
    }
    *subscription = made;
    return IR_OK;
}

void ir_subscription_stop(ir_feed_subscription_t *subscription) {
    if (subscription != NULL) {
        atomic_store(&subscription->stop, true);
        (void)pthread_join(subscription->thread, NULL);
        free_subscription(subscription);
    }
}
