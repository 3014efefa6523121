/* The worker with its transport interface and without a broker: the transport is in memory, and
 * the stores are embedded. Nothing is republished, because the setting `formats` is empty.
 * Events, such as the end of a session or a signal, happen at fixed places in the stream, not at
 * certain times. */
#include "broker/transport.h"

#include "common/log.h"
#include "common/settings_load.h"
#include "store/documents/documents.h"
#include "store/graph/graph.h"
#include "tests/unit/memory_transport.h"
#include "worker/worker.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGES 40
#define BODY_SIZE 64
#define LARGE 2000
#define FIRST_NS INT64_C(1700000000000000000)
#define SECOND_NS INT64_C(1000000000)
#define LIMIT_SECONDS 300 /* then SIGALRM ends the program */
#define ARGUMENTS_MAX 20

typedef struct ir_fixture {
    char directory[64], documents[96], graph[96];
    char bodies[MESSAGES][BODY_SIZE];
    ir_worker_options_t options;
    ir_memory_t memory;
    bool renew;      /* whether to end the session of partition 0 after the first deliveries */
    bool stop_early; /* whether to end the worker after the first deliveries instead of the last
                      * one */
    bool signalled;
} ir_fixture_t;

/* ---- the worker ---- */

static void must(ir_status_t status, const ir_error_t *error) {
    if (status != IR_OK) {
        fail_msg("%s", error->text);
    }
}

static void read_settings(ir_fixture_t *fixture) {
    ir_error_t error = {.status = IR_OK};
    int first = 0;
    const ir_teller_t teller = {NULL, NULL};
    char *arguments[ARGUMENTS_MAX] = {"ir-worker",
                                      "--name=test",
                                      fixture->documents,
                                      fixture->graph,
                                      "--registry=tests/data/annotate/lake.ttl",
                                      "--unregistered=accept",
                                      "--formats=",
                                      "--in-flight=1",
                                      "--batch-observations=4",
                                      "--message-bytes=1Ki",
                                      "--pack-bytes=1Ki",
                                      "--timeout=60s",
                                      "--stop-timeout=120s"};
    int count = 0;
    while (arguments[count] != NULL) {
        count++;
    }
    assert_int_equal(ir_settings_load(&ir_worker_program, count, arguments, &fixture->options,
                                      &first, &teller, &error),
                     IR_SETTINGS_RUN);
}

static ir_documents_t *open_documents(const ir_fixture_t *fixture) {
    ir_documents_options_t options;
    ir_documents_t *documents = NULL;
    ir_error_t error;
    ir_worker_documents_options(&fixture->options, &options);
    must(ir_documents_open(&options, &documents, &error), &error);
    must(ir_documents_init(documents, &error), &error);
    return documents;
}

static void make_graph(const ir_fixture_t *fixture) {
    ir_graph_options_t options;
    ir_graph_t *graph = NULL;
    ir_registry_t *registry = NULL;
    ir_error_t error;
    ir_worker_graph_options(&fixture->options, &options);
    must(ir_registry_load(fixture->options.registry, &registry, &ir_log_teller, &error), &error);
    must(ir_graph_open(&options, &graph, &error), &error);
    must(ir_graph_init(graph, registry, &error), &error);
    ir_graph_close(graph);
    ir_registry_unref(registry);
}

static void after_turn(void *context) {
    ir_fixture_t *fixture = context;
    if (fixture->renew && fixture->memory.deliveries > 0) {
        fixture->renew = false;
        ir_memory_renew(&fixture->memory, 0);
    }
    const bool early = fixture->stop_early && fixture->memory.deliveries > 0;
    if (!fixture->signalled && (early || ir_memory_left(&fixture->memory) == 0)) {
        fixture->signalled = true;
        raise(SIGTERM);
    }
}

/* Returns when the worker gets the SIGTERM that after_turn sent. The worker blocks such signals
 * when it ends. */
static void run_worker(ir_fixture_t *fixture) {
    ir_error_t error = {.status = IR_OK};
    ir_memory_t *memory = &fixture->memory;
    sigset_t none;
    sigemptyset(&none);
    fixture->signalled = false;
    alarm(LIMIT_SECONDS);
    must(ir_worker_run(&fixture->options, &ir_transport_memory, &memory, &error), &error);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    alarm(0);
}

