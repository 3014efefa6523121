#include "send/mqtt_client.h"

#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#define KEEPALIVE_S 20
#define UPKEEP_NS IR_SECOND_NS
#define PACKETS_MAX 1000 /* read in one turn */
#define CONNECT_LOOK_NS (20 * IR_MILLISECOND_NS)

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void init_library(void) {
    (void)mosquitto_lib_init();
}

static void on_connect(struct mosquitto *handle, void *context, int code) {
    (void)handle;
    ir_mqtt_client_t *client = context;
    client->welcome = code == 0;
    client->refused = code;
}

const char *ir_mqtt_fault_text(int code) {
    switch (code) {
    case MOSQ_ERR_ERRNO:
        return strerror(errno);
    case MOSQ_ERR_TLS:
        return "a TLS error: is this the TLS port, is its certificate's authority given as ca, and "
               "is the host named as in the certificate?";
    case MOSQ_ERR_PROTOCOL:
        return "no MQTT broker answers: check host and port (mqtts:// for TLS)";
    default:
        return mosquitto_strerror(code);
    }
}

/* ---- life ---- */

static int set_login(ir_mqtt_client_t *client) {
    const ir_target_t *target = client->target;
    const char *password = target->password != NULL ? target->password : target->secret;
    int code = MOSQ_ERR_SUCCESS;
    if (target->user != NULL) {
        code = mosquitto_username_pw_set(client->handle, target->user, password);
    }
    if (code == MOSQ_ERR_SUCCESS && target->secure) {
        code = target->ca != NULL
                   ? mosquitto_tls_set(client->handle, target->ca, NULL, NULL, NULL, NULL)
                   : mosquitto_int_option(client->handle, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    }
    return code;
}

int ir_mqtt_client_prepare(ir_mqtt_client_t *client, const ir_target_t *target, const char *id) {
    pthread_once(&library_once, init_library);
    *client = (ir_mqtt_client_t){.target = target, .handle = mosquitto_new(id, id == NULL, client)};
    if (client->handle == NULL) {
        return MOSQ_ERR_NOMEM;
    }
    mosquitto_connect_callback_set(client->handle, on_connect);
    int code = mosquitto_max_inflight_messages_set(client->handle, 0);
    if (code == MOSQ_ERR_SUCCESS) {
        code = mosquitto_int_option(client->handle, MOSQ_OPT_TCP_NODELAY, 1);
    }
    return code == MOSQ_ERR_SUCCESS ? set_login(client) : code;
}

static void drop(ir_mqtt_client_t *client) {
    mosquitto_destroy(client->handle);
    client->handle = NULL;
    client->welcome = false;
    client->refused = 0;
}

ir_outcome_t ir_mqtt_client_lose(ir_mqtt_client_t *client, ir_status_t status, const char *why,
                                 ir_error_t *error) {
    ir_error_set(error, status, "%s: %s", client->target->label, why);
    drop(client);
    return IR_OUTCOME_RETRY;
}

void ir_mqtt_client_close(ir_mqtt_client_t *client) {
    if (client->handle != NULL) {
        (void)mosquitto_disconnect(client->handle);
        (void)mosquitto_loop_write(client->handle, 1);
    }
    drop(client);
}

/* ---- the socket ---- */

int ir_mqtt_client_turn(ir_mqtt_client_t *client, int64_t wait_ns) {
    struct pollfd polled = {.fd = mosquitto_socket(client->handle), .events = POLLIN};
    if (polled.fd < 0) {
        return MOSQ_ERR_CONN_LOST;
    }
    if (mosquitto_want_write(client->handle)) {
        polled.events |= POLLOUT;
    }
    const int ms = (int)((wait_ns + IR_MILLISECOND_NS - 1) / IR_MILLISECOND_NS);
    if (poll(&polled, 1, ms) < 0 && errno != EINTR) {
        return MOSQ_ERR_ERRNO;
    }
    int code = MOSQ_ERR_SUCCESS;
    if ((polled.revents & POLLOUT) != 0) {
        code = mosquitto_loop_write(client->handle, 1);
    }
    if (code == MOSQ_ERR_SUCCESS && (polled.revents & ~POLLOUT) != 0) {
        code = mosquitto_loop_read(client->handle, PACKETS_MAX);
    }
    const int64_t now_ns = ir_clock_monotonic();
    if (code == MOSQ_ERR_SUCCESS && now_ns - client->upkeep_ns > UPKEEP_NS) {
        client->upkeep_ns = now_ns;
        code = mosquitto_loop_misc(client->handle);
    }
    return code;
}

/* ---- connecting ---- */

static ir_outcome_t await_welcome(ir_mqtt_client_t *client, ir_error_t *error) {
    const int64_t end_ns = ir_clock_monotonic() + client->target->timeout_ns;
    while (!client->welcome) {
        const int code = ir_mqtt_client_turn(client, CONNECT_LOOK_NS);
        if (client->refused != 0) {
            const bool login = client->refused == 4 || client->refused == 5;
            return ir_mqtt_client_lose(client, login ? IR_ERR_AUTH : IR_ERR_CONNECT,
                                       login ? "the broker refuses user or password (the password "
                                               "of a mote is its token)"
                                             : mosquitto_connack_string(client->refused),
                                       error);
        }
        if (code != MOSQ_ERR_SUCCESS) {
            return ir_mqtt_client_lose(client, IR_ERR_CONNECT, ir_mqtt_fault_text(code), error);
        }
        if (ir_clock_monotonic() > end_ns) {
            return ir_mqtt_client_lose(client, IR_ERR_TIMEOUT,
                                       "no answer to the login within 'timeout'", error);
        }
    }
    return IR_OUTCOME_OK;
}

ir_outcome_t ir_mqtt_client_connect(ir_mqtt_client_t *client, ir_error_t *error) {
    const int code = mosquitto_connect_async(client->handle, client->target->host,
                                             (int)client->target->port, KEEPALIVE_S);
    return code == MOSQ_ERR_SUCCESS
               ? await_welcome(client, error)
               : ir_mqtt_client_lose(client, IR_ERR_CONNECT, ir_mqtt_fault_text(code), error);
}
