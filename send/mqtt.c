#include "send/sender.h"

#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>

#define KEEPALIVE_S 20
#define UPKEEP_NS IR_SECOND_NS
#define TOPIC_SIZE 300
#define TOPIC_PREFIX "ir/"
#define QOS_CONFIRMED 1
#define PACKETS_MAX 1000 /* read in one turn */
#define CONNECT_LOOK_NS (20 * IR_MILLISECOND_NS)
/* Message ids are given out in order, so those of the open messages differ in this ring. */
#define IDS 8192
_Static_assert(IDS > IR_SENDER_OPEN_MAX, "ids of open messages must not meet");

typedef struct ir_mqtt {
    const ir_target_t *target;
    ir_answers_t answers;
    struct mosquitto *client; /* NULL: not connected */
    bool welcome;             /* the server took the login */
    int refused;              /* its answer if it did not, or 0 */
    uint64_t numbers[IDS];
    unsigned open;
    int64_t progress_ns; /* the last confirm, or the first message after all were confirmed */
    int64_t upkeep_ns;
} ir_mqtt_t;

/* ---- what the library calls ---- */

static void on_connect(struct mosquitto *client, void *context, int code) {
    (void)client;
    ir_mqtt_t *mqtt = context;
    mqtt->welcome = code == 0;
    mqtt->refused = code;
}

static void on_publish(struct mosquitto *client, void *context, int id) {
    (void)client;
    ir_mqtt_t *mqtt = context;
    mqtt->open--;
    mqtt->progress_ns = ir_clock_monotonic();
    mqtt->answers.take(mqtt->answers.context, mqtt->numbers[id % IDS], IR_ANSWER_CONFIRMED, NULL);
}

/* ---- life ---- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void init_library(void) {
    (void)mosquitto_lib_init();
}

static void *open_mqtt(const ir_target_t *target, const ir_answers_t *answers) {
    pthread_once(&library_once, init_library);
    ir_mqtt_t *mqtt = calloc(1, sizeof *mqtt);
    if (mqtt != NULL) {
        mqtt->target = target;
        mqtt->answers = *answers;
    }
    return mqtt;
}

static void drop(ir_mqtt_t *mqtt) {
    mosquitto_destroy(mqtt->client);
    mqtt->client = NULL;
    mqtt->welcome = false;
    mqtt->refused = 0;
    mqtt->open = 0;
}

static void close_mqtt(void *sender) {
    ir_mqtt_t *mqtt = sender;
    if (mqtt != NULL) {
        if (mqtt->client != NULL) {
            (void)mosquitto_disconnect(mqtt->client);
        }
        drop(mqtt);
        free(mqtt);
    }
}

static const char *fault_text(int code) {
    return code == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(code);
}

static ir_outcome_t lose(ir_mqtt_t *mqtt, ir_status_t status, const char *why, ir_error_t *error) {
    ir_error_set(error, status, "%s: %s", mqtt->target->label, why);
    drop(mqtt);
    return IR_OUTCOME_RETRY;
}

/* ---- the socket ---- */

/* One turn of the library's loop, after waiting for the socket. */
static int turn(ir_mqtt_t *mqtt, int64_t wait_ns) {
    struct pollfd polled = {.fd = mosquitto_socket(mqtt->client), .events = POLLIN};
    if (polled.fd < 0) {
        return MOSQ_ERR_CONN_LOST;
    }
    if (mosquitto_want_write(mqtt->client)) {
        polled.events |= POLLOUT;
    }
    const int ms = (int)((wait_ns + IR_MILLISECOND_NS - 1) / IR_MILLISECOND_NS);
    if (poll(&polled, 1, ms) < 0 && errno != EINTR) {
        return MOSQ_ERR_ERRNO;
    }
    int code = MOSQ_ERR_SUCCESS;
    if ((polled.revents & POLLOUT) != 0) {
        code = mosquitto_loop_write(mqtt->client, 1);
    }
    if (code == MOSQ_ERR_SUCCESS && (polled.revents & ~POLLOUT) != 0) {
        code = mosquitto_loop_read(mqtt->client, PACKETS_MAX);
    }
    const int64_t now_ns = ir_clock_monotonic();
    if (code == MOSQ_ERR_SUCCESS && now_ns - mqtt->upkeep_ns > UPKEEP_NS) {
        mqtt->upkeep_ns = now_ns;
        code = mosquitto_loop_misc(mqtt->client);
    }
    return code;
}

/* ---- connecting ---- */

