/* How a partition answers the broker. */
#include "broker/partition.h"
#include "tests/unit/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NUMBER 3
#define CHANNEL (NUMBER + 1)
#define PREFETCH 10

typedef struct ir_scene {
    ir_partition_t partition;
    ir_wire_t wire;
    ir_error_t error;
} ir_scene_t;

static int set_up(void **state) {
    static ir_scene_t scene;
    memset(&scene, 0, sizeof scene);
    scene.wire = wire_open();
    ir_partition_init(&scene.partition, NUMBER, NUMBER + 1);
    *state = &scene;
    return 0;
}

static int tear_down(void **state) {
    ir_scene_t *scene = *state;
    ir_partition_free(&scene->partition);
    wire_close(&scene->wire);
    return 0;
}

static ir_partition_event_t hear(ir_scene_t *scene, amqp_method_number_t id, void *decoded) {
    const amqp_frame_t frame = {.frame_type = AMQP_FRAME_METHOD,
                                .channel = CHANNEL,
                                .payload.method = {.id = id, .decoded = decoded}};
    ir_assembled_t message;
    return ir_partition_frame(&scene->partition, scene->wire.connection, &frame, 1000, 0, &message,
                              &scene->error);
}

static ir_partition_event_t hear_close(ir_scene_t *scene, int code) {
    amqp_channel_close_t close = {.reply_code = (uint16_t)code,
                                  .reply_text = amqp_cstring_bytes("delivery timed out")};
    return hear(scene, AMQP_CHANNEL_CLOSE_METHOD, &close);
}

static void take(ir_scene_t *scene) {
    assert_int_equal(
        ir_partition_take(&scene->partition, scene->wire.connection, &wire_topology, PREFETCH, 0),
        AMQP_STATUS_OK);
}

static void hold(ir_scene_t *scene) {
    take(scene);
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    assert_int_equal(hear(scene, AMQP_BASIC_CONSUME_OK_METHOD, NULL), IR_PARTITION_OPENED);
    wire_count(&scene->wire, 0);
}

static void a_repeated_close_is_answered_once(void **state) {
    ir_scene_t *scene = *state;
    hold(scene);
    assert_int_equal(hear_close(scene, AMQP_PRECONDITION_FAILED), IR_PARTITION_LOST);
    assert_non_null(strstr(scene->error.text, "partition 3"));
    assert_non_null(strstr(scene->error.text, "delivery timed out"));
    assert_int_equal(hear_close(scene, AMQP_PRECONDITION_FAILED), IR_PARTITION_NOTHING);
    assert_int_equal(scene->partition.state, IR_PARTITION_FREE);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_CLOSE_OK_METHOD), 1);
}

/* The broker may repeat a channel.close while the channel is being reopened. A channel.close after
 * the open-ok is a new one. */
static void a_repeat_does_not_close_the_next_session(void **state) {
    ir_scene_t *scene = *state;
    hold(scene);
    hear_close(scene, AMQP_PRECONDITION_FAILED);
    take(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_CLOSE_OK_METHOD), 1);
    assert_int_equal(hear_close(scene, AMQP_PRECONDITION_FAILED), IR_PARTITION_NOTHING);
    assert_int_equal(scene->partition.state, IR_PARTITION_OPENING);
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    assert_int_equal(hear_close(scene, AMQP_ACCESS_REFUSED), IR_PARTITION_LOST);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_CLOSE_OK_METHOD), 1);
}

/* Both sides close the channel at once. The broker's close is answered once, and we wait for the
 * answer to ours. */
static void closes_that_cross(void **state) {
    ir_scene_t *scene = *state;
    hold(scene);
    assert_int_equal(ir_partition_give(&scene->partition, scene->wire.connection, 0),
                     AMQP_STATUS_OK);
    assert_int_equal(hear_close(scene, AMQP_PRECONDITION_FAILED), IR_PARTITION_NOTHING);
    assert_int_equal(hear_close(scene, AMQP_PRECONDITION_FAILED), IR_PARTITION_NOTHING);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_CLOSE_OK_METHOD), 1);
    assert_int_equal(scene->partition.state, IR_PARTITION_CLOSING);
    hear(scene, AMQP_CHANNEL_CLOSE_OK_METHOD, NULL);
    assert_int_equal(scene->partition.state, IR_PARTITION_FREE);
}

/* The broker takes unacknowledged messages back. Acknowledgements of the old session have no
 * effect, and the next session has a new number. */
static void a_close_ends_the_session(void **state) {
    ir_scene_t *scene = *state;
    hold(scene);
    const uint32_t session = scene->partition.session;
    ir_partition_passed(&scene->partition);
    hear_close(scene, AMQP_PRECONDITION_FAILED);
    assert_int_equal(scene->partition.outstanding, 0);
    assert_true(scene->partition.due_ns > 0);
    take(scene);
    assert_int_not_equal(scene->partition.session, session);
}

