/* How a message becomes part of a batch: its sender, sensors and units, what is refused, and what
 * is kept. */
#include "observation/reanalysis.h"
#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#define NOW_NS INT64_C(1400000000000000000)
#define JSON "application/senml+json"

static ir_registry_t *registry;
static ir_analysis_t analysis;

static int set_up(void **state) {
    (void)state;
    ir_error_t error;
    if (ir_registry_load("tests/data/annotate/lake.ttl", &registry, NULL, &error) != IR_OK) {
        print_error("%s\n", error.text);
        return -1;
    }
    analysis =
        (ir_analysis_t){.limits = ir_senml_limits_default, .base_iri = "https://example.org/"};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    ir_registry_unref(registry);
    return 0;
}

static ir_status_t add(ir_batch_t *batch, const char *key, const char *type, const char *body) {
    const ir_batch_input_t input = {.routing_key = ir_view_text(key),
                                    .content_type = ir_view_text(type),
                                    .body = ir_view_text(body),
                                    .arrival_ns = NOW_NS,
                                    .partition = 3,
                                    .session = 2,
                                    .delivery_tag = 9};
    return ir_batch_add(batch, &analysis, &input);
}

/* Adds a message to a new batch. Asserts that its refusals ("REASON@RECORD …") and the number of
 * its observations are as expected. */
static void expect(const char *key, const char *type, const char *body, const char *expected) {
    ir_batch_t *batch = ir_batch_new(registry);
    char seen[512] = "";
    assert_int_equal(add(batch, key, type, body), IR_OK);
    const ir_message_t *message = &batch->messages[0];
    for (uint32_t i = 0; i < message->n_refusals; i++) {
        const ir_refusal_t *refusal = &batch->refusals[message->first_refusal + i];
        const size_t size = strlen(seen);
        snprintf(seen + size, sizeof seen - size, "%s@%d ", ir_reason_text(refusal->reason),
                 refusal->record);
        assert_true(refusal->detail[0] != '\0');
    }
    const size_t size = strlen(seen);
    snprintf(seen + size, sizeof seen - size, "%u", message->n_observations);
    assert_string_equal(seen, expected);
    ir_batch_free(batch);
}

static void what_is_refused_and_why(void **state) {
    (void)state;
    static const char good[] = "[{\"n\":\"BUOY-7/temp\",\"u\":\"Cel\",\"v\":7}]";
    expect("ir.BUOY-7", JSON, good, "1");
    expect("ir.BUOY-7", "", good, "1");
    expect("", JSON, good, "no-routing-key@-1 0");
    expect("ir.", JSON, good, "no-routing-key@-1 0");
    expect("BUOY-7", JSON, good, "no-routing-key@-1 0");
    expect("ir.a b", JSON, good, "no-routing-key@-1 0");
    expect("ir.BUOY-7", "text/plain; charset=utf-8", good, "1");
    expect("ir.BUOY-7", "application/octet-stream", good, "1");
    expect("ir.BUOY-7", "application/json", good, "1");
    expect("ir.BUOY-7", "text/html", good, "content-type@-1 0");
    expect("ir.BUOY-7", "text/plain", "temperature 7", "content-type@-1 0");
    expect("ir.BUOY-7", "", "", "0"); /* an MQTT client clears a retained topic in this way */
    expect("ir.BUOY-8", JSON, good, "unknown-mote@-1 0");
    expect("ir.BUOY-7", JSON, "nonsense", "not-json@-1 0");
    expect("ir.BUOY-7", JSON,
           "[{\"bn\":\"BUOY-7/\",\"n\":\"depth\",\"v\":1},{\"n\":\"temp\",\"u\":\"K\",\"v\":280},"
           "{\"n\":\"temp\",\"v\":\"x\"},{\"n\":\"temp\",\"u\":\"m\",\"v\":1},"
           "{\"n\":\"temp\",\"u\":\"furlong\",\"v\":1},{\"n\":\"temp\",\"vs\":\"warm\"},"
           "{\"n\":\"mode\",\"v\":1},{\"n\":\"mode\",\"vs\":\"x\"},{\"n\":\"temp\",\"s\":1},"
           "{\"n\":\"temp\",\"u\":\"K\",\"v\":280}]",
           "unknown-sensor@0 bad-field@2 unit@3 unit@4 value-type@5 value-type@6 value-type@8 "
           "duplicate@9 2");
}

