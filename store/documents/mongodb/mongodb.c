#include "store/documents/mongodb/mongodb.h"

#include "common/clock.h"
#include "common/messages.h"
#include "store/documents/probe.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_DATABASE "intelligent_river"
#define PROBE_MS_MAX 2000

static const char *const prefixes[] = {"mongodb://", "mongodb+srv://", NULL};
const char *const ir_mongodb_collections[] = {IR_MONGODB_RAW,       IR_MONGODB_OBSERVATIONS,
                                              IR_MONGODB_REVISIONS, IR_MONGODB_OUTCOMES,
                                              IR_MONGODB_META,      NULL};

/* ---- errors ---- */

/* Whether any server of the set was recognised as MongoDB. */
static bool is_mongodb(const ir_mongodb_t *store) {
    size_t n = 0;
    bool known = false;
    mongoc_server_description_t **servers =
        mongoc_client_get_server_descriptions(store->client, &n);
    for (size_t i = 0; i < n; i++) {
        const char *type = mongoc_server_description_type(servers[i]);
        known = known || (strcmp(type, "Unknown") != 0 && strcmp(type, "PossiblePrimary") != 0);
    }
    mongoc_server_descriptions_destroy_all(servers, n);
    return known;
}

static bool somebody_answers(const ir_mongodb_t *store) {
    const mongoc_host_list_t *host = mongoc_uri_get_hosts(store->uri);
    const int timeout_ms = store->timeout_ms < PROBE_MS_MAX ? store->timeout_ms : PROBE_MS_MAX;
    return host != NULL && ir_probe_tcp(host->host, host->port, timeout_ms);
}

static ir_status_t no_server(const ir_mongodb_t *store, const bson_error_t *reason,
                             const char *what, ir_error_t *error) {
    if (is_mongodb(store)) {
        return ir_error_set(error, IR_ERR_CONNECT,
                            "documents mongodb %s: %s: no server there accepts writes now: %s; "
                            "look at the replica set (rs.status())",
                            store->place, what, reason->message);
    }
    if (somebody_answers(store)) {
        return ir_error_set(error, IR_ERR_PROTOCOL,
                            "documents mongodb %s: %s: something accepts connections there but "
                            "does not answer like MongoDB (%s); check host, port and tls",
                            store->place, what, reason->message);
    }
    return ir_error_set(error, IR_ERR_CONNECT, IR_TEXT_MONGODB_AWAY, store->place, what,
                        reason->message);
}

/* Maps a server's error codes to our statuses. */
static const struct {
    uint32_t code;
    ir_status_t status;
    const char *advice;
} server_errors[] = {
    {13, IR_ERR_AUTH, "the user has no permission for that: use one with the role readWrite"},
    {18, IR_ERR_AUTH, "check the user in the URI, authSource and documents-password"},
    {91, IR_ERR_CONNECT, "the server is shutting down"},
    {189, IR_ERR_CONNECT, "the replica set is choosing another primary"},
    {10058, IR_ERR_CONNECT, "no primary there: look at the replica set (rs.status())"},
    {10107, IR_ERR_CONNECT, "no primary there: look at the replica set (rs.status())"},
    {11600, IR_ERR_CONNECT, "the server is shutting down"},
    {11602, IR_ERR_CONNECT, "the replica set is choosing another primary"},
    {13435, IR_ERR_CONNECT, "no primary there: look at the replica set (rs.status())"},
    {13436, IR_ERR_CONNECT, "no primary there: look at the replica set (rs.status())"},
    {14031, IR_ERR_FULL, "the server's disk is full: free some space there"},
};

static ir_status_t server_said(const ir_mongodb_t *store, const bson_error_t *reason,
                               const char *what, ir_error_t *error) {
    for (size_t i = 0; i < sizeof server_errors / sizeof server_errors[0]; i++) {
        if (server_errors[i].code == reason->code) {
            return ir_error_set(error, server_errors[i].status,
                                "documents mongodb %s: %s: %s (%u); %s", store->place, what,
                                reason->message, reason->code, server_errors[i].advice);
        }
    }
    return ir_error_set(error, IR_ERR_IO, "documents mongodb %s: %s: %s (%u); see the server's log",
                        store->place, what, reason->message, reason->code);
}

