/* The time when each mote was last heard. The number of motes is limited. */
#include "common/clock.h"
#include "worker/heard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/metrics_text.h"

static void the_latest_counts(void **state) {
    (void)state;
    ir_metrics_t *metrics = ir_metrics_new();
    ir_heard_t *heard = ir_heard_new(metrics);
    const ir_view_t mote = ir_view_text("elbe-dresden");
    ir_heard_note(heard, mote, 1000 * IR_SECOND_NS);
    ir_heard_note(heard, mote, 2500 * IR_SECOND_NS + 1);
    ir_heard_note(heard, mote, 2000 * IR_SECOND_NS);
    char *text = shown(metrics);
    assert_non_null(strstr(text, "\nir_mote_last_arrival_seconds{mote=\"elbe-dresden\"} 2500\n"));
    free(text);
    ir_heard_free(heard);
    ir_metrics_free(metrics);
}

static void there_is_room_for_so_many(void **state) {
    (void)state;
    ir_metrics_t *metrics = ir_metrics_new();
    ir_heard_t *heard = ir_heard_new(metrics);
    for (unsigned i = 0; i < IR_HEARD_MOST + 5; i++) {
        char mote[16];
        snprintf(mote, sizeof mote, "mote-%u", i);
        ir_heard_note(heard, ir_view_text(mote), IR_SECOND_NS);
    }
    ir_heard_note(heard, ir_view_text("mote-0"), 7 * IR_SECOND_NS);
    char *text = shown(metrics);
    size_t series = 0;
    for (const char *at = text; (at = strstr(at, "arrival_seconds{mote=")) != NULL; at++) {
        series++;
    }
    assert_int_equal(series, IR_HEARD_MOST);
    assert_non_null(strstr(text, "{mote=\"mote-0\"} 7\n"));
    free(text);
    ir_heard_free(heard);
    ir_metrics_free(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_counts),
        cmocka_unit_test(there_is_room_for_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
