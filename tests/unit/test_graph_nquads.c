#include "store/graph/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OBSERVATIONS 8

typedef struct place {
    char directory[64], uri[80];
    ir_mote_t motes[2];
    ir_property_t property;
    ir_feature_t feature;
    ir_sensor_t sensors[2];
    ir_message_t messages[OBSERVATIONS];
    ir_observation_t observations[OBSERVATIONS];
    ir_batch_t batch;
} place_t;

static int set_up(void **state) {
    place_t *place = calloc(1, sizeof *place);
    assert_non_null(place);
    strcpy(place->directory, "/tmp/test_graph.XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->uri, sizeof place->uri, "nquads:%s", place->directory);
    place->property.iri = "http://e.example/temperature";
    place->feature.iri = "http://e.example/river";
    static const char *const names[] = {"mote-a", "mote-b"};
    for (int i = 0; i < 2; i++) {
        place->motes[i].id = names[i];
        place->motes[i].iri = "http://e.example/mote";
        place->sensors[i] = (ir_sensor_t){.name = names[i],
                                          .iri = "http://e.example/sensor",
                                          .mote = &place->motes[i],
                                          .property = &place->property,
                                          .feature = &place->feature};
    }
    place->batch.messages = place->messages;
    place->batch.observations = place->observations;
    *state = place;
    return 0;
}

static int tear_down(void **state) {
    place_t *place = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", place->directory);
    assert_int_equal(system(command), 0);
    free(place->batch.store_refusals);
    free(place);
    return 0;
}

/* Makes a batch of observations, starting with number `first`. The number determines the series. */
static ir_batch_t *fill(place_t *place, uint32_t first, uint32_t count,
                        ir_observation_state_t observation_state) {
    for (uint32_t i = 0; i < count; i++) {
        ir_observation_t *observation = &place->observations[i];
        memset(observation, 0, sizeof *observation);
        observation->sensor = &place->sensors[(first + i) % 2];
        observation->time_ns = (int64_t)(first + i) * 1000000000;
        observation->value = (ir_value_t){.kind = IR_VALUE_NUMBER, .number = 1.5};
        observation->source_value = observation->value;
        memset(observation->flags, IR_FLAG_GOOD, sizeof observation->flags);
        observation->aggregate = IR_FLAG_GOOD;
        observation->message = i;
        observation->state = (uint8_t)observation_state;
        ir_id_observation(ir_view_text(observation->sensor->name), observation->time_ns,
                          &observation->value, &observation->id);
        place->messages[i] = (ir_message_t){.first_observation = i, .n_observations = 1};
    }
    place->batch.n_messages = place->batch.n_observations = count;
    return &place->batch;
}

static ir_graph_t *open_graph(const place_t *place, const char *uris, const char *writer,
                              int64_t segment_bytes) {
    const ir_graph_options_t options = {.uris = uris != NULL ? uris : place->uri,
                                        .writer = writer,
                                        .segment_bytes = segment_bytes,
                                        .timeout_ns = 2000000000,
                                        .format = {.base_iri = "http://e.example/id/"}};
    ir_graph_t *graph = NULL;
    ir_error_t error;
    if (ir_graph_open(&options, &graph, &error) != IR_OK) {
        fail_msg("%s", error.text);
    }
    return graph;
}

static void put(ir_graph_t *graph, ir_batch_t *batch) {
    ir_error_t error;
    if (ir_graph_put(graph, batch, &error) != IR_OUTCOME_OK) {
        fail_msg("%s", error.text);
    }
}

static ir_status_t count_id(void *context, const ir_id_t *id) {
    (void)id;
    ++*(uint64_t *)context;
    return IR_OK;
}

static uint64_t count(const place_t *place) {
    ir_graph_t *graph = open_graph(place, NULL, NULL, 0);
    uint64_t ids = 0;
    uint64_t observations = 0;
    uint64_t triples = 0;
    assert_int_equal(ir_graph_each_id(graph, IR_DOCUMENT_OBSERVATION, count_id, &ids, NULL), IR_OK);
    assert_int_equal(ir_graph_count(graph, &observations, &triples, NULL), IR_OK);
    assert_int_equal(ids, observations);
    ir_graph_close(graph);
    return ids;
}

/* A folder of an earlier release is not changed, and the error names the migration command. */
static void ids_of_the_old_kind_are_refused(void **state) {
    place_t *place = *state;
    ir_error_t error;
    ir_batch_t *batch = fill(place, 0, 2, IR_OBSERVATION_NEW);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t *version = &place->observations[i].id.bytes[6];
        *version = (*version & 0x0f) | 0x50;
    }
    ir_graph_t *graph = open_graph(place, NULL, "w", 0);
    assert_int_equal(ir_graph_ready(graph, &error), IR_OK);
    put(graph, batch);
    ir_graph_close(graph);
    graph = open_graph(place, NULL, "w", 0);
    assert_int_equal(ir_graph_ready(graph, &error), IR_ERR_PROTOCOL);
    assert_non_null(strstr(error.text, "ir-store reprocess --from"));
    assert_non_null(strstr(error.text, place->directory));
    ir_registry_t *registry = NULL;
    assert_int_equal(ir_registry_load("tests/data/annotate/lake.ttl", &registry, NULL, &error),
                     IR_OK);
    assert_int_equal(ir_graph_init(graph, registry, &error), IR_ERR_PROTOCOL);
    ir_registry_unref(registry);
    ir_graph_close(graph);
    char path[128];
    snprintf(path, sizeof path, "%s/registry.nq", place->directory);
    assert_int_equal(access(path, F_OK), -1);
}

