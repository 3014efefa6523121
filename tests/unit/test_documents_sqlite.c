#include "store/documents/documents.h"

#include "annotation/formats/document.h"
#include "common/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define START_NS (INT64_C(1304222400) * IR_SECOND_NS)
#define BODY "[{\"n\":\"x\",\"v\":1}]"
#define MANY 400
#define SERIES 700
#define BATCHES 80
#define LOG_MIB 256 /* four times the log's limit, and half of the written bytes */

/* ---- contents of the store ---- */

static const ir_mote_t mote = {.id = "m1", .iri = "https://river.test/mote/m1", .label = "one"};
static const ir_property_t property = {
    .iri = "https://river.test/property/stage", .label = "stage", .key = "stage"};
static const ir_feature_t feature = {.iri = "https://river.test/river", .label = "the river"};
static ir_sensor_t stage = {.name = "m1:stage",
                            .iri = "https://river.test/sensor/m1-stage",
                            .label = "",
                            .mote = &mote,
                            .property = &property,
                            .feature = &feature,
                            .unit_iri = "http://qudt.org/vocab/unit/FT"};
static ir_sensor_t text = {.name = "m1:text",
                           .iri = "https://river.test/sensor/m1-text",
                           .label = "",
                           .mote = &mote,
                           .property = &property,
                           .feature = &feature};

typedef struct ir_fixture {
    char directory[64];
    char uri[96];
    char path[80];
    ir_documents_t *documents;
    ir_batch_t *batch;
    ir_error_t error;
} ir_fixture_t;

static ir_documents_t *open_documents(ir_fixture_t *fixture) {
    const ir_documents_options_t options = {.uri = fixture->uri,
                                            .timeout_ns = 30 * IR_MILLISECOND_NS};
    ir_documents_t *documents = NULL;
    assert_int_equal(ir_documents_open(&options, &documents, &fixture->error), IR_OK);
    return documents;
}

static int set_up_empty(void **state) {
    ir_fixture_t *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->directory, "/tmp/test_documents.XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof fixture->path, "%s/d.sqlite", fixture->directory);
    snprintf(fixture->uri, sizeof fixture->uri, "sqlite:%s", fixture->path);
    stage.unit = ir_unit_find(ir_view_text("ft"));
    fixture->documents = open_documents(fixture);
    fixture->batch = ir_batch_new(NULL);
    assert_non_null(fixture->batch);
    *state = fixture;
    return 0;
}

static int set_up(void **state) {
    set_up_empty(state);
    ir_fixture_t *fixture = *state;
    assert_int_equal(ir_documents_init(fixture->documents, &fixture->error), IR_OK);
    return 0;
}

static void free_batch(ir_batch_t *batch) {
    free(batch->messages);
    free(batch->observations);
    free(batch->refusals);
    batch->messages = NULL;
    batch->observations = NULL;
    batch->refusals = NULL;
    ir_batch_free(batch);
}