static uint64_t count_stored(const ir_fixture_t *fixture) {
    ir_documents_counts_t counts;
    ir_error_t error;
    ir_documents_t *documents = open_documents(fixture);
    must(ir_documents_count(documents, &counts, &error), &error);
    ir_documents_close(documents);
    assert_int_equal(counts.raw, counts.observations);
    assert_int_equal(counts.raw_rejected, 0);
    return counts.raw;
}

/* Two motes, each in its own partition; every message has one observation. */
static int set_up(void **state) {
    static const char *const keys[IR_MEMORY_PARTITIONS] = {"ir.A", "ir.B"};
    ir_fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/test_transport.XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->documents, sizeof fixture->documents, "--documents=sqlite:%s/d.sqlite",
             fixture->directory);
    snprintf(fixture->graph, sizeof fixture->graph, "--graph=nquads:%s/graph", fixture->directory);
    read_settings(fixture);
    ir_documents_close(open_documents(fixture));
    make_graph(fixture);
    fixture->memory.message_bytes = (size_t)fixture->options.message_bytes;
    fixture->memory.turn = MESSAGES;
    fixture->memory.after_turn = after_turn;
    fixture->memory.after_turn_context = fixture;
    for (unsigned i = 0; i < MESSAGES; i++) {
        const unsigned partition = i % IR_MEMORY_PARTITIONS;
        snprintf(fixture->bodies[i], BODY_SIZE, "[{\"n\":\"%s/x\",\"v\":%u}]", keys[partition] + 3,
                 i);
        ir_memory_send(&fixture->memory, partition, keys[partition], fixture->bodies[i],
                       FIRST_NS + i * SECOND_NS);
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    ir_fixture_t *fixture = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", fixture->directory);
    ir_settings_free(&ir_worker_program, &fixture->options);
    const int failed = system(command);
    free(fixture);
    return failed;
}

/* ---- the tests ---- */

static void test_pause_and_resume(void **state) {
    ir_fixture_t *fixture = *state;
    const ir_memory_t *memory = &fixture->memory;
    run_worker(fixture);
    assert_true(memory->pauses > 0 && memory->resumes > 0);
    assert_int_equal(memory->deliveries, MESSAGES);
    assert_int_equal(memory->redeliveries, 0);
    assert_int_equal(memory->stale, 0);
    assert_false(memory->wrong);
    assert_int_equal(count_stored(fixture), MESSAGES);
}

/* A session ends while messages are in progress. They are delivered again; their old
 * acknowledgements have no effect, and nothing is stored twice. */
static void test_session_change_and_redelivery(void **state) {
    ir_fixture_t *fixture = *state;
    const ir_memory_t *memory = &fixture->memory;
    fixture->renew = true;
    run_worker(fixture);
    assert_true(memory->redeliveries > 0);
    assert_true(memory->stale > 0);
    assert_int_equal(memory->deliveries, MESSAGES + memory->redeliveries);
    assert_false(memory->wrong);
    assert_int_equal(count_stored(fixture), MESSAGES);
}

static void test_oversize(void **state) {
    ir_fixture_t *fixture = *state;
    static char large[LARGE + 1];
    memset(large, ' ', LARGE);
    ir_memory_send(&fixture->memory, 0, "ir.A", large, FIRST_NS);
    run_worker(fixture);
    assert_int_equal(fixture->memory.oversize, 1);
    assert_int_equal(fixture->memory.deliveries, MESSAGES);
    assert_false(fixture->memory.wrong);
    assert_int_equal(count_stored(fixture), MESSAGES);
}

/* A worker that ends first finishes and acknowledges the messages that it has. The next worker gets
 * the rest. */
static void test_shutdown(void **state) {
    ir_fixture_t *fixture = *state;
    const ir_memory_t *memory = &fixture->memory;
    fixture->stop_early = true;
    run_worker(fixture);
    const unsigned first = memory->deliveries;
    assert_true(first > 0 && first < MESSAGES);
    assert_int_equal(ir_memory_left(memory), MESSAGES - first);
    assert_int_equal(count_stored(fixture), first);
    fixture->stop_early = false;
    run_worker(fixture);
    assert_int_equal(memory->deliveries, MESSAGES);
    assert_int_equal(memory->redeliveries, 0);
    assert_false(memory->wrong);
    assert_int_equal(count_stored(fixture), MESSAGES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pause_and_resume, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_session_change_and_redelivery, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_oversize, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shutdown, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