static ir_view_t compress_text(const char *text, char *packed, size_t room) {
    z_stream stream = {.next_in = (Bytef *)text, .avail_in = (uInt)strlen(text)};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return ir_view(packed, room - stream.avail_out);
}

static void expect_bytes(ir_batch_t *batch, ir_view_t body, ir_reason_t reason) {
    const ir_batch_input_t input = {
        .routing_key = ir_view_text("ir.BUOY-7"), .body = body, .arrival_ns = NOW_NS};
    ir_batch_reset(batch, registry);
    assert_int_equal(ir_batch_add(batch, &analysis, &input), IR_OK);
    const ir_message_t *message = &batch->messages[0];
    assert_true(ir_view_equal(message->body, body));
    assert_int_equal(message->n_observations, reason == IR_REASON_NONE);
    assert_int_equal(message->n_refusals, reason != IR_REASON_NONE);
    assert_true(reason == IR_REASON_NONE || batch->refusals[0].reason == reason);
}

/* Whatever the properties of the message, the stored body and its id are those of the bytes that
 * were sent. */
static void gzip_is_expanded_within_the_bound(void **state) {
    (void)state;
    static char text[100000] = "[{\"n\":\"BUOY-7/temp\",\"t\":1304208000,\"u\":\"Cel\",\"v\":7}]";
    char packed[1024];
    ir_batch_t *batch = ir_batch_new(registry);
    const ir_view_t good = compress_text(text, packed, sizeof packed);
    expect_bytes(batch, good, IR_REASON_NONE);
    const ir_raw_key_t key = {.kind = IR_RAW_ABSOLUTE,
                              .mote = ir_view_text("BUOY-7"),
                              .body = good,
                              .time_ns = INT64_C(1304208000000000000)};
    ir_id_t id;
    ir_id_raw(&key, &id);
    assert_int_equal(ir_id_compare(&id, &batch->messages[0].raw_id), 0);
    expect_bytes(batch, ir_view(good.data, good.size - 1), IR_REASON_NOT_GZIP);
    memset(text + strlen(text), ' ', sizeof text - 1 - strlen(text));
    const ir_senml_limits_t before = analysis.limits;
    analysis.limits.bytes = sizeof text - 2;
    expect_bytes(batch, compress_text(text, packed, sizeof packed), IR_REASON_TOO_LARGE);
    analysis.limits = before;
    expect_bytes(batch, compress_text(text, packed, sizeof packed), IR_REASON_NONE);
    ir_batch_free(batch);
}

/* A compressed message counts with the size of its decompressed texts, so a batch of such messages
 * does not grow too large. */
static void texts_from_gzip_are_counted(void **state) {
    (void)state;
    static char text[100000] = "[{\"n\":\"BUOY-7/mode\",\"t\":1304208000,\"vs\":\"";
    const size_t head = strlen(text);
    char packed[1024];
    ir_batch_t *batch = ir_batch_new(registry);
    memset(text + head, 'x', sizeof text - head - 4);
    memcpy(text + sizeof text - 4, "\"}]", 4);
    expect_bytes(batch, compress_text(text, packed, sizeof packed), IR_REASON_NONE);
    assert_int_equal(batch->text_bytes, sizeof text - head - 4);
    ir_batch_reset(batch, registry);
    assert_int_equal(batch->text_bytes, 0);
    ir_batch_free(batch);
}