static void writes_known_ones_once(void **state) {
    place_t *place = *state;
    ir_graph_t *graph = open_graph(place, NULL, "w", 0);
    put(graph, fill(place, 0, 8, IR_OBSERVATION_NEW));
    put(graph, fill(place, 4, 8, IR_OBSERVATION_DUPLICATE));
    assert_int_equal(count(place), 12);
    ir_graph_close(graph);
    graph = open_graph(place, NULL, "w", 0);
    put(graph, fill(place, 8, 8, IR_OBSERVATION_DUPLICATE));
    assert_int_equal(count(place), 16);
    ir_graph_close(graph);
}

static void finds_across_writers_and_segments(void **state) {
    place_t *place = *state;
    ir_graph_t *one = open_graph(place, NULL, "one", 1); /* every batch becomes a segment */
    ir_graph_t *two = open_graph(place, NULL, "two", 1);
    for (uint32_t i = 0; i < 5; i++) {
        put(i % 2 == 0 ? one : two, fill(place, i * 8, 8, IR_OBSERVATION_NEW));
    }
    for (uint32_t i = 0; i < 5; i++) {
        put(i % 2 == 0 ? two : one, fill(place, i * 8, 8, IR_OBSERVATION_DUPLICATE));
    }
    assert_int_equal(count(place), 40);
    ir_graph_close(one);
    ir_graph_close(two);
}

/* One writer considers an observation new. Before it writes, another one takes the observation
 * over, because the document store reports it as a duplicate. The first one must see this. */
static void late_writer_sees_the_claim(void **state) {
    place_t *place = *state;
    ir_graph_t *late = open_graph(place, NULL, "late", 0);
    ir_graph_t *taking = open_graph(place, NULL, "taking", 0);
    put(late, fill(place, 100, 2, IR_OBSERVATION_NEW));
    put(taking, fill(place, 0, 8, IR_OBSERVATION_DUPLICATE));
    put(late, fill(place, 4, 8, IR_OBSERVATION_NEW));
    assert_int_equal(count(place), 14);
    ir_graph_close(late);
    ir_graph_close(taking);
}

static void dead_writers_segment_is_taken_over(void **state) {
    place_t *place = *state;
    const pid_t child = fork();
    if (child == 0) {
        ir_graph_t *graph = open_graph(place, NULL, "dead", 0);
        put(graph, fill(place, 0, 8, IR_OBSERVATION_NEW));
        _exit(0); /* the writer dies: it does not close the store */
    }
    int code = -1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    char path[128];
    snprintf(path, sizeof path, "%s/dead-00000001.nq.open", place->directory);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs("<http://e.example/torn> <http://e.ex", file);
    assert_int_equal(fclose(file), 0);
    ir_graph_t *graph = open_graph(place, NULL, "next", 0);
    put(graph, fill(place, 4, 8, IR_OBSERVATION_DUPLICATE));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(count(place), 12);
    ir_graph_close(graph);
}

static void motes_keep_to_their_directory(void **state) {
    place_t *place = *state;
    char uris[256];
    char path[128];
    snprintf(uris, sizeof uris, "%s/a, %s/b %s/c", place->uri, place->uri, place->uri);
    for (int name = 'a'; name <= 'c'; name++) {
        snprintf(path, sizeof path, "mkdir '%s/%c'", place->directory, name);
        assert_int_equal(system(path), 0);
    }
    ir_graph_t *graph = open_graph(place, uris, "w", 0);
    put(graph, fill(place, 0, 8, IR_OBSERVATION_NEW));
    put(graph, fill(place, 0, 8, IR_OBSERVATION_DUPLICATE));
    uint64_t ids = 0;
    assert_int_equal(ir_graph_each_id(graph, IR_DOCUMENT_OBSERVATION, count_id, &ids, NULL), IR_OK);
    assert_int_equal(ids, 8);
    ir_graph_close(graph);
}

static void says_what_is_wrong(void **state) {
    const place_t *place = *state;
    static const char *const wrong[] = {"",
                                        "graph",
                                        "nquads:",
                                        "nquads:a nquads:a",
                                        "sparql+http://",
                                        "sparql+http://h/p?strategy=none",
                                        "sparql+http://user:secret@h/p",
                                        "sparql+http://h/p?query=q",
                                        "sparql+http://h/sparql?strategy=quads"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const ir_graph_options_t options = {.uris = wrong[i],
                                            .format = {.base_iri = "http://e.example/id/"}};
        ir_graph_t *graph = NULL;
        ir_error_t error;
        assert_int_equal(ir_graph_open(&options, &graph, &error), IR_ERR_USAGE);
        assert_null(graph);
        assert_null(strstr(error.text, "secret"));
    }
    char uri[128];
    snprintf(uri, sizeof uri, "%s/absent", place->uri);
    ir_graph_t *graph = open_graph(place, uri, "w", 0);
    ir_error_t error;
    assert_int_equal(ir_graph_ready(graph, &error), IR_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "ir-store init"));
    ir_graph_close(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ids_of_the_old_kind_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writes_known_ones_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_across_writers_and_segments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(late_writer_sees_the_claim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dead_writers_segment_is_taken_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(motes_keep_to_their_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_what_is_wrong, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
