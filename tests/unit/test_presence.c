/* Files are removed, moved, replaced or overwritten while they are open. Data not stored in the
 * file at the path are not acknowledged. The fault is reported once, and work continues when the
 * right file is back or a new one is set up. */
#include "common/clock.h"
#include "store/documents/documents.h"
#include "store/graph/graph.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define REGISTRY "loadgen/usgs_river.ttl"
#define START_NS (INT64_C(1304222400) * IR_SECOND_NS)
#define BODY "[{\"n\":\"x\",\"v\":1}]"

typedef struct ir_place {
    char directory[64], uri[128], graph_uri[128];
    ir_mote_t mote;
    ir_property_t property;
    ir_feature_t feature;
    ir_sensor_t sensor;
    ir_message_t message;
    ir_observation_t observation;
    ir_batch_t *batch;
    ir_documents_t *documents;
    ir_graph_t *graph;
    ir_registry_t *registry;
    ir_error_t error;
} ir_place_t;

/* ---- stores ---- */

static ir_documents_t *open_documents(ir_place_t *place) {
    const ir_documents_options_t options = {.uri = place->uri, .timeout_ns = IR_SECOND_NS};
    ir_documents_t *documents = NULL;
    assert_int_equal(ir_documents_open(&options, &documents, &place->error), IR_OK);
    return documents;
}

static ir_graph_t *open_graph(ir_place_t *place) {
    const ir_graph_options_t options = {.uris = place->graph_uri,
                                        .writer = "w",
                                        .timeout_ns = IR_SECOND_NS,
                                        .format = {.base_iri = "http://e.example/id/"}};
    ir_graph_t *graph = NULL;
    assert_int_equal(ir_graph_open(&options, &graph, &place->error), IR_OK);
    return graph;
}

/* Acts like another program: ir-store init. */
static void set_up_stores(ir_place_t *place) {
    ir_documents_t *documents = open_documents(place);
    ir_graph_t *graph = open_graph(place);
    assert_int_equal(ir_documents_init(documents, &place->error), IR_OK);
    assert_int_equal(ir_graph_init(graph, place->registry, &place->error), IR_OK);
    ir_documents_close(documents);
    ir_graph_close(graph);
}

/* Runs a shell command in the test's directory. */
static void shell(const ir_place_t *place, const char *command) {
    char line[512];
    snprintf(line, sizeof line, "cd %s && %s", place->directory, command);
    assert_int_equal(system(line), 0);
}