static void values_are_converted_and_kept_as_sent(void **state) {
    (void)state;
    ir_batch_t *batch = ir_batch_new(registry);
    assert_int_equal(add(batch, "ir.BUOY-7", JSON,
                         "[{\"n\":\"BUOY-7/temp\",\"t\":1304208000,\"u\":\"K\",\"v\":282.88}]"),
                     IR_OK);
    const ir_observation_t *observation = &batch->observations[0];
    assert_true(observation->value.number == 9.73);
    assert_true(observation->source_value.number == 282.88);
    assert_int_equal(observation->source_unit.size, 1);
    assert_string_equal(observation->sensor->property->key, "air-temperature");
    assert_int_equal(observation->aggregate, IR_FLAG_NOT_EVALUATED);
    const ir_message_t *message = &batch->messages[0];
    assert_int_equal(message->partition, 3);
    assert_int_equal(message->session, 2);
    assert_int_equal(message->delivery_tag, 9);
    assert_int_equal(message->mote.size, strlen("BUOY-7"));
    ir_batch_free(batch);
}

static void repeats_in_a_large_pack_are_found(void **state) {
    (void)state;
    static char body[64 * 300];
    size_t size = 0;
    for (int i = 0; i < 200; i++) {
        size += (size_t)snprintf(body + size, sizeof body - size,
                                 "%s{\"n\":\"BUOY-7/temp\",\"t\":%d,\"v\":1}", i == 0 ? "[" : ",",
                                 1304208000 + i % 150);
    }
    snprintf(body + size, sizeof body - size, "]");
    ir_batch_t *batch = ir_batch_new(registry);
    assert_int_equal(add(batch, "ir.BUOY-7", JSON, body), IR_OK);
    assert_int_equal(batch->n_observations, 150);
    assert_int_equal(batch->n_refusals, IR_REFUSALS_LISTED + 1);
    assert_int_equal(batch->refusals[0].record, 150);
    const ir_refusal_t *rest = &batch->refusals[IR_REFUSALS_LISTED];
    assert_int_equal(rest->count, 50 - IR_REFUSALS_LISTED);
    for (int record = 0; record < 210; record++) {
        assert_int_equal(ir_refusal_has(ir_view_text(rest->records), record),
                         record >= 150 + IR_REFUSALS_LISTED && record < 200);
    }
    ir_batch_free(batch);
}

/* A small message of 10,000 empty maps: every record is refused. */
static void refusals_do_not_grow_with_the_records(void **state) {
    (void)state;
    enum { RECORDS = 10000 };
    static char body[3 + RECORDS] = {(char)0x99, 0x27, 0x10};
    memset(body + 3, 0xa0, RECORDS);
    ir_batch_t *batch = ir_batch_new(registry);
    for (int i = 0; i < 20; i++) {
        const ir_batch_input_t input = {.routing_key = ir_view_text("ir.BUOY-7"),
                                        .content_type = ir_view_text("application/senml+cbor"),
                                        .body = ir_view(body, sizeof body),
                                        .arrival_ns = NOW_NS + i};
        assert_int_equal(ir_batch_add(batch, &analysis, &input), IR_OK);
        assert_int_equal(batch->messages[i].n_refusals, IR_REFUSALS_LISTED + 1);
    }
    assert_int_equal(batch->refusals[IR_REFUSALS_LISTED].count, RECORDS - IR_REFUSALS_LISTED);
    assert_true(ir_arena_footprint(batch->arena) < 3 * batch->body_bytes);
    ir_batch_free(batch);
}

/* Decoding another message must not change the data kept for the first one. */
static void texts_of_a_message_outlive_its_decoding(void **state) {
    (void)state;
    ir_batch_t *batch = ir_batch_new(registry);
    assert_int_equal(add(batch, "ir.BUOY-7", JSON,
                         "[{\"n\":\"BUOY-7/temp\",\"u\":\"Cel\",\"t\":1304208000,\"v\":1}]"),
                     IR_OK);
    assert_int_equal(add(batch, "ir.BUOY-7", JSON,
                         "[{\"n\":\"BUOY-7/temp\",\"u\":\"K\",\"t\":1304208001,\"v\":290}]"),
                     IR_OK);
    assert_int_equal(batch->n_observations, 2);
    assert_true(ir_view_equal(batch->observations[0].source_unit, ir_view_text("Cel")));
    assert_true(ir_view_equal(batch->observations[1].source_unit, ir_view_text("K")));
    ir_batch_free(batch);
}

