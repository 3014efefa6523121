#include "broker/connection.h"

#include "broker/replies.h"
#include "common/clock.h"
#include "common/messages.h"
#include "common/settings.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"
/* Large enough for a header with all properties of an MQTT packet (ingest/start-mqtt.erl) and
 * RabbitMQ's additions. */
#define RECEIVED_FRAME_BYTES (4 * 1024 * 1024)
#define GOODBYE_NS (2 * IR_SECOND_NS)

/* ---- connecting ---- */

typedef struct ir_broker_address {
    struct amqp_connection_info info;
    char place[160]; /* For messages: host:port/vhost as user */
} ir_broker_address_t;

static size_t count_uris(const char *uri) {
    size_t count = 1;
    for (const char *p = uri; (p = strchr(p, ',')) != NULL; p++) {
        count++;
    }
    return count;
}

static char *copy_uri(const char *uri, size_t index) {
    for (; index > 0; index--) {
        uri = strchr(uri, ',') + 1;
    }
    uri += strspn(uri, " ");
    return strndup(uri, strcspn(uri, ", "));
}

bool ir_broker_secure(const ir_broker_options_t *options) {
    return strncmp(options->uri, "amqps:", strlen("amqps:")) == 0;
}

/* `text` is one URI; the library splits it, in place, into the fields of target->info. */
static ir_status_t parse_target(const ir_broker_options_t *options, size_t index, char *text,
                                ir_broker_address_t *target, ir_error_t *error) {
    if (text == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the broker's address");
    }
    const char *apart = ir_uri_password_apart(text, options->password); /* parsing cuts the text */
    if (amqp_parse_url(text, &target->info) != AMQP_STATUS_OK) {
        return ir_error_set(error, IR_ERR_USAGE, IR_TEXT_BROKER_URI, index + 1);
    }
    if ((target->info.ssl != 0) != ir_broker_secure(options)) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "the broker's addresses mix amqp and amqps: use one of them for all");
    }
    if (target->info.vhost[0] == '\0') {
        target->info.vhost = "/";
    }
    if (apart != NULL) {
        target->info.password = (char *)apart;
    }
    const bool v6 = strchr(target->info.host, ':') != NULL;
    snprintf(target->place, sizeof target->place, "%s%s%s:%d, virtual host %s, user %s",
             v6 ? "[" : "", target->info.host, v6 ? "]" : "", target->info.port, target->info.vhost,
             target->info.user);
    return IR_OK;
}

/* The library checks only host names. If the broker is given by an address, OpenSSL must check that
 * the certificate contains it (subjectAltName, RFC 5280). */
static void verify_host(amqp_socket_t *socket, const char *host) {
    X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(amqp_ssl_socket_get_context(socket));
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket,
                                        X509_VERIFY_PARAM_set1_ip_asc(parameters, host) != 1);
}

static amqp_socket_t *new_socket(amqp_connection_state_t connection,
                                 const ir_broker_options_t *options,
                                 const ir_broker_address_t *target, ir_error_t *error) {
    if (target->info.ssl == 0) {
        amqp_socket_t *socket = amqp_tcp_socket_new(connection);
        if (socket == NULL) {
            ir_error_set(error, IR_ERR_MEMORY, "out of memory for a broker connection");
        }
        return socket;
    }
    amqp_socket_t *socket = amqp_ssl_socket_new(connection);
    if (socket == NULL) {
        ir_error_set(error, IR_ERR_MEMORY, "cannot set up TLS for a broker connection");
        return NULL;
    }
    const char *ca_file = options->ca_file != NULL ? options->ca_file : SYSTEM_CA_FILE;
    if (amqp_ssl_socket_set_cacert(socket, ca_file) != AMQP_STATUS_OK) {
        ir_error_set(error, IR_ERR_USAGE, "cannot read the certificates in %s", ca_file);
        return NULL;
    }
    verify_host(socket, target->info.host);
    return socket;
}

