/* How a worker checks that the broker's exchanges and queues exist: its queries, and its reaction
 * to the answers. */
#include "broker/watch.h"
#include "common/clock.h"
#include "tests/unit/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CHANNEL 2
#define EXCHANGES 4
#define ALL (EXCHANGES + 1 + 8) /* also the queue ir.rejected and eight partitions */

typedef struct ir_scene {
    ir_watch_t watch;
    ir_wire_t wire;
    ir_partition_set_t mine;
    int64_t now_ns;
    ir_watch_news_t news;
} ir_scene_t;

static int set_up(void **state) {
    static ir_scene_t scene;
    memset(&scene, 0, sizeof scene);
    scene.wire = wire_open();
    scene.now_ns = 100 * IR_SECOND_NS;
    ir_watch_init(&scene.watch, &wire_topology);
    *state = &scene;
    return 0;
}

static int tear_down(void **state) {
    ir_scene_t *scene = *state;
    wire_close(&scene->wire);
    return 0;
}

static ir_watch_event_t hear(ir_scene_t *scene, amqp_method_number_t id, void *decoded) {
    const amqp_method_t method = {.id = id, .decoded = decoded};
    return ir_watch_method(&scene->watch, scene->wire.connection, CHANNEL, &method, scene->now_ns,
                           &scene->news);
}

static ir_watch_event_t hear_close(ir_scene_t *scene, int code) {
    amqp_channel_close_t close = {.reply_code = (uint16_t)code,
                                  .reply_text = amqp_cstring_bytes("because")};
    return hear(scene, AMQP_CHANNEL_CLOSE_METHOD, &close);
}

static void turn(ir_scene_t *scene) {
    scene->now_ns += IR_SECOND_NS;
    assert_int_equal(
        ir_watch_turn(&scene->watch, scene->wire.connection, CHANNEL, &scene->mine, scene->now_ns),
        AMQP_STATUS_OK);
}

/* Opens the channel. This worker has all partitions from `first` on. */
static void begin(ir_scene_t *scene, unsigned first) {
    for (unsigned i = first; i < wire_topology.partitions; i++) {
        ir_partition_set_add(&scene->mine, i);
    }
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_OPEN_METHOD), 1);
    assert_int_equal(hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL), IR_WATCH_NOTHING);
    wire_count(&scene->wire, 0);
}

/* Sends a declare-ok for each object before the missing one. */
static void hear_present(ir_scene_t *scene, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        hear(scene, i < EXCHANGES ? AMQP_EXCHANGE_DECLARE_OK_METHOD : AMQP_QUEUE_DECLARE_OK_METHOD,
             NULL);
    }
}

static void it_looks_once_a_second_after_what_is_its_own(void **state) {
    ir_scene_t *scene = *state;
    begin(scene, 0);
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_EXCHANGE_DECLARE_METHOD), EXCHANGES);
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_QUEUE_DECLARE_METHOD), 1 + 8);
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_QUEUE_BIND_METHOD), 1 + 8);
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_EXCHANGE_BIND_METHOD), 1);
    scene->now_ns -= IR_SECOND_NS / 2;
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_QUEUE_DECLARE_METHOD), 0);
}

static void what_is_shared_belongs_to_partition_0(void **state) {
    ir_scene_t *scene = *state;
    begin(scene, 6);
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_EXCHANGE_DECLARE_METHOD), 0);
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_QUEUE_DECLARE_METHOD), 2);
}

static void what_is_missing_is_found_told_and_made(void **state) {
    ir_scene_t *scene = *state;
    begin(scene, 0);
    turn(scene);
    wire_count(&scene->wire, 0);
    assert_int_equal(hear_close(scene, AMQP_NOT_FOUND), IR_WATCH_NOTHING);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_CLOSE_OK_METHOD), 1);
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    hear_present(scene, 1);
    assert_int_equal(hear_close(scene, AMQP_NOT_FOUND), IR_WATCH_MISSING);
    assert_string_equal(scene->news.text, "exchange ir.processed");
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    hear_present(scene, EXCHANGES + 1 + 5);
    assert_int_equal(hear_close(scene, AMQP_NOT_FOUND), IR_WATCH_MISSING);
    assert_string_equal(scene->news.text, "queue ir.observations.5");
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    wire_count(&scene->wire, 0);
    hear_present(scene, ALL);
    assert_int_equal(scene->watch.state, IR_WATCH_LOOKING);
    assert_int_equal(wire_count(&scene->wire, AMQP_QUEUE_BIND_METHOD), 1 + 8);
}

/* All bindings were deleted with the exchange, including those of other workers' queues. */
static void the_maker_of_the_exchange_binds_all_queues(void **state) {
    ir_scene_t *scene = *state;
    ir_partition_set_add(&scene->mine, 0);
    begin(scene, 8);
    turn(scene);
    hear_close(scene, AMQP_NOT_FOUND);
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    assert_int_equal(hear_close(scene, AMQP_NOT_FOUND), IR_WATCH_MISSING);
    assert_string_equal(scene->news.text, "exchange ir.observations");
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    wire_count(&scene->wire, 0);
    hear_present(scene, EXCHANGES + 2);
    assert_int_equal(wire_count(&scene->wire, AMQP_QUEUE_BIND_METHOD), 1 + 8);
}

/* The worker's queue exists, but an exchange is missing that another worker maintains. This worker
 * does not query again and again until it is repaired. */
static void it_waits_for_what_is_not_its_own(void **state) {
    ir_scene_t *scene = *state;
    begin(scene, 7);
    turn(scene);
    hear_close(scene, AMQP_NOT_FOUND);
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    hear_present(scene, 1);
    wire_count(&scene->wire, 0);
    assert_int_equal(hear_close(scene, AMQP_NOT_FOUND), IR_WATCH_NOTHING);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_OPEN_METHOD), 0);
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_OPEN_METHOD), 1);
}

static void a_refusal_is_told_and_tried_again_later(void **state) {
    ir_scene_t *scene = *state;
    begin(scene, 0);
    turn(scene);
    wire_count(&scene->wire, 0);
    assert_int_equal(hear_close(scene, AMQP_ACCESS_REFUSED), IR_WATCH_REFUSED);
    assert_int_equal(scene->news.error.status, IR_ERR_AUTH);
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_OPEN_METHOD), 0);
    scene->now_ns += 10 * IR_SECOND_NS;
    turn(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_OPEN_METHOD), 1);
}

static void a_repeated_close_is_answered_once(void **state) {
    ir_scene_t *scene = *state;
    begin(scene, 0);
    hear_close(scene, AMQP_NOT_FOUND);
    hear_close(scene, AMQP_NOT_FOUND);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_CLOSE_OK_METHOD), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_looks_once_a_second_after_what_is_its_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_shared_belongs_to_partition_0, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_missing_is_found_told_and_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_maker_of_the_exchange_binds_all_queues, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_waits_for_what_is_not_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_is_told_and_tried_again_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repeated_close_is_answered_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
