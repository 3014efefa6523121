#include "common/clock.h"
#include "common/messages.h"
#include "store/documents/mongodb/mongodb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CODE_ALREADY_INITIALIZED 23
#define CODE_INDEX_NOT_FOUND 27
#define CODE_INVALID_REPLICA_SET_CONFIG 93

/* ---- a replica set ---- */

static bool says_true(const bson_t *reply, const char *key) {
    bson_iter_t found;
    return bson_iter_init_find(&found, reply, key) && bson_iter_as_bool(&found);
}

/* Whether a member was started as part of a replica set that is not initiated yet. */
static bool awaits_initiation(mongoc_client_t *member, bool *waits, bson_error_t *reason) {
    bson_t reply;
    const bool good =
        ir_mongodb_command(member, "admin", BCON_NEW("hello", BCON_INT32(1)), &reply, reason);
    *waits = good && says_true(&reply, "isreplicaset");
    bson_destroy(&reply);
    return good;
}

static bson_t *initiation(const mongoc_uri_t *uri, bool config_servers) {
    bson_t *command = bson_new();
    bson_t set, members, member;
    char key[16];
    int32_t n = 0;
    BSON_APPEND_DOCUMENT_BEGIN(command, "replSetInitiate", &set);
    BSON_APPEND_UTF8(&set, "_id", mongoc_uri_get_replica_set(uri));
    if (config_servers) {
        BSON_APPEND_BOOL(&set, "configsvr", true);
    }
    BSON_APPEND_ARRAY_BEGIN(&set, "members", &members);
    for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri); host != NULL;
         host = host->next) {
        snprintf(key, sizeof key, "%d", (int)n);
        BSON_APPEND_DOCUMENT_BEGIN(&members, key, &member);
        BSON_APPEND_INT32(&member, "_id", n++);
        BSON_APPEND_UTF8(&member, "host", host->host_and_port);
        bson_append_document_end(&members, &member);
    }
    bson_append_array_end(&set, &members);
    bson_append_document_end(command, &set);
    return command;
}

/* Another process may have initiated the set meanwhile. A set of config servers must be initiated
 * as such. */
static bool initiate(mongoc_client_t *member, const mongoc_uri_t *uri, bson_error_t *reason) {
    bool good = ir_mongodb_command(member, "admin", initiation(uri, false), NULL, reason);
    if (!good && reason->code == CODE_INVALID_REPLICA_SET_CONFIG) {
        good = ir_mongodb_command(member, "admin", initiation(uri, true), NULL, reason);
    }
    return good || reason->code == CODE_ALREADY_INITIALIZED;
}

/* Appends the options of a query ("a=1&b=2"), except the name of the set. With this name, the
 * client would not choose a member that does not belong to a set yet. */
static void append_options(ir_buffer_t *out, const char *query) {
    static const char set_name[] = "replicaSet=";
    while (*query != '\0') {
        const size_t size = strcspn(query, "&");
        if (strncasecmp(query, set_name, sizeof set_name - 1) != 0) {
            ir_buffer_append_char(out, '&');
            ir_buffer_append(out, query, size);
        }
        query += size + (query[size] == '&');
    }
}

/* The store's URI (mongodb://[USER@]HOST[,HOST…][/DB][?OPTIONS]) reduced to its first host; login,
 * TLS and all other options are the same. Returns NULL when memory is exhausted. */
