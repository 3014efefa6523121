#include "observation/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* These texts are part of the interface: dead letters, metrics and documents show them. */
static void every_reason_has_its_text(void **state) {
    (void)state;
    static const char *const texts[IR_REASON_COUNT] = {
        "none",          "no-routing-key", "content-type",     "too-large",
        "not-gzip",      "not-json",       "not-cbor",         "too-deep",
        "not-senml",     "empty-pack",     "too-many-records", "version",
        "unknown-label", "unknown-mote",   "bad-field",        "bad-name",
        "no-value",      "many-values",    "not-finite",       "out-of-range",
        "future",        "unknown-sensor", "foreign-sensor",   "unit",
        "value-type",    "duplicate",      "document-refused", "graph-refused",
        "unpublishable",
    };
    for (int i = 0; i < IR_REASON_COUNT; i++) {
        assert_non_null(texts[i]);
        assert_string_equal(ir_reason_text((ir_reason_t)i), texts[i]);
    }
}

static void other_numbers_are_unknown(void **state) {
    (void)state;
    assert_string_equal(ir_reason_text(IR_REASON_COUNT), "unknown");
    assert_string_equal(ir_reason_text((ir_reason_t)-1), "unknown");
}

/* Every reason is explained in the reference. */
static void the_manual_knows_every_reason(void **state) {
    (void)state;
    static char manual[64 * 1024];
    FILE *file = fopen("docs/reference/formats.md", "r");
    assert_non_null(file);
    const size_t size = fread(manual, 1, sizeof manual - 1, file);
    fclose(file);
    assert_true(size > 0 && size < sizeof manual - 1);
    for (int i = IR_REASON_NONE + 1; i < IR_REASON_COUNT; i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "`%s`", ir_reason_text((ir_reason_t)i));
        if (strstr(manual, quoted) == NULL) {
            fail_msg("docs/reference/formats.md lacks %s", quoted);
        }
    }
}

static void a_refusal_is_filled(void **state) {
    (void)state;
    ir_refusal_t refusal;
    memset(&refusal, 0x55, sizeof refusal);
    ir_refusal_set(&refusal, IR_REASON_UNIT, 7, "unit '%s' of %d", "furlong", 3);
    assert_int_equal(refusal.reason, IR_REASON_UNIT);
    assert_int_equal(refusal.record, 7);
    assert_string_equal(refusal.detail, "unit 'furlong' of 3");
}

/* The text is one printable line, whatever a mote has put into its names. */
static void details_are_made_printable(void **state) {
    (void)state;
    ir_refusal_t refusal;
    ir_refusal_set(&refusal, IR_REASON_BAD_NAME, -1, "%s",
                   "a\nb\rc\td\x01"
                   "e\x1f"
                   "f\x7fg\xc3\xa9\xff~ ");
    assert_string_equal(refusal.detail, "a\\x0ab\\x0dc\\x09d\\x01e\\x1ff\\x7fg\xc3\xa9\\xff~ ");
}

static void details_are_cut(void **state) {
    (void)state;
    char text[400];
    ir_refusal_t refusal;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(&refusal, 0x55, sizeof refusal);
    ir_refusal_set(&refusal, IR_REASON_BAD_NAME, 0, "%s", text);
    assert_int_equal(strnlen(refusal.detail, sizeof refusal.detail), sizeof refusal.detail - 1);
    /* The caller must first copy a text that is part of the refusal itself. An empty text is
     * allowed. */
    ir_refusal_set(&refusal, IR_REASON_NONE, 0, "%s", "");
    assert_string_equal(refusal.detail, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_its_text),
        cmocka_unit_test(other_numbers_are_unknown),
        cmocka_unit_test(the_manual_knows_every_reason),
        cmocka_unit_test(a_refusal_is_filled),
        cmocka_unit_test(details_are_made_printable),
        cmocka_unit_test(details_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