static ir_status_t socket_fault(int fault, const ir_broker_address_t *target, ir_error_t *error) {
    switch (fault) {
    case AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED:
        return ir_error_set(error, IR_ERR_CONNECT, IR_TEXT_BROKER_HOST, target->place);
    case AMQP_STATUS_TIMEOUT:
        return ir_error_set(error, IR_ERR_CONNECT, IR_TEXT_BROKER_SILENT, target->place);
    case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED:
    case AMQP_STATUS_SSL_PEER_VERIFY_FAILED:
        return ir_error_set(error, IR_ERR_AUTH, IR_TEXT_BROKER_CERTIFICATE, target->place);
    case AMQP_STATUS_SSL_ERROR:
    case AMQP_STATUS_SSL_CONNECTION_FAILED:
        return ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_BROKER_TLS, target->place);
    default:
        return ir_error_set(error, IR_ERR_CONNECT, IR_TEXT_BROKER_AWAY, target->place);
    }
}

static ir_status_t login_fault(int fault, const ir_broker_address_t *target, ir_error_t *error) {
    switch (fault) {
    case AMQP_STATUS_BAD_AMQP_DATA:
    case AMQP_STATUS_UNKNOWN_CLASS:
    case AMQP_STATUS_UNKNOWN_METHOD:
    case AMQP_STATUS_WRONG_METHOD:
    case AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION:
    case AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD:
        return ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_NOT_AMQP, target->place);
    case AMQP_STATUS_TIMEOUT:
        return ir_error_set(error, IR_ERR_CONNECT, IR_TEXT_BROKER_SLOW, target->place);
    case AMQP_STATUS_NO_MEMORY:
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a broker connection");
    default:
        return ir_error_set(error, IR_ERR_CONNECT, IR_TEXT_BROKER_CLOSED, target->place);
    }
}

static amqp_table_entry_t flag_entry(const char *name) {
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
}

/* Tells the broker at login what this client understands. librabbitmq 0.11 does not do so for
 * consumer cancellation and connection.blocked. */
static amqp_rpc_reply_t login(amqp_connection_state_t connection,
                              const ir_broker_options_t *options,
                              const ir_broker_address_t *target) {
    amqp_table_entry_t capabilities[] = {
        flag_entry("consumer_cancel_notify"),
        flag_entry("connection.blocked"),
        flag_entry("publisher_confirms"),
        flag_entry("basic.nack"),
    };
    amqp_table_entry_t properties[2] = {{.key = amqp_cstring_bytes("capabilities")},
                                        {.key = amqp_cstring_bytes("connection_name")}};
    properties[0].value.kind = AMQP_FIELD_KIND_TABLE;
    properties[0].value.value.table.entries = capabilities;
    properties[0].value.value.table.num_entries = sizeof capabilities / sizeof capabilities[0];
    properties[1].value.kind = AMQP_FIELD_KIND_UTF8;
    properties[1].value.value.bytes = amqp_cstring_bytes(options->name ? options->name : "ir");
    const amqp_table_t table = {.num_entries = 2, .entries = properties};
    return amqp_login_with_properties(connection, target->info.vhost, AMQP_DEFAULT_MAX_CHANNELS,
                                      AMQP_DEFAULT_FRAME_SIZE, options->heartbeat_s, &table,
                                      AMQP_SASL_METHOD_PLAIN, target->info.user,
                                      target->info.password);
}

/* The library has a single limit for frames in both directions. */
static ir_status_t raise_frame_bound(amqp_connection_state_t connection, ir_error_t *error) {
    const int status = amqp_tune_connection(connection, amqp_get_channel_max(connection),
                                            RECEIVED_FRAME_BYTES, amqp_get_heartbeat(connection));
    return status == AMQP_STATUS_OK ? IR_OK
                                    : ir_broker_fault(status, "cannot take larger frames", error);
}

static ir_status_t log_in(amqp_connection_state_t connection, const ir_broker_options_t *options,
                          const ir_broker_address_t *target, ir_error_t *error) {
    const amqp_rpc_reply_t reply = login(connection, options, target);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        return login_fault(reply.library_error, target, error);
    }
    char what[256];
    snprintf(what, sizeof what, "cannot log in to %s (check user, password and virtual host)",
             target->place);
    const ir_status_t status = ir_broker_reply(reply, what, error);
    return status == IR_OK && options->receives ? raise_frame_bound(connection, error) : status;
}