static void strangers_get_generic_terms(void **state) {
    (void)state;
    analysis.accept_unregistered = true;
    ir_batch_t *batch = ir_batch_new(registry);
    assert_int_equal(add(batch, "ir.NEW", JSON, "[{\"n\":\"NEW/a/depth\",\"u\":\"m\",\"v\":1}]"),
                     IR_OK);
    analysis.accept_unregistered = false;
    assert_int_equal(batch->n_observations, 1);
    const ir_sensor_t *sensor = batch->observations[0].sensor;
    assert_string_equal(sensor->iri, "https://example.org/sensor/NEW/a/depth");
    assert_string_equal(sensor->property->iri, "https://example.org/property/depth");
    assert_string_equal(sensor->mote->id, "NEW");
    assert_string_equal(sensor->unit_iri, "http://qudt.org/vocab/unit/M");
    assert_false(sensor->registered);
    ir_batch_free(batch);
}

static void a_sensor_of_another_mote_is_foreign(void **state) {
    (void)state;
    analysis.accept_unregistered = true;
    expect("ir.NEW", JSON, "[{\"n\":\"BUOY-7/temp\",\"v\":1}]", "foreign-sensor@0 0");
    analysis.accept_unregistered = false;
}

static void the_mote_can_be_told_from_the_sensors(void **state) {
    (void)state;
    analysis.infer_mote = true;
    expect("", JSON, "[{\"n\":\"BUOY-7/wind\",\"u\":\"kn\",\"v\":1}]", "1");
    expect("", JSON, "[{\"n\":\"NEW/wind\",\"u\":\"kn\",\"v\":1}]", "unknown-sensor@0 0");
    analysis.infer_mote = false;
}

static void a_batch_without_memory_is_as_before(void **state) {
    (void)state;
    failing_alloc_required();
    static const char body[] = "[{\"bn\":\"BUOY-7/\",\"n\":\"temp\",\"v\":1},{\"n\":\"x\",\"v\":1},"
                               "{\"n\":\"mode\",\"vs\":\"a long enough text\"}]";
    unsigned tried = 0;
    for (unsigned nth = 1;; nth++) {
        ir_batch_t *batch = ir_batch_new(registry);
        failing_alloc_arm(nth, FAILING_ALLOC_ALL);
        const ir_status_t status = add(batch, "ir.BUOY-7", JSON, body);
        const bool failed = failing_alloc_disarm();
        assert_int_equal(status, failed ? IR_ERR_MEMORY : IR_OK);
        assert_int_equal(batch->n_messages, failed ? 0 : 1);
        assert_int_equal(batch->n_observations, failed ? 0 : 2);
        assert_int_equal(batch->n_refusals, failed ? 0 : 1);
        ir_batch_free(batch);
        if (!failed) {
            break;
        }
        tried++;
    }
    assert_true(tried > 5);
}

static void a_batch_is_used_again(void **state) {
    (void)state;
    ir_batch_t *batch = ir_batch_new(registry);
    for (int i = 0; i < 3; i++) {
        ir_batch_reset(batch, registry);
        assert_int_equal(add(batch, "ir.BUOY-7", JSON, "[{\"n\":\"BUOY-7/temp\",\"v\":1}]"), IR_OK);
        assert_int_equal(batch->n_messages, 1);
        assert_int_equal(batch->n_observations, 1);
        assert_true(ir_batch_refuse(batch, 0, 0, IR_REASON_GRAPH_REFUSED, "no\nway"));
        assert_int_equal(batch->store_refusals[0].refusal.record, 0);
        assert_string_equal(batch->store_refusals[0].refusal.detail, "no\\x0away");
    }
    ir_batch_free(batch);
    ir_batch_free(NULL);
}

