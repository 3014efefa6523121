/* Sending to a broker that is unavailable: shipments come back at once, shipments in progress are
 * freed at the stop, and the limits hold. (With a broker: tests/integration/test_ingest.py.) */
#include "common/clock.h"
#include "ingest/outlet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>

#define CAPACITY 64
#define ROUNDS 500
#define WAIT_MS 10000

static ir_outlet_t *start(void) {
    const ir_outlet_options_t options = {
        .broker = {.uri = "amqp://127.0.0.1:1", .name = "test", .timeout_ns = IR_SECOND_NS},
        .capacity = CAPACITY,
        .memory = 1 << 20,
        .mote_messages = 8,
        .late_ns = IR_SECOND_NS,
        .backoff_first_ns = IR_MILLISECOND_NS,
        .backoff_longest_ns = 5 * IR_MILLISECOND_NS,
    };
    ir_outlet_t *outlet = NULL;
    ir_error_t error;
    assert_int_equal(ir_outlet_start(&options, &outlet, &error), IR_OK);
    return outlet;
}

static ir_shipment_t *make_shipment(size_t n) {
    static ir_submission_pack_t packs[8];
    const ir_submission_t submission = {.media = IR_MEDIA_SENML_JSON, .packs = packs, .n_packs = n};
    for (size_t i = 0; i < n; i++) {
        packs[i].body = ir_view_text("[]");
    }
    ir_shipment_t *shipment = ir_shipment_new(&submission, "creek-1");
    assert_non_null(shipment);
    return shipment;
}

static void give(ir_outlet_t *outlet, size_t n) {
    ir_shipment_t *shipment = make_shipment(n);
    assert_true(ir_outlet_give(outlet, shipment));
    ir_outlet_wake(outlet);
}

/* Does what one turn of the gateway's loop does. */
static size_t take_back(ir_outlet_t *outlet) {
    struct pollfd polled = {.fd = ir_outlet_fd(outlet), .events = POLLIN};
    assert_int_equal(poll(&polled, 1, WAIT_MS), 1);
    ir_outlet_acknowledge(outlet);
    size_t taken = 0;
    for (ir_shipment_t *each; (each = ir_outlet_take(outlet)) != NULL; taken++) {
        assert_int_equal(each->fate, IR_SHIPMENT_UNSENT);
        assert_int_equal(each->open, 0);
        ir_shipment_free(each);
    }
    return taken;
}

static void shipments_come_back_while_the_broker_is_away(void **state) {
    (void)state;
    ir_outlet_t *outlet = start();
    char text[200] = "";
    size_t under_way = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        give(outlet, 1 + i % 3);
        under_way++;
        if (i % 16 == 15) {
            while (under_way > 0) {
                under_way -= take_back(outlet);
            }
        }
    }
    while (under_way > 0) {
        under_way -= take_back(outlet);
    }
    assert_int_equal(ir_outlet_state(outlet), IR_OUTLET_AWAY);
    assert_int_equal(ir_outlet_reconnects(outlet), 0);
    assert_true(ir_outlet_fault(outlet, text, sizeof text)[0] != '\0');
    ir_outlet_stop(outlet);
}

static void no_more_than_its_capacity_is_under_way(void **state) {
    (void)state;
    ir_outlet_t *outlet = start();
    ir_shipment_t *refused = NULL;
    size_t given = 0;
    while (refused == NULL) {
        ir_shipment_t *shipment = make_shipment(1);
        if (ir_outlet_give(outlet, shipment)) {
            given++;
        } else {
            refused = shipment;
        }
    }
    assert_int_equal(given, CAPACITY);
    ir_shipment_free(refused);
    ir_outlet_stop(outlet);
    ir_outlet_stop(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipments_come_back_while_the_broker_is_away),
        cmocka_unit_test(no_more_than_its_capacity_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
