/* The motes with the most refusals are found, however many motes there are. */
#include "common/culprits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/metrics_text.h"

static void add(ir_culprits_t *culprits, const char *mote, uint64_t count) {
    ir_culprits_add(culprits, ir_view_text(mote), count, "why");
}

static void the_worst_is_among_them(void **state) {
    (void)state;
    ir_metrics_t *metrics = ir_metrics_new();
    ir_culprits_t culprits;
    ir_culprits_open(&culprits, metrics, "top", "Help.");
    for (unsigned i = 0; i < 1000; i++) {
        char mote[16];
        snprintf(mote, sizeof mote, "mote-%u", i);
        add(&culprits, mote, 1);
        ir_culprits_count(&culprits, ir_view_text("poison"), 9);
    }
    char *text = shown(metrics);
    assert_non_null(strstr(text, "top{mote=\"poison\"} 9000\n"));
    size_t series = 0;
    for (const char *at = text; (at = strstr(at, "top{")) != NULL; at++) {
        series++;
    }
    assert_int_equal(series, IR_CULPRITS_MOST);
    free(text);
    ir_metrics_free(metrics);
}

static void nobody_is_shown_without_a_name(void **state) {
    (void)state;
    ir_metrics_t *metrics = ir_metrics_new();
    ir_culprits_t culprits;
    ir_culprits_open(&culprits, metrics, "top", "Help.");
    char *text = shown(metrics);
    assert_null(strstr(text, "\ntop"));
    free(text);
    ir_culprits_add(&culprits, ir_view("a\"\xff", 3), 2, "why");
    text = shown(metrics);
    assert_non_null(strstr(text, "top{mote=\"a\\\"\\\\xff\"} 2\n"));
    free(text);
    ir_metrics_free(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_is_among_them),
        cmocka_unit_test(nobody_is_shown_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