static int prepare_client(ir_mqtt_t *mqtt) {
    const ir_target_t *target = mqtt->target;
    const char *password = target->password != NULL ? target->password : target->secret;
    mqtt->client = mosquitto_new(NULL, true, mqtt);
    if (mqtt->client == NULL) {
        return MOSQ_ERR_NOMEM;
    }
    mosquitto_connect_callback_set(mqtt->client, on_connect);
    mosquitto_publish_callback_set(mqtt->client, on_publish);
    int code = mosquitto_max_inflight_messages_set(mqtt->client, 0);
    if (code == MOSQ_ERR_SUCCESS) {
        code = mosquitto_int_option(mqtt->client, MOSQ_OPT_TCP_NODELAY, 1);
    }
    if (code == MOSQ_ERR_SUCCESS && target->user != NULL) {
        code = mosquitto_username_pw_set(mqtt->client, target->user, password);
    }
    if (code == MOSQ_ERR_SUCCESS && target->secure) {
        code = target->ca != NULL
                   ? mosquitto_tls_set(mqtt->client, target->ca, NULL, NULL, NULL, NULL)
                   : mosquitto_int_option(mqtt->client, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    }
    return code;
}

static ir_outcome_t await_welcome(ir_mqtt_t *mqtt, ir_error_t *error) {
    const int64_t end_ns = ir_clock_monotonic() + mqtt->target->timeout_ns;
    while (!mqtt->welcome) {
        const int code = turn(mqtt, CONNECT_LOOK_NS);
        if (mqtt->refused != 0) {
            const bool login = mqtt->refused == 4 || mqtt->refused == 5;
            return lose(mqtt, login ? IR_ERR_AUTH : IR_ERR_CONNECT,
                        mosquitto_connack_string(mqtt->refused), error);
        }
        if (code != MOSQ_ERR_SUCCESS) {
            return lose(mqtt, IR_ERR_CONNECT, fault_text(code), error);
        }
        if (ir_clock_monotonic() > end_ns) {
            return lose(mqtt, IR_ERR_TIMEOUT, "no answer to the login within 'timeout'", error);
        }
    }
    return IR_OUTCOME_OK;
}

static ir_outcome_t connect_mqtt(void *sender, ir_error_t *error) {
    ir_mqtt_t *mqtt = sender;
    if (mqtt->welcome) {
        return IR_OUTCOME_OK;
    }
    int code = prepare_client(mqtt);
    if (code == MOSQ_ERR_SUCCESS) {
        code = mosquitto_connect_async(mqtt->client, mqtt->target->host, (int)mqtt->target->port,
                                       KEEPALIVE_S);
    }
    return code == MOSQ_ERR_SUCCESS ? await_welcome(mqtt, error)
                                    : lose(mqtt, IR_ERR_CONNECT, fault_text(code), error);
}

/* ---- messages ---- */

static ir_outcome_t send_mqtt(void *sender, const ir_parcel_t *parcel, ir_error_t *error) {
    ir_mqtt_t *mqtt = sender;
    char topic[TOPIC_SIZE];
    int id = 0;
    if (!mqtt->welcome) {
        return lose(mqtt, IR_ERR_CONNECT, "not connected", error);
    }
    snprintf(topic, sizeof topic, TOPIC_PREFIX "%.*s", IR_VIEW_ARG(parcel->mote));
    const int code = mosquitto_publish(mqtt->client, &id, topic, (int)parcel->body.size,
                                       parcel->body.data, QOS_CONFIRMED, false);
    if (code != MOSQ_ERR_SUCCESS) {
        return lose(mqtt, IR_ERR_CONNECT, fault_text(code), error);
    }
    mqtt->numbers[id % IDS] = parcel->number;
    if (mqtt->open++ == 0) {
        mqtt->progress_ns = ir_clock_monotonic();
    }
    return IR_OUTCOME_OK;
}

static void wait_unconnected(int64_t wait_ns) {
    const struct timespec wait = {.tv_sec = wait_ns / IR_SECOND_NS,
                                  .tv_nsec = wait_ns % IR_SECOND_NS};
    nanosleep(&wait, NULL);
}

static ir_outcome_t push_mqtt(void *sender, int64_t wait_ns, ir_error_t *error) {
    ir_mqtt_t *mqtt = sender;
    if (!mqtt->welcome) {
        wait_unconnected(wait_ns);
        return IR_OUTCOME_OK;
    }
    const int code = turn(mqtt, wait_ns);
    if (code != MOSQ_ERR_SUCCESS) {
        return lose(mqtt, IR_ERR_CONNECT, fault_text(code), error);
    }
    if (mqtt->open > 0 && ir_clock_monotonic() - mqtt->progress_ns > mqtt->target->timeout_ns) {
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