static struct timeval interval(int64_t ns) {
    return (struct timeval){.tv_sec = ns / IR_SECOND_NS, .tv_usec = ns % IR_SECOND_NS / 1000};
}

/* The library sends without a time limit. This makes the kernel break the connection to a peer that
 * accepts nothing. */
static void bound_sending(int fd, const ir_broker_options_t *options) {
    int64_t longest_ns = options->heartbeat_s * 2 * IR_SECOND_NS;
    if (longest_ns < options->timeout_ns) {
        longest_ns = options->timeout_ns;
    }
    const unsigned milliseconds = (unsigned)(longest_ns / IR_MILLISECOND_NS);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
}

static ir_status_t try_target(const ir_broker_options_t *options, const ir_broker_address_t *target,
                              amqp_connection_state_t *connection, ir_error_t *error) {
    ir_status_t status = IR_ERR_MEMORY;
    const struct timeval timeout = interval(options->timeout_ns);
    amqp_connection_state_t made = amqp_new_connection();
    if (made == NULL) {
        return ir_error_set(error, status, "out of memory for a broker connection");
    }
    ir_error_t fault = {0};
    amqp_socket_t *socket = new_socket(made, options, target, &fault);
    if (socket == NULL) {
        status = ir_error_set(error, fault.status, "%s", fault.text);
        goto out;
    }
    const int opened =
        amqp_socket_open_noblock(socket, target->info.host, target->info.port, &timeout);
    if (opened != AMQP_STATUS_OK) {
        status = socket_fault(opened, target, error);
        goto out;
    }
    if (!ir_attempt_use(options->attempt, amqp_get_sockfd(made))) {
        status = ir_error_set(error, IR_ERR_CONNECT, "connecting was broken off");
        goto out;
    }
    (void)amqp_set_handshake_timeout(made, &timeout);
    (void)amqp_set_rpc_timeout(made, &timeout);
    bound_sending(amqp_get_sockfd(made), options);
    status = log_in(made, options, target, error);
out:
    if (status == IR_OK) {
        *connection = made;
    } else {
        (void)ir_attempt_use(options->attempt, -1);
        amqp_destroy_connection(made);
    }
    return status;
}

ir_status_t ir_broker_connect(const ir_broker_options_t *options, unsigned start,
                              amqp_connection_state_t *connection, ir_error_t *error) {
    const size_t count = count_uris(options->uri);
    ir_status_t status = IR_ERR_CONNECT;
    for (size_t i = 0; i < count; i++) {
        const size_t index = (start + i) % count;
        char *text = copy_uri(options->uri, index);
        ir_broker_address_t target = {.place = ""};
        status = parse_target(options, index, text, &target, error);
        if (status == IR_OK) {
            status = try_target(options, &target, connection, error);
        }
        free(text);
        if (status == IR_OK || status == IR_ERR_USAGE || status == IR_ERR_MEMORY ||
            !ir_attempt_use(options->attempt, -1)) {
            break;
        }
    }
    return status;
}

typedef ir_status_t (*target_fn)(const ir_broker_address_t *target, void *context,
                                 ir_error_t *error);

/* Calls `take` for the parsed address of each URI; NULL: only parses them. */
static ir_status_t each_target(const ir_broker_options_t *options, target_fn take, void *context,
                               ir_error_t *error) {
    const size_t count = count_uris(options->uri);
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < count && status == IR_OK; i++) {
        char *text = copy_uri(options->uri, i);
        ir_broker_address_t target = {.place = ""};
        status = parse_target(options, i, text, &target, error);
        if (status == IR_OK && take != NULL) {
            status = take(&target, context, error);
        }
        free(text);
    }
    return status;
}

ir_status_t ir_broker_check(const ir_broker_options_t *options, ir_error_t *error) {
    return each_target(options, NULL, NULL, error);
}