static int set_up(void **state) {
    ir_place_t *place = calloc(1, sizeof *place);
    strcpy(place->directory, "/tmp/test_presence.XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->uri, sizeof place->uri, "sqlite:%s/now/d.sqlite", place->directory);
    snprintf(place->graph_uri, sizeof place->graph_uri, "nquads:%s/now/graph", place->directory);
    shell(place, "mkdir first && ln -s first now");
    place->mote = (ir_mote_t){.id = "m", .iri = "http://e.example/m", .label = ""};
    place->property = (ir_property_t){.iri = "http://e.example/p", .label = "", .key = "p"};
    place->feature = (ir_feature_t){.iri = "http://e.example/f", .label = ""};
    place->sensor = (ir_sensor_t){.name = "m/t",
                                  .iri = "http://e.example/t",
                                  .label = "",
                                  .mote = &place->mote,
                                  .property = &place->property,
                                  .feature = &place->feature};
    place->batch = ir_batch_new(NULL);
    place->batch->messages = &place->message;
    place->batch->observations = &place->observation;
    place->batch->n_messages = place->batch->n_observations = 1;
    assert_int_equal(ir_registry_load(REGISTRY, &place->registry, NULL, &place->error), IR_OK);
    set_up_stores(place);
    place->documents = open_documents(place);
    place->graph = open_graph(place);
    *state = place;
    return 0;
}

static int tear_down(void **state) {
    ir_place_t *place = *state;
    ir_documents_close(place->documents);
    ir_graph_close(place->graph);
    ir_registry_unref(place->registry);
    place->batch->messages = NULL;
    place->batch->observations = NULL;
    ir_batch_free(place->batch);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", place->directory);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

/* Fills the batch with message and observation number n. */
static void fill(ir_place_t *place, int n) {
    const ir_value_t value = {.kind = IR_VALUE_NUMBER, .number = n};
    place->message = (ir_message_t){.routing_key = ir_view_text("ir.m"),
                                    .mote = ir_view_text("m"),
                                    .content_type = ir_view_text("application/senml+json"),
                                    .body = ir_view_text(BODY),
                                    .arrival_ns = START_NS,
                                    .n_observations = 1};
    memcpy(place->message.raw_id.bytes + 12, &n, sizeof n);
    place->observation = (ir_observation_t){.sensor = &place->sensor,
                                            .time_ns = START_NS + n * IR_SECOND_NS,
                                            .value = value,
                                            .source_value = value,
                                            .flags = {1, 1, 1, 1, 1},
                                            .aggregate = 1};
    place->observation.id = place->message.raw_id;
    place->observation.id.bytes[0] = 'o';
}

static ir_outcome_t put_documents(ir_place_t *place) {
    return ir_documents_put(place->documents, place->batch, &place->error);
}

static ir_outcome_t put_graph(ir_place_t *place) {
    return ir_graph_put(place->graph, place->batch, &place->error);
}

/* ---- what can happen to files, and the expected reaction ---- */

typedef struct ir_accident {
    const char *name, *command;
    ir_status_t status; /* expected status of the first put */
    const char *says;   /* part of the error's text */
    ir_status_t then;   /* expected status of the next put; OK: the store has recovered by itself */
    const char *mend;   /* a command, or NULL: nothing */
    bool new_store;     /* set up after that */
    int kept;           /* how many of the two messages stored before are left */
} ir_accident_t;

static const ir_accident_t of_documents[] = {
    {"removed", "rm now/d.sqlite", IR_ERR_VANISHED, "removed", IR_ERR_NOT_FOUND, NULL, true, 0},
    {"all removed", "rm now/d.sqlite*", IR_ERR_VANISHED, "2 messages", IR_ERR_NOT_FOUND, NULL, true,
     0},
    {"moved and back", "mv now/d.sqlite away", IR_ERR_VANISHED, "moved", IR_ERR_NOT_FOUND,
     "mv away now/d.sqlite", false, 2},
    {"moved, its log lost, and back", "mv now/d.sqlite away", IR_ERR_VANISHED, "moved",
     IR_ERR_NOT_FOUND, "rm -f now/d.sqlite-*; mv away now/d.sqlite", false, 2},
    {"folder moved and back", "mv first second", IR_ERR_VANISHED, "moved", IR_ERR_NOT_FOUND,
     "mv second first", false, 2},
    {"folder removed", "rm -r first", IR_ERR_VANISHED, "removed", IR_ERR_NOT_FOUND, "mkdir first",
     true, 0},
    {"replaced by another", "cp other/d.sqlite new && mv new now/d.sqlite", IR_ERR_VANISHED,
     "replaced", IR_OK, NULL, false, 0},
    {"replaced by nothing", "rm now/d.sqlite* && touch now/d.sqlite", IR_ERR_VANISHED, "replaced",
     IR_ERR_NOT_FOUND, NULL, true, 0},
    {"link turned", "ln -sfn other now", IR_ERR_VANISHED, "replaced", IR_OK, NULL, false, 0},
    {"written over", "cat other/d.sqlite > now/d.sqlite", IR_ERR_VANISHED, "written over",
     IR_ERR_PROTOCOL, "rm now/d.sqlite*", true, 0},
    {"cut off", "truncate -s 0 now/d.sqlite", IR_ERR_VANISHED, "cut off", IR_ERR_PROTOCOL,
     "rm now/d.sqlite*", true, 0},
    {"cut in the middle", "truncate -s 8192 now/d.sqlite", IR_ERR_VANISHED, "cut off",
     IR_ERR_PROTOCOL, "rm now/d.sqlite*", true, 0},
    {"log removed", "rm now/d.sqlite-wal", IR_ERR_IO, "nothing is lost", IR_OK, NULL, false, 2},
    {"index removed", "rm now/d.sqlite-shm", IR_ERR_IO, "nothing is lost", IR_OK, NULL, false, 2},
    {"both removed", "rm now/d.sqlite-*", IR_ERR_IO, "nothing is lost", IR_OK, NULL, false, 2},
    {"log replaced", "rm now/d.sqlite-wal && touch now/d.sqlite-wal", IR_ERR_IO, "nothing is lost",
     IR_OK, NULL, false, 2},
};

static const ir_accident_t of_graph[] = {
    {"folder removed", "rm -r now/graph", IR_ERR_VANISHED, "2 observations", IR_ERR_NOT_FOUND, NULL,
     true, 0},
    {"folder moved and back", "mv now/graph away", IR_ERR_VANISHED, "moved", IR_ERR_NOT_FOUND,
     "mv away now/graph", false, 2},
    {"folder created again", "rm -r now/graph && mkdir now/graph", IR_ERR_VANISHED, "replaced",
     IR_ERR_NOT_FOUND, NULL, true, 0},
    {"link turned", "ln -sfn other now", IR_ERR_VANISHED, "replaced", IR_OK, NULL, false, 0},
    {"segment removed", "rm now/graph/*.open", IR_ERR_VANISHED, "removed", IR_OK, NULL, false, 0},
    {"segment replaced", "cp now/graph/*.open new && mv new now/graph/w-00000001.nq.open",
     IR_ERR_VANISHED, "replaced", IR_OK, NULL, false, 2},
    {"segment cut off", "truncate -s 0 now/graph/*.open", IR_ERR_VANISHED, "cut off", IR_OK, NULL,
     false, 0},
    {"claims removed", "rm now/graph/claims", IR_ERR_VANISHED, "claims", IR_OK, NULL, false, 2},
    {"lock removed", "rm now/graph/lock", IR_ERR_VANISHED, "lock", IR_OK, NULL, false, 2},
};

/* Another place with stores of the same kind that hold one message. */
static void make_other(ir_place_t *place) {
    shell(place, "mkdir other && ln -sfn other now");
    set_up_stores(place);
    ir_documents_t *documents = open_documents(place);
    fill(place, 100);
    assert_int_equal(ir_documents_put(documents, place->batch, &place->error), IR_OUTCOME_OK);
    ir_documents_close(documents);
    shell(place, "ln -sfn first now");
}

static uint64_t count_documents(ir_place_t *place) {
    ir_documents_t *documents = open_documents(place);
    ir_documents_counts_t counts = {0};
    assert_int_equal(ir_documents_count(documents, &counts, &place->error), IR_OK);
    ir_documents_close(documents);
    return counts.raw;
}

static uint64_t count_graph(ir_place_t *place) {
    ir_graph_t *graph = open_graph(place);
    uint64_t observations = 0;
    uint64_t triples = 0;
    assert_int_equal(ir_graph_count(graph, &observations, &triples, &place->error), IR_OK);
    ir_graph_close(graph);
    return observations;
}

typedef struct ir_store_kind {
    ir_outcome_t (*put)(ir_place_t *place);
    ir_status_t (*present)(ir_place_t *place);
    uint64_t (*count)(ir_place_t *place);
} ir_store_kind_t;

static ir_status_t documents_present(ir_place_t *place) {
    return ir_documents_present(place->documents, &place->error);
}

static ir_status_t graph_present(ir_place_t *place) {
    return ir_graph_present(place->graph, &place->error);
}

static const ir_store_kind_t documents_kind = {put_documents, documents_present, count_documents};
static const ir_store_kind_t graph_kind = {put_graph, graph_present, count_graph};

static void expect(ir_place_t *place, const ir_accident_t *accident, ir_status_t found,
                   ir_status_t wanted) {
    if (found != wanted) {
        fail_msg("%s: %s, not %s: %s", accident->name, ir_status_text(found),
                 ir_status_text(wanted), place->error.text);
    }
}

/* Returns the status of a put or, with `idle`, of a check. */
static ir_status_t attempt(ir_place_t *place, const ir_store_kind_t *kind, bool idle) {
    if (idle) {
        return kind->present(place);
    }
    return kind->put(place) == IR_OUTCOME_OK ? IR_OK : place->error.status;
}

static void suffer(const ir_accident_t *accident, const ir_store_kind_t *kind, bool idle) {
    void *state = NULL;
    set_up(&state);
    ir_place_t *place = state;
    make_other(place);
    for (int n = 1; n <= 2; n++) {
        fill(place, n);
        assert_int_equal(kind->put(place), IR_OUTCOME_OK);
    }
    const uint64_t others = kind == &documents_kind && strstr(accident->command, "other") != NULL;
    shell(place, accident->command);
    fill(place, 3);
    expect(place, accident, attempt(place, kind, idle), accident->status);
    if (strstr(place->error.text, accident->says) == NULL ||
        strstr(place->error.text, place->directory) == NULL) {
        fail_msg("%s: says: %s", accident->name, place->error.text);
    }
    if (accident->then != IR_OK) {
        expect(place, accident, attempt(place, kind, idle), accident->then);
    }
    if (accident->mend != NULL) {
        shell(place, accident->mend);
    }
    if (accident->new_store) {
        set_up_stores(place);
    }
    expect(place, accident, attempt(place, kind, idle), IR_OK);
    expect(place, accident, attempt(place, kind, false), IR_OK);
    const bool other = others > 0 && !accident->new_store;
    const uint64_t found = kind->count(place);
    if (found != (uint64_t)accident->kept + 1 + (other ? 1 : 0)) {
        fail_msg("%s: %d are there", accident->name, (int)found);
    }
    tear_down(&state);
}

static void test_documents(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof of_documents / sizeof of_documents[0]; i++) {
        suffer(&of_documents[i], &documents_kind, false);
        suffer(&of_documents[i], &documents_kind, true);
    }
}

static void test_graph(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof of_graph / sizeof of_graph[0]; i++) {
        suffer(&of_graph[i], &graph_kind, false);
        suffer(&of_graph[i], &graph_kind, true);
    }
}

/* Another program changes the database in ways that SQLite allows. This must not be reported as a
 * fault. */
static void test_no_false_alarm(void **state) {
    ir_place_t *place = *state;
    static const char *const commands[] = {
        "PRAGMA wal_checkpoint(TRUNCATE)",
        ("CREATE TABLE more AS WITH RECURSIVE n(i) AS "
         "(SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i, randomblob(200) FROM n"),
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "DROP TABLE more",
        "VACUUM",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "REINDEX",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    char path[128];
    snprintf(path, sizeof path, "%s/now/d.sqlite", place->directory);
    for (int i = 0; i < (int)(sizeof commands / sizeof commands[0]); i++) {
        fill(place, i);
        assert_int_equal(put_documents(place), IR_OUTCOME_OK);
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        sqlite3_busy_timeout(db, 1000);
        assert_int_equal(sqlite3_exec(db, commands[i], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        assert_int_equal(documents_present(place), IR_OK);
    }
    set_up_stores(place);
    fill(place, 50);
    assert_int_equal(put_documents(place), IR_OUTCOME_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_graph),
        cmocka_unit_test_setup_teardown(test_no_false_alarm, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