static mongoc_uri_t *first_host(const mongoc_uri_t *uri) {
    const char *text = mongoc_uri_get_string(uri);
    const char *authority = strstr(text, "://") + 3;
    const size_t size = strcspn(authority, "/?");
    const char *path = authority + size;
    const size_t path_size = strcspn(path, "?");
    const char *at = memrchr(authority, '@', size);
    const char *host = at != NULL ? at + 1 : authority;
    ir_buffer_t out;
    ir_buffer_init(&out);
    ir_buffer_append(&out, text, (size_t)(host - text) + strcspn(host, ",/?"));
    ir_buffer_append(&out, path_size > 0 ? path : "/", path_size > 0 ? path_size : 1);
    ir_buffer_append_text(&out, "?" MONGOC_URI_DIRECTCONNECTION "=true");
    append_options(&out, path[path_size] == '?' ? path + path_size + 1 : "");
    ir_buffer_append_char(&out, '\0');
    mongoc_uri_t *made = ir_buffer_ok(&out) ? mongoc_uri_new(out.data) : NULL;
    ir_buffer_free(&out);
    return made;
}

/* Makes a client for the first host, because the set has no primary yet. */
static mongoc_client_t *first_member(const ir_mongodb_t *store) {
    mongoc_uri_t *uri = first_host(store->uri);
    if (uri == NULL) {
        return NULL;
    }
    if (mongoc_uri_get_password(store->uri) != NULL) { /* the name of the set was not in the URI's
                                                        * text */
        mongoc_uri_set_password(uri, mongoc_uri_get_password(store->uri));
    }
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, store->timeout_ms);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, store->timeout_ms);
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);
    mongoc_uri_destroy(uri);
    if (client != NULL) {
        mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    }
    return client;
}

static ir_status_t make_set(ir_mongodb_t *store, mongoc_client_t *member, ir_error_t *error) {
    bson_error_t reason;
    bool waits = false;
    const bool good = awaits_initiation(member, &waits, &reason) &&
                      (!waits || initiate(member, store->uri, &reason));
    return good ? IR_OK
                : ir_mongodb_failed(store, &reason, "cannot initiate the replica set", error);
}

/* After the set was initiated, its members elect a primary. The client asks repeatedly until there
 * is one. */
static ir_status_t await_primary(ir_mongodb_t *store, ir_error_t *error) {
    bson_error_t reason;
    mongoc_uri_set_option_as_bool(store->uri, MONGOC_URI_SERVERSELECTIONTRYONCE, false);
    const ir_status_t status = ir_mongodb_make_client(store, error);
    if (status != IR_OK) {
        return status;
    }
    mongoc_server_description_t *primary =
        mongoc_client_select_server(store->client, true, NULL, &reason);
    if (primary == NULL) {
        return ir_mongodb_failed(store, &reason, "the replica set has no primary", error);
    }
    mongoc_server_description_destroy(primary);
    return IR_OK;
}

/* Whether the set exists and works. Some members may be down, even the first host of the URI. */
static bool has_primary(const ir_mongodb_t *store) {
    bson_error_t reason;
    mongoc_server_description_t *primary =
        mongoc_client_select_server(store->client, true, NULL, &reason);
    const bool found = primary != NULL;
    if (found) {
        mongoc_server_description_destroy(primary);
    }
    return found;
}

ir_status_t ir_mongodb_initiate(void *context, ir_error_t *error) {
    ir_mongodb_t *store = context;
    if (mongoc_uri_get_replica_set(store->uri) == NULL || has_primary(store)) {
        return IR_OK;
    }
    mongoc_client_t *member = first_member(store);
    if (member == NULL) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "documents mongodb %s: no client for the first host alone",
                            store->place);
    }
    ir_status_t status = make_set(store, member, error);
    mongoc_client_destroy(member);
    return status == IR_OK ? await_primary(store, error) : status;
}

/* ---- the schema ---- */