/* A store refused some observations and then became unavailable. Each observation returns to its
 * previous state. */
static void refusals_are_taken_back(void **state) {
    (void)state;
    ir_batch_t *batch = ir_batch_new(registry);
    assert_int_equal(add(batch, "ir.BUOY-7", JSON,
                         "[{\"bn\":\"BUOY-7/\",\"n\":\"temp\",\"v\":1},{\"n\":\"temp\",\"v\":2},"
                         "{\"n\":\"temp\",\"v\":3}]"),
                     IR_OK);
    static const uint8_t states[] = {IR_OBSERVATION_NEW, IR_OBSERVATION_DUPLICATE,
                                     IR_OBSERVATION_NEW};
    for (uint32_t i = 0; i < 3; i++) {
        batch->observations[i].state = states[i];
    }
    assert_true(ir_batch_refuse(batch, 0, 2, IR_REASON_DOCUMENT_REFUSED, "stays"));
    assert_true(ir_batch_refuse(batch, 0, 0, IR_REASON_GRAPH_REFUSED, "no"));
    assert_true(ir_batch_refuse(batch, 0, 1, IR_REASON_GRAPH_REFUSED, "no"));
    assert_true(ir_batch_refuse(batch, 0, UINT32_MAX, IR_REASON_GRAPH_REFUSED, "a revision"));
    ir_batch_undo_refusals(batch, 1);
    assert_int_equal(batch->n_store_refusals, 1);
    assert_int_equal(batch->observations[0].state, IR_OBSERVATION_NEW);
    assert_int_equal(batch->observations[1].state, IR_OBSERVATION_DUPLICATE);
    assert_int_equal(batch->observations[2].state, IR_OBSERVATION_REFUSED);
    ir_batch_free(batch);
}

static void expect_aside(const ir_batch_t *batch, const char *expected) {
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        assert_int_equal(ir_batch_is_aside(batch, i), expected[i] == 'x');
    }
}

/* Two motes that take turns. */
static ir_batch_t *make_mixed(void) {
    ir_batch_t *batch = ir_batch_new(registry);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(add(batch, i % 2 == 0 ? "ir.BUOY-7" : "ir.nobody", JSON,
                             "[{\"n\":\"BUOY-7/temp\",\"v\":1}]"),
                         IR_OK);
    }
    return batch;
}

static void later_messages_of_a_mote_are_set_aside_with_the_first(void **state) {
    (void)state;
    ir_batch_t *batch = make_mixed();
    expect_aside(batch, "......");
    assert_true(ir_batch_set_aside(batch, 2, UINT32_MAX, "why"));
    expect_aside(batch, "..x.x.");
    assert_true(ir_batch_set_aside(batch, 4, UINT32_MAX, "the same"));
    assert_true(ir_batch_set_aside(batch, 5, UINT32_MAX, "why"));
    expect_aside(batch, "..x.xx");
    assert_int_equal(batch->n_aside, 3);
    assert_int_equal(batch->n_store_refusals, 3);
    assert_int_equal(batch->store_refusals[0].refusal.reason, IR_REASON_NONE);
    ir_batch_reset(batch, registry);
    assert_int_equal(batch->n_aside, 0);
    ir_batch_free(batch);
}

/* A stage must retry: it withdraws its own doubts. Doubts of earlier stages stay. */
static void doubts_are_taken_back(void **state) {
    (void)state;
    ir_batch_t *batch = make_mixed();
    assert_true(ir_batch_set_aside(batch, 3, UINT32_MAX, "before"));
    batch->messages[3].aside = batch->messages[5].aside = IR_ASIDE_NOTED;
    assert_true(ir_batch_set_aside(batch, 0, UINT32_MAX, "now"));
    expect_aside(batch, "x.xxxx");
    ir_batch_undo_refusals(batch, 1);
    expect_aside(batch, "...x.x");
    assert_int_equal(batch->n_aside, 2);
    assert_int_equal(batch->n_store_refusals, 1);
    ir_batch_free(batch);
}

