/* The progress display of a load. */
#include "loadgen/measure/progress.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Returns the display of this state, ten seconds after the start. */
static void show(bool terminal, ir_progress_state_t *state, char text[static 2048]) {
    static const ir_targets_t none = {.count = 0};
    FILE *out = tmpfile();
    assert_non_null(out);
    ir_progress_t progress;
    ir_progress_init(&progress, out, terminal, 0);
    state->now_ns = 10 * IR_SECOND_NS;
    state->targets = &none;
    ir_progress_show(&progress, state);
    rewind(out);
    text[fread(text, 1, 2047, out)] = '\0';
    fclose(out);
}

static void nothing_was_measured_yet(void **state) {
    (void)state;
    char text[2048];
    const ir_quantiles_t none = {.count = 0};
    const ir_quantiles_t some = {.count = 1, .p50 = 1.25, .p99 = 2.5, .max = 3};
    ir_progress_state_t shown = {
        .sending = true, .sent = 100, .heard = true, .confirms = &some, .back = &none};
    show(false, &shown, text);
    assert_non_null(strstr(text, "sent 100 observations, 10/s  back 0/s"));
    assert_non_null(strstr(text, "p50 – ms  p99 – ms"));
    show(true, &shown, text);
    assert_non_null(strstr(text, "confirmed   p50 1.2  p99 2.5  max 3.0 ms"));
    assert_non_null(strstr(text, "republished p50 –  p99 –  max – ms"));
    assert_non_null(strstr(text, "sent 10/s, back"));
}

static void nothing_is_sent_any_more(void **state) {
    (void)state;
    char text[2048];
    const ir_quantiles_t some = {.count = 1, .p50 = 1.25, .p99 = 2.5, .max = 3};
    ir_progress_state_t shown = {.asked = 50, .sent = 100, .confirms = &some, .back = &some};
    show(false, &shown, text);
    assert_non_null(strstr(text, "sent 100 observations  confirmed"));
    assert_null(strstr(text, "of 50/s"));
    show(true, &shown, text);
    assert_non_null(strstr(text, "  all sent, confirmed"));
    assert_null(strstr(text, "of 50/s"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_was_measured_yet),
        cmocka_unit_test(nothing_is_sent_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