static bool has_name(char **names, const char *name) {
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

static ir_status_t read_version(void *context, const bson_t *document) {
    *(int64_t *)context = ir_mongodb_read_int(document, "version");
    return IR_OK;
}

/* The database came back empty, and before a worker noticed this, it wrote one of our documents. */
static ir_status_t see_document(void *context, const bson_t *document) {
    ir_id_t id;
    *(bool *)context =
        !ir_mongodb_read_id(document, "_id", &id) || ir_id_version(&id) != IR_ID_VERSION;
    return IR_OK;
}

static ir_status_t has_earlier(const ir_mongodb_t *store, const char *collection, bool *has,
                               ir_error_t *error) {
    return *has ? IR_OK
                : ir_mongodb_walk(store, collection, bson_new(),
                                  BCON_NEW("limit", BCON_INT64(1), "projection", "{", "_id",
                                           BCON_INT32(1), "}"),
                                  see_document, has, error);
}

/* A store without a version is empty, or was made before versions existed. */
static ir_status_t check_unversioned(const ir_mongodb_t *store, ir_error_t *error) {
    bool used = false;
    ir_status_t status = has_earlier(store, IR_MONGODB_RAW, &used, error);
    if (status == IR_OK) {
        status = has_earlier(store, IR_MONGODB_OBSERVATIONS, &used, error);
    }
    if (status == IR_OK && used && !store->earlier) {
        status =
            ir_error_set(error, IR_ERR_PROTOCOL, "documents mongodb %s: " IR_TEXT_EARLIER_RELEASE,
                         store->place, "mongodb://", store->place);
    } else if (status == IR_OK && !used) {
        status = ir_error_set(error, IR_ERR_NOT_FOUND, "documents mongodb %s: " IR_TEXT_NOT_SET_UP,
                              store->place);
    }
    return status;
}

static ir_status_t check_collections(const ir_mongodb_t *store, ir_error_t *error) {
    bson_error_t reason;
    mongoc_database_t *database = mongoc_client_get_database(store->client, store->database);
    char **names = mongoc_database_get_collection_names_with_opts(database, NULL, &reason);
    mongoc_database_destroy(database);
    if (names == NULL) {
        return ir_mongodb_failed(store, &reason, "not ready", error);
    }
    bool good = true;
    for (const char *const *name = ir_mongodb_collections; *name != NULL; name++) {
        good = good && has_name(names, *name);
    }
    bson_strfreev(names);
    return good ? IR_OK
                : ir_error_set(error, IR_ERR_NOT_FOUND, "documents mongodb %s: " IR_TEXT_NOT_SET_UP,
                               store->place);
}

ir_status_t ir_mongodb_check_schema(const ir_mongodb_t *store, ir_error_t *error) {
    int64_t version = 0;
    ir_status_t status =
        ir_mongodb_walk(store, IR_MONGODB_META, BCON_NEW("_id", BCON_UTF8("schema")), bson_new(),
                        read_version, &version, error);
    if (status != IR_OK) {
        return status;
    }
    if (version == 0) {
        return check_unversioned(store, error);
    }
    if (store->earlier) {
        return ir_error_set(
            error, IR_ERR_USAGE,
            "documents mongodb %s: not a store of an earlier release, which --from needs",
            store->place);
    }
    if (version != IR_MONGODB_SCHEMA) {
        return ir_error_set(error, IR_ERR_PROTOCOL,
                            "documents mongodb %s: the database has schema version %lld, this "
                            "program has %d; use the program it was made with",
                            store->place, (long long)version, IR_MONGODB_SCHEMA);
    }
    return check_collections(store, error);
}

ir_status_t ir_mongodb_present(void *context, ir_error_t *error) {
    ir_mongodb_t *store = context;
    int64_t version = 0;
    const ir_status_t status =
        ir_mongodb_walk(store, IR_MONGODB_META, BCON_NEW("_id", BCON_UTF8("schema")), bson_new(),
                        read_version, &version, error);
    store->doubtful = status != IR_OK || version == 0;
    store->present_ns = ir_clock_monotonic();
    return status == IR_OK && version == 0
               ? ir_error_set(
                     error, IR_ERR_VANISHED,
                     "documents mongodb %s: the database is not the one that was set up, so the "
                     "server has lost its data or uses another directory now; restore the data "
                     "(ir-store restore), or run ir-store init to continue with an empty database",
                     store->place)
               : status;
}

bool ir_mongodb_note_schema(const ir_mongodb_t *store, bson_error_t *reason) {
    bson_t *key = BCON_NEW("_id", BCON_UTF8("schema"));
    bson_t *update = BCON_NEW("$set", "{", "version", BCON_INT32(IR_MONGODB_SCHEMA), "}");
    bson_t *options = BCON_NEW("upsert", BCON_BOOL(true));
    mongoc_collection_t *collection =
        mongoc_client_get_collection(store->client, store->database, IR_MONGODB_META);
    const bool good = mongoc_collection_update_one(collection, key, update, options, NULL, reason);
    mongoc_collection_destroy(collection);
    bson_destroy(options);
    bson_destroy(update);
    bson_destroy(key);
    return good;
}

/* ---- collections and indexes ---- */

static bool make_collection(const ir_mongodb_t *store, const char *name, bson_error_t *reason) {
    return ir_mongodb_command(store->client, store->database, BCON_NEW("create", BCON_UTF8(name)),
                              NULL, reason) ||
           reason->code == IR_MONGODB_NAMESPACE_EXISTS;
}

/* Makes an index; destroys `keys`. */
static bool make_index(const ir_mongodb_t *store, const char *collection, const char *name,
                       bson_t *keys, bson_error_t *reason) {
    bson_t *command = BCON_NEW("createIndexes", BCON_UTF8(collection), "indexes", "[", "{", "key",
                               BCON_DOCUMENT(keys), "name", BCON_UTF8(name), "}", "]");
    bson_destroy(keys);
    return ir_mongodb_command(store->client, store->database, command, NULL, reason);
}

static bool make_indexes(const ir_mongodb_t *store, bson_error_t *reason) {
    return make_index(store, IR_MONGODB_OBSERVATIONS, "series",
                      BCON_NEW("mote", BCON_INT32(1), "time", BCON_INT32(1), "time_ns",
                               BCON_INT32(1), "late", BCON_INT32(1), "sensor", BCON_INT32(1)),
                      reason) &&
           make_index(store, IR_MONGODB_RAW, "received",
                      BCON_NEW("received_ns", BCON_INT32(1), "_id", BCON_INT32(1)), reason) &&
           make_index(store, IR_MONGODB_OUTCOMES, "raw_at",
                      BCON_NEW("raw", BCON_INT32(1), "at_ns", BCON_INT32(1)), reason) &&
           make_index(store, IR_MONGODB_REVISIONS, "observation",
                      BCON_NEW("observation", BCON_INT32(1)), reason);
}

/* Drops the indexes of earlier releases: they slow every insert down, and no query uses them. */
static bool drop_indexes(const ir_mongodb_t *store, bson_error_t *reason) {
    static const char *const names[] = {"mote_time", "property_time", "sensor_time"};
    bool good = true;
    for (size_t i = 0; good && i < sizeof names / sizeof names[0]; i++) {
        good = ir_mongodb_command(store->client, store->database,
                                  BCON_NEW("dropIndexes", BCON_UTF8(IR_MONGODB_OBSERVATIONS),
                                           "index", BCON_UTF8(names[i])),
                                  NULL, reason) ||
               reason->code == CODE_INDEX_NOT_FOUND;
    }
    return good;
}

/* ---- shards ---- */

bool ir_mongodb_is_router(const bson_t *hello) {
    bson_iter_t found;
    return bson_iter_init_find(&found, hello, "msg") && BSON_ITER_HOLDS_UTF8(&found) &&
           strcmp(bson_iter_utf8(&found, NULL), "isdbgrid") == 0;
}

static bool on_mongos(const ir_mongodb_t *store, bool *mongos, bson_error_t *reason) {
    bson_t reply;
    const bool good = ir_mongodb_command(store->client, "admin", BCON_NEW("hello", BCON_INT32(1)),
                                         &reply, reason);
    *mongos = good && ir_mongodb_is_router(&reply);
    bson_destroy(&reply);
    return good;
}

/* If a collection is not empty, it must have an index on its shard key before it is sharded. */
static bool shard(const ir_mongodb_t *store, const char *collection, const char *second,
                  bson_error_t *reason) {
    char name[256];
    bson_t *keys = BCON_NEW("mote", BCON_UTF8("hashed"));
    snprintf(name, sizeof name, "%s.%s", store->database, collection);
    if (second != NULL) {
        BSON_APPEND_INT32(keys, second, 1);
    }
    bson_t *command = BCON_NEW("shardCollection", BCON_UTF8(name), "key", BCON_DOCUMENT(keys));
    if (!make_index(store, collection, "shard", keys, reason)) {
        bson_destroy(command);
        return false;
    }
    return ir_mongodb_command(store->client, "admin", command, NULL, reason);
}

static bool shard_all(const ir_mongodb_t *store, bson_error_t *reason) {
    bson_t *enable = BCON_NEW("enableSharding", BCON_UTF8(store->database));
    return ir_mongodb_command(store->client, "admin", enable, NULL, reason) &&
           shard(store, IR_MONGODB_RAW, NULL, reason) &&
           shard(store, IR_MONGODB_OUTCOMES, NULL, reason) &&
           shard(store, IR_MONGODB_OBSERVATIONS, "time", reason) &&
           shard(store, IR_MONGODB_REVISIONS, "time", reason);
}

/* Each entry is SET/HOST:PORT[,HOST:PORT…]. Adding an existing shard again changes nothing. */
static bool add_shards(const ir_mongodb_t *store, bson_error_t *reason) {
    char *words = strdup(store->shards != NULL ? store->shards : "");
    char *rest = NULL;
    bool good = words != NULL;
    for (char *word = good ? strtok_r(words, " ", &rest) : NULL; good && word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        bson_t *command = BCON_NEW("addShard", BCON_UTF8(word));
        good = ir_mongodb_command(store->client, "admin", command, NULL, reason);
    }
    free(words);
    return good;
}

/* ---- the whole set-up ---- */

static bool set_up(const ir_mongodb_t *store, bool mongos, bson_error_t *reason) {
    bool good = !mongos || add_shards(store, reason);
    for (const char *const *name = ir_mongodb_collections; good && *name != NULL; name++) {
        good = make_collection(store, *name, reason);
    }
    return good && make_indexes(store, reason) && drop_indexes(store, reason) &&
           (!mongos || shard_all(store, reason)) && ir_mongodb_make_view(store, reason);
}

ir_status_t ir_mongodb_prepare(const ir_mongodb_t *store, ir_error_t *error) {
    bson_error_t reason = {0};
    bool mongos = false;
    if (!on_mongos(store, &mongos, &reason)) {
        return ir_mongodb_failed(store, &reason, "cannot set up", error);
    }
    if (!mongos && store->shards != NULL) {
        return ir_error_set(
            error, IR_ERR_USAGE,
            "documents mongodb %s: shards are given, but the URI does not lead to a mongos",
            store->place);
    }
    ir_error_t schema = {.status = IR_OK};
    const ir_status_t status = ir_mongodb_check_schema(store, &schema);
    if (status != IR_OK && status != IR_ERR_NOT_FOUND) {
        return ir_error_set(error, status, "%s", schema.text);
    }
    return set_up(store, mongos, &reason)
               ? IR_OK
               : ir_mongodb_failed(store, &reason, "cannot set up", error);
}

ir_status_t ir_mongodb_init(void *context, ir_error_t *error) {
    const ir_mongodb_t *store = context;
    bson_error_t reason = {0};
    const ir_status_t status = ir_mongodb_prepare(store, error);
    return status == IR_OK && !ir_mongodb_note_schema(store, &reason)
               ? ir_mongodb_failed(store, &reason, "cannot set up", error)
               : status;
}