static void a_message_that_was_set_aside_comes_again(void **state) {
    (void)state;
    ir_batch_t *from = make_mixed();
    ir_batch_t *to = ir_batch_new(registry);
    assert_int_equal(ir_batch_add_again(to, &analysis, from, 2), IR_OK);
    ir_batch_free(from);
    const ir_message_t *again = &to->messages[0];
    assert_true(again->redelivered);
    assert_int_equal(again->n_observations, 1);
    assert_int_equal(again->arrival_ns, NOW_NS);
    assert_int_equal(again->delivery_tag, 9);
    assert_true(ir_view_equal(again->mote, ir_view_text("BUOY-7")));
    ir_batch_free(to);
}

/* Observations that were written before the mote was in doubt are not written again. Those in doubt
 * or omitted are. */
static void it_is_known_what_of_it_is_stored(void **state) {
    (void)state;
    ir_batch_t *from = ir_batch_new(registry);
    ir_batch_t *to = ir_batch_new(registry);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(add(from, "ir.BUOY-7", JSON,
                             "[{\"bn\":\"BUOY-7/\",\"n\":\"temp\",\"v\":1},"
                             "{\"n\":\"temp\",\"v\":2},{\"n\":\"temp\",\"v\":3}]"),
                         IR_OK);
    }
    ir_batch_leave_out(from);
    from->observations[0].state = IR_OBSERVATION_DUPLICATE;
    assert_true(ir_batch_set_aside(from, 0, 1, "why"));
    assert_true(ir_batch_set_aside(from, 0, 2, "why"));
    from->messages[1].left_out = true;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(ir_batch_add_again(to, &analysis, from, i), IR_OK);
    }
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(to->observations[i].stored, i == 0);
        assert_int_equal(to->observations[i].state,
                         i == 0 ? IR_OBSERVATION_DUPLICATE : IR_OBSERVATION_NEW);
    }
    ir_batch_undo_refusals(from, 0);
    assert_int_equal(from->observations[1].state, IR_OBSERVATION_NEW);
    assert_false(from->messages[1].left_out);
    ir_batch_free(from);
    ir_batch_free(to);
}

/* The same messages are analysed again with other arrivals. Results found with the old arrivals are
 * gone. */
static void a_batch_is_analysed_again(void **state) {
    (void)state;
    failing_alloc_required();
    ir_batch_t *batch = ir_batch_new(registry);
    ir_batch_t *scratch = ir_batch_new(NULL);
    assert_int_equal(add(batch, "ir.BUOY-7", JSON, "[{\"n\":\"BUOY-7/temp\",\"v\":1}]"), IR_OK);
    assert_int_equal(add(batch, "ir.nobody", JSON, "[{\"n\":\"a\",\"v\":1}]"), IR_OK);
    assert_int_equal(add(batch, "ir.BUOY-7", JSON, "[{\"n\":\"BUOY-7/temp\",\"v\":2}]"), IR_OK);
    assert_true(ir_batch_refuse(batch, 2, 1, IR_REASON_GRAPH_REFUSED, "no"));
    batch->messages[1].aside = IR_ASIDE_NOTED;
    batch->n_aside = 1;
    batch->sequence = 17;
    const ir_senml_clock_t clocks[] = {
        {.arrival_ns = NOW_NS - 5000}, {.arrival_ns = NOW_NS}, {NOW_NS + 5000, NOW_NS - 9000}};
    failing_alloc_arm(1, FAILING_ALLOC_ALL);
    assert_int_equal(ir_batch_rebuild(batch, scratch, &analysis, clocks), IR_ERR_MEMORY);
    assert_true(failing_alloc_disarm());
    assert_int_equal(batch->observations[0].time_ns, NOW_NS);
    assert_int_equal(ir_batch_rebuild(batch, scratch, &analysis, clocks), IR_OK);
    assert_int_equal(batch->n_messages, 3);
    assert_int_equal(batch->n_observations, 2);
    assert_int_equal(batch->n_refusals, 1);
    assert_int_equal(batch->n_store_refusals, 0);
    assert_int_equal(batch->sequence, 17);
    assert_int_equal(batch->observations[0].time_ns, NOW_NS - 5000);
    assert_int_equal(batch->observations[1].time_ns, NOW_NS - 9000);
    assert_int_equal(batch->messages[2].arrival_ns, NOW_NS + 5000);
    assert_int_equal(batch->observations[1].message, 2);
    assert_int_equal(batch->observations[1].state, IR_OBSERVATION_NEW);
    assert_int_equal(batch->messages[2].delivery_tag, 9);
    assert_int_equal(batch->messages[2].partition, 3);
    expect_aside(batch, ".x.");
    assert_int_equal(scratch->n_messages, 0);
    ir_batch_free(batch);
    ir_batch_free(scratch);
}