ir_status_t ir_mongodb_failed(const ir_mongodb_t *store, const bson_error_t *reason,
                              const char *what, ir_error_t *error) {
    switch (reason->domain) {
    case MONGOC_ERROR_SERVER_SELECTION:
        return no_server(store, reason, what, error);
    case MONGOC_ERROR_SERVER:
    case MONGOC_ERROR_COMMAND:
    case MONGOC_ERROR_QUERY:
    case MONGOC_ERROR_WRITE_CONCERN:
        return server_said(store, reason, what, error);
    case MONGOC_ERROR_STREAM:
        return ir_error_set(error, IR_ERR_CONNECT,
                            "documents mongodb %s: %s: the connection broke or the server was "
                            "silent for %d ms: %s",
                            store->place, what, store->timeout_ms, reason->message);
    case MONGOC_ERROR_CLIENT:
        if (reason->code == MONGOC_ERROR_CLIENT_AUTHENTICATE) {
            return ir_error_set(error, IR_ERR_AUTH, IR_TEXT_MONGODB_LOGIN, store->place, what,
                                reason->message);
        }
        break;
    default:
        break;
    }
    return ir_error_set(error, IR_ERR_IO, "documents mongodb %s: %s: %s (%u)", store->place, what,
                        reason->message, reason->code);
}

/* ---- opening ---- */

static void start_library(void) {
    mongoc_init();
    /* Turns off the library's log: everything relevant is returned as an error. */
    mongoc_log_set_handler(NULL, NULL);
    atexit(mongoc_cleanup);
}

static void set_default(mongoc_uri_t *uri, const char *option, int value) {
    if (!mongoc_uri_has_option(uri, option)) {
        mongoc_uri_set_option_as_int32(uri, option, value);
    }
}

static ir_status_t make_uri(const ir_documents_options_t *options, int timeout_ms,
                            mongoc_uri_t **made, ir_error_t *error) {
    bson_error_t reason;
    mongoc_uri_t *uri = mongoc_uri_new_with_error(options->uri, &reason);
    if (uri == NULL) {
        /* The library's text may contain the URI with its password, so this text only says where
         * the fault is. */
        return ir_error_set(error, IR_ERR_USAGE,
                            "documents: the MongoDB URI is wrong (%s); write "
                            "mongodb://[USER@]HOST[:PORT][,HOST…]/DATABASE[?OPTIONS]",
                            strstr(reason.message, "://") == NULL ? reason.message : "syntax");
    }
    if (options->password != NULL) {
        if (mongoc_uri_get_username(uri) == NULL) {
            mongoc_uri_destroy(uri);
            return ir_error_set(error, IR_ERR_USAGE,
                                "documents: documents-password is set, but the MongoDB URI names "
                                "no user: write mongodb://USER@HOST/DATABASE");
        }
        mongoc_uri_set_password(uri, options->password);
    }
    set_default(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, timeout_ms);
    set_default(uri, MONGOC_URI_CONNECTTIMEOUTMS, timeout_ms);
    set_default(uri, MONGOC_URI_SOCKETTIMEOUTMS, timeout_ms);
    *made = uri;
    return IR_OK;
}

static void name_place(ir_mongodb_t *store) {
    size_t size = 0;
    for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(store->uri);
         host != NULL && size < sizeof store->place; host = host->next) {
        size += (size_t)snprintf(store->place + size, sizeof store->place - size, "%s%s",
                                 size > 0 ? "," : "", host->host_and_port);
    }
    if (size < sizeof store->place) {
        snprintf(store->place + size, sizeof store->place - size, "/%s", store->database);
    }
}

static void mongodb_close(void *context) {
    ir_mongodb_t *store = context;
    if (store == NULL) {
        return;
    }
    if (store->client != NULL) {
        mongoc_client_destroy(store->client);
    }
    if (store->uri != NULL) {
        mongoc_uri_destroy(store->uri);
    }
    free(store->database);
    free(store);
}

/* The library calls this when the client has sent the command "hello" to a server: after
 * connecting, and about once a minute. */
