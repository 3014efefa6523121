#include "send/sender.h"

#include "common/clock.h"
#include "send/mqtt_client.h"

#include <stdio.h>
#include <stdlib.h>

#define TOPIC_SIZE 300
#define TOPIC_PREFIX "ir/"
#define QOS_CONFIRMED 1
/* Message ids are assigned in order, so unanswered messages have different slots in this ring. */
#define IDS 8192
_Static_assert(IDS > IR_SENDER_OPEN_MAX, "ids of open messages must not collide");

typedef struct ir_mqtt {
    ir_mqtt_client_t client;
    ir_answers_t answers;
    uint64_t numbers[IDS];
    unsigned open;
    int64_t progress_ns; /* time of the last confirm, or of the first message sent after all were
                            confirmed */
} ir_mqtt_t;

static void on_publish(struct mosquitto *handle, void *context, int id) {
    (void)handle;
    ir_mqtt_t *mqtt = context;
    mqtt->open--;
    mqtt->progress_ns = ir_clock_monotonic();
    mqtt->answers.take(mqtt->answers.context, mqtt->numbers[id % IDS], IR_ANSWER_CONFIRMED, NULL);
}

/* ---- life ---- */

static void *open_mqtt(const ir_target_t *target, const ir_answers_t *answers) {
    ir_mqtt_t *mqtt = calloc(1, sizeof *mqtt);
    if (mqtt != NULL) {
        mqtt->client.target = target;
        mqtt->answers = *answers;
    }
    return mqtt;
}

static void close_mqtt(void *sender) {
    ir_mqtt_t *mqtt = sender;
    if (mqtt != NULL) {
        ir_mqtt_client_close(&mqtt->client);
        free(mqtt);
    }
}

static ir_outcome_t lose(ir_mqtt_t *mqtt, ir_status_t status, const char *why, ir_error_t *error) {
    mqtt->open = 0;
    return ir_mqtt_client_lose(&mqtt->client, status, why, error);
}

static ir_outcome_t connect_mqtt(void *sender, ir_error_t *error) {
    ir_mqtt_t *mqtt = sender;
    if (mqtt->client.welcome) {
        return IR_OUTCOME_OK;
    }
    const int code = ir_mqtt_client_prepare(&mqtt->client, mqtt->client.target, NULL);
    if (code != MOSQ_ERR_SUCCESS) {
        return lose(mqtt, IR_ERR_CONNECT, ir_mqtt_fault_text(code), error);
    }
    mqtt->open = 0;
    mosquitto_publish_callback_set(mqtt->client.handle, on_publish);
    return ir_mqtt_client_connect(&mqtt->client, error);
}

/* ---- messages ---- */

static ir_outcome_t send_mqtt(void *sender, const ir_parcel_t *parcel, ir_error_t *error) {
    ir_mqtt_t *mqtt = sender;
    char topic[TOPIC_SIZE];
    int id = 0;
    if (!mqtt->client.welcome) {
        return lose(mqtt, IR_ERR_CONNECT, "not connected", error);
    }
    snprintf(topic, sizeof topic, TOPIC_PREFIX "%.*s", IR_VIEW_ARG(parcel->mote));
    const int code = mosquitto_publish(mqtt->client.handle, &id, topic, (int)parcel->body.size,
                                       parcel->body.data, QOS_CONFIRMED, false);
    if (code != MOSQ_ERR_SUCCESS) {
        return lose(mqtt, IR_ERR_CONNECT, ir_mqtt_fault_text(code), error);
    }
    mqtt->numbers[id % IDS] = parcel->number;
    if (mqtt->open++ == 0) {
        mqtt->progress_ns = ir_clock_monotonic();
    }
    return IR_OUTCOME_OK;
}

static ir_outcome_t push_mqtt(void *sender, int64_t wait_ns, ir_error_t *error) {
    ir_mqtt_t *mqtt = sender;
    if (!mqtt->client.welcome) {
        ir_clock_sleep(wait_ns);
        return IR_OUTCOME_OK;
    }
    const int code = ir_mqtt_client_turn(&mqtt->client, wait_ns);
    if (code != MOSQ_ERR_SUCCESS) {
        return lose(mqtt, IR_ERR_CONNECT, ir_mqtt_fault_text(code), error);
    }
    if (mqtt->open > 0 &&
        ir_clock_monotonic() - mqtt->progress_ns > mqtt->client.target->timeout_ns) {
        return lose(mqtt, IR_ERR_TIMEOUT, "no PUBACK within 'timeout'", error);
    }
    return IR_OUTCOME_OK;
}

const ir_sender_t ir_sender_mqtt = {
    .name = "mqtt",
    .multiplexes = false,
    .open = open_mqtt,
    .close = close_mqtt,
    .connect = connect_mqtt,
    .send = send_mqtt,
    .push = push_mqtt,
};