typedef struct common_user {
    char *name; /* IR_BROKER_USER_SIZE bytes */
    bool known;
} common_user_t;

static ir_status_t compare_user(const ir_broker_address_t *target, void *context,
                                ir_error_t *error) {
    common_user_t *user = context;
    const char *found = target->info.user != NULL ? target->info.user : "";
    if (user->known && strcmp(user->name, found) != 0) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "the broker's addresses name different users: use one for all");
    }
    snprintf(user->name, IR_BROKER_USER_SIZE, "%s", found);
    user->known = true;
    return IR_OK;
}

ir_status_t ir_broker_user(const ir_broker_options_t *options,
                           char user[static IR_BROKER_USER_SIZE], ir_error_t *error) {
    return each_target(options, compare_user, &(common_user_t){.name = user}, error);
}

ir_status_t ir_broker_host(const ir_broker_options_t *options,
                           char host[static IR_BROKER_USER_SIZE], ir_error_t *error) {
    char *text = copy_uri(options->uri, 0);
    ir_broker_address_t target = {.place = ""};
    const ir_status_t status = parse_target(options, 0, text, &target, error);
    if (status == IR_OK) {
        snprintf(host, IR_BROKER_USER_SIZE, "%s", target.info.vhost);
    }
    free(text);
    return status;
}

/* ---- afterwards ---- */

int ir_broker_take_heartbeat(amqp_connection_state_t connection) {
    const int seconds = amqp_get_heartbeat(connection);
    /* Switches off the library's own heartbeats. In the middle of a frame the library would abort,
     * so then both it and the caller send heartbeats. */
    if (amqp_release_buffers_ok(connection)) {
        (void)amqp_tune_connection(connection, amqp_get_channel_max(connection),
                                   amqp_get_frame_max(connection), 0);
    }
    return seconds;
}

static bool is_method(const amqp_frame_t *frame, amqp_channel_t channel, amqp_method_number_t id) {
    return frame->frame_type == AMQP_FRAME_METHOD && frame->channel == channel &&
           frame->payload.method.id == id;
}

/* Closes the connection and discards everything that arrives before the answer;
 * amqp_connection_close would keep it. */
static void say_goodbye(amqp_connection_state_t connection) {
    amqp_connection_close_t request = {.reply_code = AMQP_REPLY_SUCCESS,
                                       .reply_text = amqp_cstring_bytes("goodbye")};
    if (amqp_send_method(connection, 0, AMQP_CONNECTION_CLOSE_METHOD, &request) != AMQP_STATUS_OK) {
        return;
    }
    const int64_t end_ns = ir_clock_monotonic() + GOODBYE_NS;
    for (int64_t left_ns; (left_ns = end_ns - ir_clock_monotonic()) > 0;) {
        const struct timeval left = interval(left_ns);
        amqp_frame_t frame;
        if (amqp_simple_wait_frame_noblock(connection, &frame, &left) != AMQP_STATUS_OK ||
            is_method(&frame, 0, AMQP_CONNECTION_CLOSE_OK_METHOD) ||
            is_method(&frame, 0, AMQP_CONNECTION_CLOSE_METHOD)) {
            return;
        }
        amqp_maybe_release_buffers_on_channel(connection, frame.channel);
    }
}

ir_view_t ir_broker_version(amqp_connection_state_t connection) {
    const amqp_table_t *properties = amqp_get_server_properties(connection);
    for (int i = 0; properties != NULL && i < properties->num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->entries[i];
        if (entry->value.kind == AMQP_FIELD_KIND_UTF8 &&
            ir_view_equal(ir_broker_view(entry->key), ir_view_text("version"))) {
            return ir_broker_view(entry->value.value.bytes);
        }
    }
    return ir_view(NULL, 0);
}

void ir_broker_disconnect(amqp_connection_state_t connection) {
    if (connection == NULL) {
        return;
    }
    if (amqp_get_sockfd(connection) >= 0) {
        say_goodbye(connection);
    }
    amqp_destroy_connection(connection);
}