static void see_server(const mongoc_apm_server_heartbeat_succeeded_t *event) {
    ir_mongodb_t *store = mongoc_apm_server_heartbeat_succeeded_get_context(event);
    store->doubtful = true;
    store->routed = ir_mongodb_is_router(mongoc_apm_server_heartbeat_succeeded_get_reply(event));
}

static void watch_connections(ir_mongodb_t *store) {
    mongoc_apm_callbacks_t *callbacks = mongoc_apm_callbacks_new();
    mongoc_apm_set_server_heartbeat_succeeded_cb(callbacks, see_server);
    mongoc_client_set_apm_callbacks(store->client, callbacks, store);
    mongoc_apm_callbacks_destroy(callbacks);
}

ir_status_t ir_mongodb_make_client(ir_mongodb_t *store, ir_error_t *error) {
    bson_error_t reason;
    if (store->client != NULL) {
        mongoc_client_destroy(store->client);
    }
    store->client = mongoc_client_new_from_uri_with_error(store->uri, &reason);
    if (store->client == NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "documents: the MongoDB URI cannot be used: %s",
                            reason.message);
    }
    mongoc_client_set_error_api(store->client, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_set_appname(store->client, "ir");
    watch_connections(store);
    mongoc_write_concern_t *durable = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(durable, store->timeout_ms);
    mongoc_write_concern_set_journal(durable, true);
    mongoc_client_set_write_concern(store->client, durable);
    mongoc_write_concern_destroy(durable);
    return IR_OK;
}

static ir_status_t mongodb_open(const ir_documents_options_t *options, void **made,
                                ir_error_t *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_library);
    ir_mongodb_t *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory");
    }
    const int64_t timeout_ms = options->timeout_ns / IR_MILLISECOND_NS;
    store->timeout_ms = timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX;
    ir_status_t status = make_uri(options, store->timeout_ms, &store->uri, error);
    if (status == IR_OK) {
        const char *database = mongoc_uri_get_database(store->uri);
        store->database = strdup(database != NULL ? database : DEFAULT_DATABASE);
        status = store->database != NULL
                     ? ir_mongodb_make_client(store, error)
                     : ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory");
    }
    if (status != IR_OK) {
        mongodb_close(store);
        return status;
    }
    store->shards = options->shards;
    store->earlier = options->earlier;
    name_place(store);
    *made = store;
    return IR_OK;
}

/* ---- ready ---- */

bool ir_mongodb_command(mongoc_client_t *client, const char *database, bson_t *command,
                        bson_t *reply, bson_error_t *reason) {
    const bool good = mongoc_client_command_simple(client, database, command, NULL, reply, reason);
    bson_destroy(command);
    return good;
}

static ir_status_t mongodb_ready(void *context, ir_error_t *error) {
    const ir_mongodb_t *store = context;
    bson_error_t reason;
    if (!ir_mongodb_command(store->client, store->database, BCON_NEW("ping", BCON_INT32(1)), NULL,
                            &reason)) {
        return ir_mongodb_failed(store, &reason, "not ready", error);
    }
    return ir_mongodb_check_schema(store, error);
}

const ir_documents_backend_t ir_documents_mongodb = {
    .scheme = {"mongodb://HOST/DATABASE", prefixes},
    .open = mongodb_open,
    .close = mongodb_close,
    .initiate = ir_mongodb_initiate,
    .grant = ir_mongodb_grant,
    .init = ir_mongodb_init,
    .ready = mongodb_ready,
    .present = ir_mongodb_present,
    .probe = ir_mongodb_probe,
    .put = ir_mongodb_put,
    .arrivals = ir_mongodb_arrivals,
    .recent = ir_mongodb_recent,
    .count = ir_mongodb_count,
    .purge = ir_mongodb_purge,
    .save = ir_mongodb_save,
    .load = ir_mongodb_load,
    .each = ir_mongodb_each,
    .each_raw = ir_mongodb_each_raw,
    .each_outcome = ir_mongodb_each_outcome,
    .drop = ir_mongodb_drop,
    .each_sensor = ir_mongodb_each_sensor,
    .each_observation = ir_mongodb_each_observation,
    .each_revision = ir_mongodb_each_revision,
    .each_selected = ir_mongodb_each_selected,
    .last = ir_mongodb_last,
    .revisions_from = ir_mongodb_revisions_from,
};
