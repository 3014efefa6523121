/* Measures MongoDB with single documents: bench_mongodb insert|find|update URI COUNT CLIENTS.
 * CLIENTS threads with one connection each insert COUNT documents of an observation's size (write
 * concern majority and journal, as in the worker), find each by its id, or update one field of
 * each. Prints one JSON object: operations, seconds, and the program's own processor time. */
#include "common/clock.h"

#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLLECTION "bench"
#define CLIENTS_MAX 64

typedef bool (*operation_fn)(mongoc_collection_t *collection, int32_t id, bson_error_t *error);

typedef struct bench {
    mongoc_uri_t *uri;
    operation_fn operation;
    unsigned long count;
    atomic_ulong next, done;
    atomic_bool failed;
} bench_t;

static void *fail(bench_t *bench, const char *text) {
    fprintf(stderr, "bench_mongodb: %s\n", text);
    atomic_store(&bench->failed, true);
    return NULL;
}

/* ---- operations ---- */

static bool insert(mongoc_collection_t *collection, int32_t id, bson_error_t *error) {
    bson_t *document = BCON_NEW(
        "_id", BCON_INT32(id), "mote", BCON_UTF8("USGS-08068500"), "sensor",
        BCON_UTF8("USGS-08068500/00010"), "property", BCON_UTF8("water-temperature"), "feature",
        BCON_UTF8("https://intelligent-river.example/id/feature/reach-08068500"), "time_ns",
        BCON_INT64(INT64_C(1320469200000000000) + id), "value", BCON_DOUBLE(18.7), "unit",
        BCON_UTF8("Cel"), "source", "{", "value", BCON_DOUBLE(18.7), "unit", BCON_UTF8("Cel"), "}",
        "aggregate", BCON_INT32(1), "quality", BCON_UTF8("good"));
    const bool good = mongoc_collection_insert_one(collection, document, NULL, NULL, error);
    bson_destroy(document);
    return good;
}

static bool find(mongoc_collection_t *collection, int32_t id, bson_error_t *error) {
    bson_t *filter = BCON_NEW("_id", BCON_INT32(id));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, filter, NULL, NULL);
    const bson_t *document = NULL;
    const bool found = mongoc_cursor_next(cursor, &document);
    if (!found && !mongoc_cursor_error(cursor, error)) {
        bson_set_error(error, MONGOC_ERROR_QUERY, 0, "document %d is not there", (int)id);
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    return found;
}

static bool update(mongoc_collection_t *collection, int32_t id, bson_error_t *error) {
    bson_t *filter = BCON_NEW("_id", BCON_INT32(id));
    bson_t *change = BCON_NEW("$set", "{", "aggregate", BCON_INT32(3), "}");
    const bool good = mongoc_collection_update_one(collection, filter, change, NULL, NULL, error);
    bson_destroy(filter);
    bson_destroy(change);
    return good;
}

static const struct {
    const char *name;
    operation_fn operation;
} operations[] = {{"insert", insert}, {"find", find}, {"update", update}};

static operation_fn operation_of(const char *name) {
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(operations[i].name, name) == 0) {
            return operations[i].operation;
        }
    }
    return NULL;
}

/* ---- the whole ---- */

static mongoc_client_t *connect_to(const mongoc_uri_t *uri) {
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);
    mongoc_write_concern_t *durable = mongoc_write_concern_new();
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    mongoc_write_concern_set_w(durable, MONGOC_WRITE_CONCERN_W_MAJORITY);
    mongoc_write_concern_set_journal(durable, true);
    mongoc_client_set_write_concern(client, durable);
    mongoc_write_concern_destroy(durable);
    return client;
}

static mongoc_collection_t *open_collection(mongoc_client_t *client, const mongoc_uri_t *uri) {
    return mongoc_client_get_collection(client, mongoc_uri_get_database(uri), COLLECTION);
}

static void *work(void *context) {
    bench_t *bench = context;
    mongoc_client_t *client = connect_to(bench->uri);
    mongoc_collection_t *collection = open_collection(client, bench->uri);
    bson_error_t error = {0};
    unsigned long id = 0;
    while ((id = atomic_fetch_add(&bench->next, 1)) < bench->count &&
           !atomic_load(&bench->failed)) {
        if (bench->operation(collection, (int32_t)id, &error)) {
            atomic_fetch_add(&bench->done, 1);
        } else {
            fail(bench, error.message);
        }
    }
    mongoc_collection_destroy(collection);
    mongoc_client_destroy(client);
    return NULL;
}

static void empty(const bench_t *bench) {
    mongoc_client_t *client = connect_to(bench->uri);
    mongoc_collection_t *collection = open_collection(client, bench->uri);
    mongoc_collection_drop(collection, NULL); /* fails the first time, because it does not exist */
    mongoc_collection_destroy(collection);
    mongoc_client_destroy(client);
}

static void run(bench_t *bench, unsigned long clients) {
    pthread_t threads[CLIENTS_MAX];
    unsigned long started = 0;
    for (; started < clients; started++) {
        if (pthread_create(&threads[started], NULL, work, bench) != 0) {
            fail(bench, "cannot start a thread");
            break;
        }
    }
    for (unsigned long i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
}

int main(int argc, char **argv) {
    const unsigned long clients = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    bench_t bench = {.operation = argc > 1 ? operation_of(argv[1]) : NULL,
                     .count = argc > 3 ? strtoul(argv[3], NULL, 10) : 0};
    if (bench.operation == NULL || bench.count == 0 || bench.count > INT32_MAX || clients == 0 ||
        clients > CLIENTS_MAX) {
        fprintf(stderr, "usage: bench_mongodb insert|find|update URI COUNT CLIENTS\n");
        return 2;
    }
    mongoc_init();
    bson_error_t error = {0};
    bench.uri = mongoc_uri_new_with_error(argv[2], &error);
    if (bench.uri == NULL) {
        fail(&bench, error.message);
        return 2;
    }
    if (bench.operation == insert) {
        empty(&bench);
    }
    const int64_t begun_ns = ir_clock_monotonic();
    const int64_t cpu_ns = ir_clock_process_cpu();
    run(&bench, clients);
    printf("{\"operations\": %lu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
           atomic_load(&bench.done), (double)(ir_clock_monotonic() - begun_ns) / 1e9,
           (double)(ir_clock_process_cpu() - cpu_ns) / 1e9);
    mongoc_uri_destroy(bench.uri);
    mongoc_cleanup();
    return atomic_load(&bench.failed) ? 1 : 0;
}