static int tear_down(void **state) {
    ir_fixture_t *fixture = *state;
    ir_documents_close(fixture->documents);
    free_batch(fixture->batch);
    char path[96];
    snprintf(path, sizeof path, "%s-wal", fixture->path);
    unlink(path);
    snprintf(path, sizeof path, "%s-shm", fixture->path);
    unlink(path);
    unlink(fixture->path);
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static ir_id_t make_id(char kind, unsigned number) {
    ir_id_t id = {{(uint8_t)kind}};
    memcpy(id.bytes + 8, &number, sizeof number);
    return id;
}

/* Allocates `n` messages of one observation each, and fills them in like good messages of the
 * sensor `stage`. */
static void fill(ir_batch_t *batch, uint32_t n) {
    free(batch->messages);
    free(batch->observations);
    batch->messages = calloc(n, sizeof *batch->messages);
    batch->observations = calloc(n, sizeof *batch->observations);
    batch->n_messages = batch->n_observations = n;
    batch->n_revisions = batch->n_store_refusals = 0;
    for (uint32_t i = 0; i < n; i++) {
        batch->messages[i] = (ir_message_t){
            .raw_id = make_id('r', i),
            .key_text = ir_view_text("ir.m1"),
            .mote = ir_view_text("m1"),
            .type_text = ir_view_text("application/senml+json"),
            .body = ir_view_text(BODY),
            .arrival_ns = START_NS,
            .first_observation = i,
            .n_observations = 1,
        };
        const ir_value_t value = {.kind = IR_VALUE_NUMBER, .number = i};
        batch->observations[i] = (ir_observation_t){
            .id = make_id('o', i),
            .sensor = &stage,
            .time_ns = START_NS + (int64_t)i * IR_SECOND_NS,
            .value = value,
            .source_value = value,
            .source_unit = ir_view_text("ft"),
            .flags = {1, 2, 2, 1, 1},
            .aggregate = 1,
            .message = i,
        };
    }
}

static void put(ir_fixture_t *fixture) {
    assert_int_equal(ir_documents_put(fixture->documents, fixture->batch, &fixture->error),
                     IR_OUTCOME_OK);
}

static void assert_counts(ir_fixture_t *fixture, uint64_t raw, uint64_t rejected,
                          uint64_t observations, uint64_t revisions) {
    ir_documents_counts_t counts;
    assert_int_equal(ir_documents_count(fixture->documents, &counts, &fixture->error), IR_OK);
    assert_int_equal(counts.raw, raw);
    assert_int_equal(counts.raw_rejected, rejected);
    assert_int_equal(counts.observations, observations);
    assert_int_equal(counts.revisions, revisions);
}

/* A second connection, like that of another program. */
static sqlite3 *open_shell(const ir_fixture_t *fixture) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    return db;
}