/* Registering a mote or a sensor does not change the id of what it sent before. */
static void raw_ids_do_not_depend_on_the_registry(void **state) {
    (void)state;
    ir_batch_t *batch = ir_batch_new(registry);
    ir_registry_t *other = NULL;
    ir_error_t error;
    assert_int_equal(ir_registry_load("tests/data/annotate/mere.ttl", &other, NULL, &error), IR_OK);
    ir_batch_t *stranger = ir_batch_new(other);
    ir_registry_unref(other);
    static const char body[] = "[{\"n\":\"BUOY-7/temp\",\"t\":1399999999,\"v\":1}]";
    assert_int_equal(add(batch, "ir.BUOY-7", JSON, body), IR_OK);
    assert_int_equal(add(stranger, "ir.BUOY-7", JSON, body), IR_OK);
    assert_int_equal(batch->n_refusals, 0);
    assert_int_equal(stranger->n_refusals, 1);
    assert_int_equal(ir_id_compare(&batch->messages[0].raw_id, &stranger->messages[0].raw_id), 0);
    ir_batch_free(batch);
    ir_batch_free(stranger);
}

static void flags_and_tests_have_their_texts(void **state) {
    (void)state;
    static const char *const tests[] = {"gross_range", "climatology", "spike", "rate_of_change",
                                        "flat_line"};
    for (int i = 0; i < IR_TEST_COUNT; i++) {
        assert_string_equal(ir_test_text((ir_test_t)i), tests[i]);
    }
    assert_string_equal(ir_flag_text(1), "good");
    assert_string_equal(ir_flag_text(2), "not_evaluated");
    assert_string_equal(ir_flag_text(3), "suspect");
    assert_string_equal(ir_flag_text(4), "fail");
    assert_string_equal(ir_flag_text(9), "missing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused_and_why),
        cmocka_unit_test(gzip_is_expanded_within_the_bound),
        cmocka_unit_test(texts_from_gzip_are_counted),
        cmocka_unit_test(values_are_converted_and_kept_as_sent),
        cmocka_unit_test(repeats_in_a_large_pack_are_found),
        cmocka_unit_test(refusals_do_not_grow_with_the_records),
        cmocka_unit_test(texts_of_a_message_outlive_its_decoding),
        cmocka_unit_test(strangers_get_generic_terms),
        cmocka_unit_test(a_sensor_of_another_mote_is_foreign),
        cmocka_unit_test(the_mote_can_be_told_from_the_sensors),
        cmocka_unit_test(a_batch_without_memory_is_as_before),
        cmocka_unit_test(a_batch_is_used_again),
        cmocka_unit_test(later_messages_of_a_mote_are_set_aside_with_the_first),
        cmocka_unit_test(doubts_are_taken_back),
        cmocka_unit_test(a_message_that_was_set_aside_comes_again),
        cmocka_unit_test(it_is_known_what_of_it_is_stored),
        cmocka_unit_test(refusals_are_taken_back),
        cmocka_unit_test(a_batch_is_analysed_again),
        cmocka_unit_test(raw_ids_do_not_depend_on_the_registry),
        cmocka_unit_test(flags_and_tests_have_their_texts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