/* Messages that are set aside stay unacknowledged while later ones are acknowledged. */
static void a_hand_over_waits_for_each_message(void **state) {
    ir_scene_t *scene = *state;
    hold(scene);
    for (int i = 0; i < 4; i++) {
        ir_partition_passed(&scene->partition);
    }
    ir_partition_give(&scene->partition, scene->wire.connection, 0);
    ir_partition_acknowledge(&scene->partition, scene->wire.connection, 3, 0, 0);
    ir_partition_acknowledge(&scene->partition, scene->wire.connection, 4, 0, 0);
    assert_int_equal(scene->partition.state, IR_PARTITION_DRAINING);
    ir_partition_acknowledge(&scene->partition, scene->wire.connection, 2, 2, 0);
    assert_int_equal(scene->partition.state, IR_PARTITION_CLOSING);
    assert_int_equal(wire_count(&scene->wire, AMQP_BASIC_ACK_METHOD), 3);
}

static void a_queue_that_is_missing_is_declared_with_the_next_taking(void **state) {
    ir_scene_t *scene = *state;
    take(scene);
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    assert_int_equal(wire_count(&scene->wire, AMQP_QUEUE_DECLARE_METHOD), 0);
    assert_int_equal(hear_close(scene, AMQP_NOT_FOUND), IR_PARTITION_LOST);
    take(scene);
    assert_int_equal(wire_count(&scene->wire, AMQP_QUEUE_DECLARE_METHOD), 1);
}

static void a_cancelled_consumer_closes_its_channel(void **state) {
    ir_scene_t *scene = *state;
    hold(scene);
    assert_int_equal(hear(scene, AMQP_BASIC_CANCEL_METHOD, NULL), IR_PARTITION_LOST);
    assert_int_equal(scene->partition.state, IR_PARTITION_CLOSING);
    assert_true(scene->partition.missing);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_CLOSE_METHOD), 1);
}

/* The partition's channel is closed while the connection stays. Frames that arrive late have no
 * effect. */
static void a_queue_that_does_not_answer_is_suspected(void **state) {
    ir_scene_t *scene = *state;
    take(scene);
    hear(scene, AMQP_CHANNEL_OPEN_OK_METHOD, NULL);
    assert_int_equal(ir_partition_give_up(&scene->partition, scene->wire.connection, 5),
                     AMQP_STATUS_OK);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_CLOSE_METHOD), 1);
    assert_true(scene->partition.suspect);
    assert_true(scene->partition.due_ns > 5);
    assert_int_equal(scene->partition.asked_ns, 5);
    assert_int_equal(hear(scene, AMQP_BASIC_CONSUME_OK_METHOD, NULL), IR_PARTITION_NOTHING);
    assert_int_equal(scene->partition.state, IR_PARTITION_CLOSING);
    assert_int_equal(ir_partition_give_up(&scene->partition, scene->wire.connection, 9),
                     AMQP_STATUS_OK);
    assert_int_equal(wire_count(&scene->wire, AMQP_CHANNEL_CLOSE_METHOD), 0);
    hear(scene, AMQP_CHANNEL_CLOSE_OK_METHOD, NULL);
    assert_int_equal(scene->partition.state, IR_PARTITION_FREE);
    assert_true(scene->partition.suspect);
}

/* RabbitMQ closes the whole connection if one of its channels has waited too long for a queue. */
static void a_connection_lost_while_it_was_asked(void **state) {
    ir_scene_t *scene = *state;
    take(scene);
    ir_partition_reset(&scene->partition);
    assert_true(scene->partition.suspect);
    ir_partition_reset(&scene->partition);
    assert_true(scene->partition.suspect);
    ir_partition_judge(&scene->partition, false, 7);
    assert_true(scene->partition.suspect);
    assert_true(scene->partition.due_ns > 7);
    ir_partition_judge(&scene->partition, true, 8);
    assert_false(scene->partition.suspect);
    assert_int_equal(scene->partition.due_ns, 8);
    hold(scene);
    ir_partition_reset(&scene->partition);
    assert_false(scene->partition.suspect);
}

/* A queue does not answer while its partition is handed over to another worker. The queue is not
 * suspected of a fault. */
static void a_close_that_is_not_answered(void **state) {
    ir_scene_t *scene = *state;
    hold(scene);
    ir_partition_give(&scene->partition, scene->wire.connection, 1);
    ir_partition_give_up(&scene->partition, scene->wire.connection, 9);
    assert_int_equal(scene->partition.state, IR_PARTITION_CLOSING);
    assert_int_equal(scene->partition.asked_ns, 9);
    assert_false(scene->partition.suspect);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_repeated_close_is_answered_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repeat_does_not_close_the_next_session, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(closes_that_cross, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_close_ends_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hand_over_waits_for_each_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_queue_that_is_missing_is_declared_with_the_next_taking,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancelled_consumer_closes_its_channel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_queue_that_does_not_answer_is_suspected, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_connection_lost_while_it_was_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_close_that_is_not_answered, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