static void shell(const ir_fixture_t *fixture, const char *sql) {
    sqlite3 *db = open_shell(fixture);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int first_text(void *context, int columns, char **values, char **names) {
    (void)columns;
    (void)names;
    snprintf(context, 512, "%s", values[0] != NULL ? values[0] : "NULL");
    return 0;
}

static void assert_shell(const ir_fixture_t *fixture, const char *sql, const char *expected) {
    char answer[512] = "no row";
    sqlite3 *db = open_shell(fixture);
    assert_int_equal(sqlite3_exec(db, sql, first_text, answer, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_string_equal(answer, expected);
}

/* ---- storing ---- */

static void test_put(void **state) {
    ir_fixture_t *fixture = *state;
    fill(fixture->batch, 3);
    put(fixture);
    assert_counts(fixture, 3, 0, 3, 0);
    for (int i = 0; i < 3; i++) {
        assert_false(fixture->batch->messages[i].duplicate);
        assert_int_equal(fixture->batch->observations[i].state, IR_OBSERVATION_NEW);
    }
    assert_shell(fixture, "SELECT body FROM raw LIMIT 1", BODY);
    assert_shell(fixture, "SELECT status || coalesce(refusals, '') FROM raw LIMIT 1", "accepted");
    assert_shell(fixture,
                 "SELECT time || ' ' || mote || ' ' || value || ' ' || unit || ' ' || quality "
                 "FROM readable ORDER BY time DESC LIMIT 1",
                 "2011-05-01T04:00:02.000Z m1 2.0 [ft_i] good");
    assert_shell(fixture, "SELECT id FROM readable ORDER BY time DESC LIMIT 1",
                 "6f000000-0000-0000-0200-000000000000");
    assert_shell(fixture, "SELECT body FROM readable_raw LIMIT 1", BODY);
}

static void test_duplicates(void **state) {
    ir_fixture_t *fixture = *state;
    fill(fixture->batch, 3);
    put(fixture);
    fill(fixture->batch, 4);
    put(fixture);
    assert_counts(fixture, 4, 0, 4, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(fixture->batch->messages[i].duplicate, i < 3);
        assert_int_equal(fixture->batch->observations[i].state,
                         i < 3 ? IR_OBSERVATION_DUPLICATE : IR_OBSERVATION_NEW);
    }
}

static void test_duplicate_in_batch(void **state) {
    ir_fixture_t *fixture = *state;
    fill(fixture->batch, 2);
    fixture->batch->messages[1].raw_id = fixture->batch->messages[0].raw_id;
    fixture->batch->observations[1] = fixture->batch->observations[0];
    fixture->batch->observations[1].message = 1;
    put(fixture);
    assert_counts(fixture, 1, 0, 1, 0);
    assert_false(fixture->batch->messages[0].duplicate);
    assert_true(fixture->batch->messages[1].duplicate);
    assert_int_equal(fixture->batch->observations[1].state, IR_OBSERVATION_DUPLICATE);
}

/* An observation was stored with an older description of its sensor. Sent again, it still counts as
 * a duplicate. */
static void test_duplicate_after_change(void **state) {
    ir_fixture_t *fixture = *state;
    fill(fixture->batch, 2);
    put(fixture);
    stage.label = "renamed";
    put(fixture);
    stage.label = "";
    assert_true(fixture->batch->messages[1].duplicate);
    assert_int_equal(fixture->batch->observations[1].state, IR_OBSERVATION_DUPLICATE);
    assert_counts(fixture, 2, 0, 2, 0);
    assert_shell(fixture, "SELECT count(*) || ' ' || max(series) FROM sensors", "2 1");
}

static void test_two_writers(void **state) {
    ir_fixture_t *fixture = *state;
    ir_documents_t *first = fixture->documents;
    fill(fixture->batch, 2);
    put(fixture);
    fixture->documents = open_documents(fixture);
    fill(fixture->batch, 3);
    put(fixture);
    assert_true(fixture->batch->messages[1].duplicate);
    assert_false(fixture->batch->messages[2].duplicate);
    ir_documents_close(fixture->documents);
    fixture->documents = first;
    put(fixture);
    assert_true(fixture->batch->messages[2].duplicate);
    assert_counts(fixture, 3, 0, 3, 0);
}

/* One of two concurrent writers. */
typedef struct ir_writer {
    const ir_fixture_t *fixture;
    ir_sensor_t *sensors;
    char kind; /* of its ids */
    ir_error_t error;
} ir_writer_t;

/* Runs in its own thread, so it asserts nothing. Each batch has one observation of every sensor, so
 * it changes one page for each sensor. */
static void *write_much(void *context) {
    ir_writer_t *writer = context;
    const ir_documents_options_t options = {.uri = writer->fixture->uri,
                                            .timeout_ns = 20 * IR_SECOND_NS};
    ir_documents_t *documents = NULL;
    ir_batch_t *batch = ir_batch_new(NULL);
    bool good = ir_documents_open(&options, &documents, &writer->error) == IR_OK;
    for (unsigned i = 0; good && i < BATCHES; i++) {
        fill(batch, SERIES);
        for (unsigned k = 0; k < SERIES; k++) {
            batch->messages[k].raw_id = make_id(writer->kind, i * SERIES + k);
            batch->observations[k].id = batch->messages[k].raw_id;
            batch->observations[k].sensor = &writer->sensors[k];
            batch->observations[k].time_ns = START_NS + i * IR_SECOND_NS;
        }
        good = ir_documents_put(documents, batch, &writer->error) == IR_OUTCOME_OK;
    }
    ir_documents_close(documents);
    free_batch(batch);
    return NULL;
}

static ir_sensor_t *many_sensors(void) {
    static char names[SERIES][16];
    ir_sensor_t *sensors = calloc(SERIES, sizeof *sensors);
    for (unsigned i = 0; i < SERIES; i++) {
        snprintf(names[i], sizeof names[i], "m1:%u", i);
        sensors[i] = stage;
        sensors[i].name = names[i];
    }
    return sensors;
}

static off_t log_size(const ir_fixture_t *fixture) {
    char path[96];
    struct stat facts;
    snprintf(path, sizeof path, "%s-wal", fixture->path);
    assert_int_equal(stat(path, &facts), 0);
    return facts.st_size;
}

/* Two workers write without a pause, so neither ever finds the log unused by the other.
 * Nevertheless the log stays short. */
static void test_log_stays_short(void **state) {
    ir_fixture_t *fixture = *state;
    ir_sensor_t *sensors = many_sensors();
    ir_writer_t writers[] = {{.fixture = fixture, .sensors = sensors, .kind = 'a'},
                             {.fixture = fixture, .sensors = sensors, .kind = 'b'}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_much, &writers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_string_equal(writers[i].error.text, "");
    }
    assert_in_range(log_size(fixture), 1, LOG_MIB << 20);
    assert_counts(fixture, 2 * BATCHES * SERIES, 0, 2 * BATCHES * SERIES, 0);
    free(sensors);
}

/* A long read keeps SQLite from restarting the log. Batches that are put meanwhile are stored. */
static void test_log_under_a_reader(void **state) {
    ir_fixture_t *fixture = *state;
    ir_writer_t writer = {.fixture = fixture, .sensors = many_sensors(), .kind = 'a'};
    sqlite3 *other = open_shell(fixture);
    const char *read = "BEGIN; SELECT count(*) FROM raw";
    assert_int_equal(sqlite3_exec(other, read, NULL, NULL, NULL), SQLITE_OK);
    write_much(&writer);
    assert_string_equal(writer.error.text, "");
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_counts(fixture, BATCHES * SERIES, 0, BATCHES * SERIES, 0);
    free(writer.sensors);
}

static void test_refusals_of_decoding(void **state) {
    ir_fixture_t *fixture = *state;
    ir_batch_t *batch = fixture->batch;
    fill(batch, 2);
    batch->refusals = calloc(3, sizeof *batch->refusals);
    batch->n_refusals = 3;
    ir_refusal_set(&batch->refusals[0], IR_REASON_UNIT, 0, "no \"unit\"");
    ir_refusal_set(&batch->refusals[1], IR_REASON_NO_VALUE, 2, "none");
    ir_refusal_set(&batch->refusals[2], IR_REASON_NOT_JSON, -1, "no");
    batch->messages[0].n_refusals = 2;
    batch->messages[1].first_refusal = 2;
    batch->messages[1].n_refusals = 1;
    batch->messages[1].refused = true;
    batch->messages[1].n_observations = 0;
    batch->messages[1].mote = ir_view(NULL, 0);
    batch->n_observations = 1;
    put(fixture);
    assert_counts(fixture, 2, 1, 1, 0);
    assert_shell(fixture, "SELECT refusals FROM raw WHERE status = 'partly'",
                 "[{\"reason\":\"unit\",\"record\":0,\"detail\":\"no \\\"unit\\\"\"},"
                 "{\"reason\":\"no-value\",\"record\":2,\"detail\":\"none\"}]");
    assert_shell(fixture, "SELECT refusals FROM raw WHERE status = 'rejected'",
                 "[{\"reason\":\"not-json\",\"record\":-1,\"detail\":\"no\"}]");
}

/* Adds a constraint that the second observation violates. */
#define TRAP                                                                                       \
    "CREATE TRIGGER trap BEFORE INSERT ON observations WHEN NEW.value = 1.0 "                      \
    "BEGIN SELECT RAISE(ABORT, 'trapped'); END"

static void test_refused_observation(void **state) {
    ir_fixture_t *fixture = *state;
    shell(fixture, TRAP);
    fill(fixture->batch, 3);
    put(fixture);
    assert_counts(fixture, 3, 1, 2, 0);
    assert_int_equal(fixture->batch->observations[1].state, IR_OBSERVATION_REFUSED);
    assert_int_equal(fixture->batch->n_store_refusals, 1);
    const ir_store_refusal_t *refusal = &fixture->batch->store_refusals[0];
    assert_int_equal(refusal->message, 1);
    assert_int_equal(refusal->observation, 1);
    assert_int_equal(refusal->refusal.reason, IR_REASON_DOCUMENT_REFUSED);
    assert_non_null(strstr(refusal->refusal.detail, "trapped"));
    assert_shell(fixture, "SELECT refusals FROM raw WHERE status = 'rejected'",
                 "[{\"reason\":\"document-refused\",\"record\":0,"
                 "\"detail\":\"sqlite: trapped\"}]");
}

/* A message's new outcome is appended to the earlier ones, and the newest one is shown. */
static void test_outcomes(void **state) {
    ir_fixture_t *fixture = *state;
    shell(fixture, TRAP);
    fill(fixture->batch, 3);
    put(fixture);
    assert_counts(fixture, 3, 1, 2, 0);
    fill(fixture->batch, 3);
    put(fixture);
    assert_shell(fixture, "SELECT count(*) FROM outcomes", "0");
    shell(fixture, "DROP TRIGGER trap");
    fill(fixture->batch, 3);
    put(fixture);
    assert_true(fixture->batch->messages[1].duplicate);
    assert_int_equal(fixture->batch->observations[1].state, IR_OBSERVATION_NEW);
    assert_counts(fixture, 3, 0, 3, 0);
    assert_shell(fixture, "SELECT status FROM raw WHERE refusals IS NOT NULL", "rejected");
    assert_shell(fixture, "SELECT group_concat(status) || count(refusals) FROM readable_raw",
                 "accepted,accepted,accepted0");
    assert_shell(fixture, "SELECT status || (at_ns > 0) || count(*) FROM outcomes", "accepted11");
    fill(fixture->batch, 3);
    put(fixture);
    assert_shell(fixture, "SELECT count(*) FROM outcomes", "1");
}

static void test_refused_raw(void **state) {
    ir_fixture_t *fixture = *state;
    shell(fixture, "CREATE TRIGGER trap BEFORE INSERT ON raw WHEN NEW.mote = 'm2' "
                   "BEGIN SELECT RAISE(ABORT, 'no m2'); END");
    fill(fixture->batch, 3);
    fixture->batch->messages[0].mote = ir_view_text("m2");
    put(fixture);
    assert_counts(fixture, 2, 0, 3, 0);
    assert_int_equal(fixture->batch->n_store_refusals, 1);
    assert_int_equal(fixture->batch->store_refusals[0].message, 0);
    assert_int_equal(fixture->batch->store_refusals[0].observation, UINT32_MAX);
}

/* Nothing of a message that is set aside is stored. Items that were stored before are not stored
 * again. */
static void test_set_aside(void **state) {
    ir_fixture_t *fixture = *state;
    ir_batch_t *batch = fixture->batch;
    fill(batch, 3);
    batch->messages[1].aside = IR_ASIDE_NOTED;
    batch->n_aside = 1;
    put(fixture);
    assert_counts(fixture, 2, 0, 2, 0);
    assert_true(batch->messages[1].left_out);
    assert_false(batch->messages[0].left_out);
    fill(batch, 3);
    batch->n_aside = 0;
    batch->observations[1].stored = true;
    put(fixture);
    assert_counts(fixture, 3, 0, 2, 0);
    assert_int_equal(batch->observations[1].state, IR_OBSERVATION_NEW);
    assert_int_equal(batch->observations[0].state, IR_OBSERVATION_DUPLICATE);
}

static void test_revisions(void **state) {
    ir_fixture_t *fixture = *state;
    fill(fixture->batch, 2);
    ir_revision_t revision = {.id = make_id('v', 1),
                              .test = IR_TEST_SPIKE,
                              .flag = IR_FLAG_SUSPECT,
                              .previous = IR_FLAG_NOT_EVALUATED,
                              .observation = fixture->batch->observations[0],
                              .raw_id = make_id('r', 0),
                              .decided_by = make_id('o', 1)};
    revision.observation.aggregate = IR_FLAG_SUSPECT;
    assert_true(ir_batch_add_revision(fixture->batch, &revision));
    put(fixture);
    put(fixture);
    assert_counts(fixture, 2, 0, 2, 1);
    assert_shell(fixture, "SELECT test || previous || flag || aggregate FROM revisions",
                 "spike233");
}

/* ---- reading ---- */

static void test_recent(void **state) {
    ir_fixture_t *fixture = *state;
    ir_batch_t *batch = fixture->batch;
    ir_point_t points[8];
    size_t count = 99;
    assert_int_equal(ir_documents_recent(fixture->documents, &stage, INT64_MAX, 8, points, &count,
                                         &fixture->error),
                     IR_OUTCOME_OK);
    assert_int_equal(count, 0);

    fill(batch, 6);
    batch->observations[1].sensor = &text;
    batch->observations[4].late = true;
    batch->observations[3].flags[IR_TEST_SPIKE] = IR_FLAG_FAIL;
    batch->observations[3].aggregate = IR_FLAG_FAIL;
    batch->observations[3].source_value.number = 0.5;
    batch->observations[3].source_unit = ir_view_text("m");
    batch->observations[3].record = 7;
    put(fixture);
    assert_int_equal(ir_documents_recent(fixture->documents, &stage, START_NS + 5 * IR_SECOND_NS, 8,
                                         points, &count, &fixture->error),
                     IR_OUTCOME_OK);
    assert_int_equal(count, 3);
    assert_true(points[0].value == 3 && points[1].value == 2 && points[2].value == 0);
    assert_true(points[0].source_value == 0.5);
    assert_string_equal(points[0].source_unit, "m");
    assert_int_equal(points[0].flags[IR_TEST_SPIKE], IR_FLAG_FAIL);
    assert_int_equal(points[0].flags[IR_TEST_GROSS_RANGE], IR_FLAG_GOOD);
    assert_int_equal(points[0].aggregate, IR_FLAG_FAIL);
    assert_int_equal(points[0].record, 7);
    assert_memory_equal(&points[0].id, &batch->observations[3].id, sizeof(ir_id_t));
    assert_memory_equal(&points[0].raw_id, &batch->messages[3].raw_id, sizeof(ir_id_t));

    assert_int_equal(ir_documents_recent(fixture->documents, &stage, INT64_MAX, 1, points, &count,
                                         &fixture->error),
                     IR_OUTCOME_OK);
    assert_int_equal(count, 1);
    assert_true(points[0].value == 5);
}

/* Stored points in a unit that the sensor no longer has are not used as earlier points of its
 * series. */
static void test_recent_after_unit_change(void **state) {
    ir_fixture_t *fixture = *state;
    ir_point_t points[4];
    size_t count = 99;
    fill(fixture->batch, 3);
    put(fixture);
    stage.unit = ir_unit_find(ir_view_text("m"));
    assert_int_equal(ir_documents_recent(fixture->documents, &stage, INT64_MAX, 4, points, &count,
                                         &fixture->error),
                     IR_OUTCOME_OK);
    assert_int_equal(count, 0);
}

typedef struct ir_seen {
    unsigned count, stop_at;
    char lines[8][1024];
} ir_seen_t;

static ir_status_t see_id(void *context, const ir_document_key_t *key) {
    ir_seen_t *seen = context;
    assert_int_equal(key->id.bytes[0], 'o');
    assert_true(key->mote.size > 0);
    return ++seen->count == seen->stop_at ? IR_ERR_STATE : IR_OK;
}

static void test_each(void **state) {
    ir_fixture_t *fixture = *state;
    ir_seen_t seen = {0};
    fill(fixture->batch, 5);
    put(fixture);
    assert_int_equal(ir_documents_each(fixture->documents, IR_DOCUMENT_OBSERVATION, see_id, &seen,
                                       &fixture->error),
                     IR_OK);
    assert_int_equal(seen.count, 5);
    seen = (ir_seen_t){.stop_at = 2};
    assert_int_equal(ir_documents_each(fixture->documents, IR_DOCUMENT_OBSERVATION, see_id, &seen,
                                       &fixture->error),
                     IR_ERR_STATE);
    assert_int_equal(seen.count, 2);
}

static ir_status_t see_observation(void *context, const ir_stored_observation_t *stored) {
    ir_seen_t *seen = context;
    ir_buffer_t line;
    ir_buffer_init(&line);
    ir_document_append(&line, &stored->observation, &stored->raw_id);
    snprintf(seen->lines[seen->count++], sizeof seen->lines[0], "%.*s", (int)line.size, line.data);
    ir_buffer_free(&line);
    return IR_OK;
}

static void test_export(void **state) {
    ir_fixture_t *fixture = *state;
    ir_batch_t *batch = fixture->batch;
    static const ir_value_t values[] = {
        {.kind = IR_VALUE_NUMBER, .number = -0.0},
        {.kind = IR_VALUE_STRING, .bytes = {"low \"tide\"", 10}},
        {.kind = IR_VALUE_BOOL, .boolean = true},
        {.kind = IR_VALUE_DATA, .bytes = {"\0\xff", 2}},
        {.kind = IR_VALUE_NONE},
        {.kind = IR_VALUE_NUMBER, .number = 8.9},
    };
    static const char *const expected[] = {"\"value\":-0,",  "\"value\":\"low \\\"tide\\\"\"",
                                           "\"value\":true", "\"value\":\"AP8\"",
                                           "\"value\":null", "\"value\":8.9,\"unit\":\"[ft_i]\""};
    ir_seen_t *seen = calloc(1, sizeof *seen);
    fill(batch, 6);
    for (int i = 0; i < 6; i++) {
        batch->observations[i].value = batch->observations[i].source_value = values[i];
        batch->observations[i].sensor = values[i].kind == IR_VALUE_NUMBER && i > 0 ? &stage : &text;
    }
    batch->observations[4].has_sum = true;
    batch->observations[4].sum = 12.5;
    put(fixture);
    assert_int_equal(ir_documents_each_selected(fixture->documents, &ir_observations_all,
                                                see_observation, seen, &fixture->error),
                     IR_OK);
    assert_int_equal(seen->count, 6);
    for (int i = 0; i < 6; i++) {
        assert_non_null(strstr(seen->lines[i], expected[i]));
        assert_non_null(strstr(seen->lines[i], "\"mote\":\"m1\""));
    }
    assert_non_null(strstr(seen->lines[4], "\"sum\":12.5"));
    assert_non_null(strstr(seen->lines[5], "\"unit_iri\":\"http://qudt.org/vocab/unit/FT\""));
    free(seen);
}

/* ---- faults ---- */

static void assert_not_ready(ir_fixture_t *fixture, ir_status_t status, const char *words) {
    fixture->error.text[0] = '\0';
    assert_int_equal(ir_documents_ready(fixture->documents, &fixture->error), status);
    assert_non_null(strstr(fixture->error.text, words));
    assert_non_null(strstr(fixture->error.text, fixture->path));
}

static void assert_retry(ir_fixture_t *fixture, const char *words) {
    fixture->error.text[0] = '\0';
    assert_int_equal(ir_documents_put(fixture->documents, fixture->batch, &fixture->error),
                     IR_OUTCOME_RETRY);
    assert_non_null(strstr(fixture->error.text, words));
    assert_int_equal(fixture->batch->n_store_refusals, 0);
}

static void test_not_set_up(void **state) {
    ir_fixture_t *fixture = *state;
    assert_not_ready(fixture, IR_ERR_NOT_FOUND, "run ir-store init");
    assert_int_equal(access(fixture->path, F_OK), -1);
    shell(fixture, "SELECT 1");
    close(open(fixture->path, O_CREAT | O_WRONLY, 0644));
    assert_not_ready(fixture, IR_ERR_NOT_FOUND, "run ir-store init");
    fill(fixture->batch, 1);
    assert_retry(fixture, "run ir-store init");
    assert_int_equal(ir_documents_init(fixture->documents, &fixture->error), IR_OK);
    assert_int_equal(ir_documents_init(fixture->documents, &fixture->error), IR_OK);
    assert_int_equal(ir_documents_ready(fixture->documents, &fixture->error), IR_OK);
    put(fixture);
}

static void test_no_directory(void **state) {
    ir_fixture_t *fixture = *state;
    const ir_documents_options_t options = {.uri = "sqlite:/nowhere/at/all.sqlite"};
    ir_documents_t *documents = NULL;
    assert_int_equal(ir_documents_open(&options, &documents, &fixture->error), IR_OK);
    assert_int_equal(ir_documents_init(documents, &fixture->error), IR_ERR_IO);
    assert_non_null(strstr(fixture->error.text, "/nowhere/at/all.sqlite: cannot open: No such"));
    ir_documents_close(documents);
}

static void test_foreign_files(void **state) {
    ir_fixture_t *fixture = *state;
    shell(fixture, "CREATE TABLE theirs (a)");
    assert_not_ready(fixture, IR_ERR_PROTOCOL, "belongs to another program");
    assert_int_equal(ir_documents_init(fixture->documents, &fixture->error), IR_ERR_PROTOCOL);
    assert_int_equal(unlink(fixture->path), 0);

    FILE *file = fopen(fixture->path, "w");
    for (int i = 0; i < 1000; i++) {
        fprintf(file, "just some text, line %d\n", i);
    }
    fclose(file);
    assert_not_ready(fixture, IR_ERR_PROTOCOL, "not an SQLite database");
    assert_int_equal(ir_documents_init(fixture->documents, &fixture->error), IR_ERR_PROTOCOL);
}

static void test_other_version(void **state) {
    ir_fixture_t *fixture = *state;
    ir_documents_close(fixture->documents);
    shell(fixture, "PRAGMA user_version = 99");
    fixture->documents = open_documents(fixture);
    assert_not_ready(fixture, IR_ERR_PROTOCOL, "schema version 99");
    assert_int_equal(ir_documents_init(fixture->documents, &fixture->error), IR_ERR_PROTOCOL);
}

/* A store with ids of the old format is not changed; the error names the migration command. */
static void test_earlier_release(void **state) {
    ir_fixture_t *fixture = *state;
    shell(fixture, "PRAGMA application_id = 1230137718; PRAGMA user_version = 1;"
                   "CREATE TABLE raw (id BLOB NOT NULL, hint INTEGER NOT NULL)");
    assert_not_ready(fixture, IR_ERR_PROTOCOL, "ir-store reprocess --from sqlite:/tmp/test_");
    assert_int_equal(ir_documents_init(fixture->documents, &fixture->error), IR_ERR_PROTOCOL);
    assert_non_null(strstr(fixture->error.text, "ir-store reprocess --from sqlite:/tmp/test_"));
    fill(fixture->batch, 1);
    assert_retry(fixture, "ir-store reprocess --from");
    assert_shell(fixture, "SELECT group_concat(name) FROM sqlite_schema", "raw");
}

static void test_damaged(void **state) {
    ir_fixture_t *fixture = *state;
    fill(fixture->batch, MANY);
    put(fixture);
    ir_documents_close(fixture->documents); /* checkpoints */
    struct stat facts;
    char rubbish[4096];
    memset(rubbish, 0xa5, sizeof rubbish);
    assert_int_equal(stat(fixture->path, &facts), 0);
    const int fd = open(fixture->path, O_WRONLY);
    for (off_t at = 4096; at + 4096 <= facts.st_size; at += 4096) {
        assert_int_equal(pwrite(fd, rubbish, sizeof rubbish, at), sizeof rubbish);
    }
    close(fd);
    fixture->documents = open_documents(fixture);
    assert_retry(fixture, "damaged");
}

static void test_locked(void **state) {
    ir_fixture_t *fixture = *state;
    shell(fixture, TRAP);
    fill(fixture->batch, 3);
    sqlite3 *other = open_shell(fixture);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_retry(fixture, "lock");
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    put(fixture);
    assert_counts(fixture, 3, 1, 2, 0);
}

static void limit_files(rlim_t size) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size != RLIM_INFINITY ? size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The disk becomes full in the middle of a batch. */
static void test_full_disk(void **state) {
    ir_fixture_t *fixture = *state;
    signal(SIGXFSZ, SIG_IGN);
    shell(fixture, TRAP);
    fill(fixture->batch, MANY);
    limit_files(64 * 1024);
    assert_retry(fixture, "limits on the size of files");
    assert_int_equal(fixture->batch->observations[1].state, IR_OBSERVATION_NEW);
    limit_files(RLIM_INFINITY);
    put(fixture);
    assert_counts(fixture, MANY, 1, MANY - 1, 0);
    assert_int_equal(fixture->batch->n_store_refusals, 1);
}

static void test_bad_uris(void **state) {
    (void)state;
    static const char *const uris[] = {NULL, "", "sqlite", "sqlite:", "mysql://localhost/x"};
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        const ir_documents_options_t options = {.uri = uris[i]};
        ir_documents_t *documents = NULL;
        ir_error_t error = {.status = IR_OK};
        assert_int_equal(ir_documents_open(&options, &documents, &error), IR_ERR_USAGE);
        assert_null(documents);
        assert_non_null(strstr(error.text, "sqlite:"));
    }
    ir_documents_close(NULL);
}

static void test_null(void **state) {
    ir_fixture_t *fixture = *state;
    const ir_documents_options_t options = {.uri = "null:"};
    ir_documents_close(fixture->documents);
    assert_int_equal(ir_documents_open(&options, &fixture->documents, &fixture->error), IR_OK);
    assert_false(ir_documents_keeps(fixture->documents));
    assert_int_equal(ir_documents_init(fixture->documents, &fixture->error), IR_OK);
    assert_int_equal(ir_documents_ready(fixture->documents, &fixture->error), IR_OK);
    fill(fixture->batch, 2);
    put(fixture);
    assert_counts(fixture, 0, 0, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_duplicates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_duplicate_in_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_duplicate_after_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_writers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_stays_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_under_a_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals_of_decoding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_observation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_outcomes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_raw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_revisions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recent_after_unit_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_set_up, set_up_empty, tear_down),
        cmocka_unit_test_setup_teardown(test_no_directory, set_up_empty, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_files, set_up_empty, tear_down),
        cmocka_unit_test_setup_teardown(test_other_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_earlier_release, set_up_empty, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_locked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test(test_bad_uris),
        cmocka_unit_test_setup_teardown(test_null, set_up_empty, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
