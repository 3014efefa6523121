/* Canonical forms of literals: every type that an RDF store may keep as a value, and literals that
 * must stay unchanged. */
#include "observation/turtle/canonical.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define XSD "http://www.w3.org/2001/XMLSchema#"

static const struct {
    const char *type, *text, *canonical;
} cases[] = {
    {XSD "decimal", "34.5000", "34.5"},
    {XSD "decimal", "+1.0", "1.0"},
    {XSD "decimal", "5", "5.0"},
    {XSD "decimal", "5.", "5.0"},
    {XSD "decimal", ".5", "0.5"},
    {XSD "decimal", "-0.0", "0.0"},
    {XSD "decimal", "-00.50", "-0.5"},
    {XSD "decimal",
     "00000000000000000000000000000012345678901234567890123456789012345678901234567890"
     ".123456789000",
     "12345678901234567890123456789012345678901234567890.123456789"},
    {XSD "decimal", " \n7.10 ", "7.1"},
    {XSD "decimal", "1e3", "1e3"},
    {XSD "decimal", ".", "."},
    {XSD "decimal", "", ""},
    {XSD "integer", "007", "7"},
    {XSD "integer", "+5", "5"},
    {XSD "integer", "-0", "0"},
    {XSD "integer", "1.0", "1.0"},
    {XSD "nonNegativeInteger", "042", "42"},
    {XSD "int", "-042", "-42"},
    {XSD "unsignedByte", "abc", "abc"},
    {XSD "double", "1.0E1", "1.0E1"},
    {XSD "double", "10", "1.0E1"},
    {XSD "double", "0.1", "1.0E-1"},
    {XSD "double", "-0", "-0.0E0"},
    {XSD "double", "1e400", "INF"},
    {XSD "double", "+INF", "INF"},
    {XSD "double", "NaN", "NaN"},
    {XSD "double", "0x10", "0x10"},
    {XSD "double", "1.7976931348623157e308", "1.7976931348623157E308"},
    {XSD "float", "1.10", "1.1E0"},
    {XSD "float", "16777217", "1.6777216E7"},
    {XSD "boolean", "1", "true"},
    {XSD "boolean", "0", "false"},
    {XSD "boolean", "yes", "yes"},
    {XSD "dateTime", "2020-01-01T00:00:00.500Z", "2020-01-01T00:00:00.5Z"},
    {XSD "dateTime", "2020-01-01T00:00:00.000+00:00", "2020-01-01T00:00:00Z"},
    {XSD "dateTime", "2020-01-01T02:00:00.10+02:00", "2020-01-01T02:00:00.1+02:00"},
    {XSD "dateTime", "2020-01-01T00:00:00", "2020-01-01T00:00:00"},
    {XSD "dateTimeStamp", "2020-01-01T00:00:00-00:00", "2020-01-01T00:00:00Z"},
    {XSD "date", "2020-01-10+00:00", "2020-01-10Z"},
    {XSD "date", "2020-01-10", "2020-01-10"},
    {XSD "time", "12:00:00.500", "12:00:00.5"},
    {XSD "gYear", "2020", "2020"},
    {XSD "duration", "PT24H", "P1D"},
    {XSD "duration", "P1Y14M", "P2Y2M"},
    {XSD "duration", "PT90061.50S", "P1DT1H1M1.5S"},
    {XSD "duration", "-PT0.5S", "-PT0.5S"},
    {XSD "duration", "P0D", "PT0S"},
    {XSD "duration", "-P0Y", "PT0S"},
    {XSD "duration", "P1DT", "P1DT"},
    {XSD "duration", "P", "P"},
    {XSD "duration", "P1H", "P1H"},
    {XSD "duration", "PT1M1H", "PT1M1H"},
    {XSD "duration", "P1.5D", "P1.5D"},
    {XSD "duration", "PT12345678901S", "PT12345678901S"},
    {XSD "dayTimeDuration", "PT60M", "PT1H"},
    {XSD "yearMonthDuration", "P12M", "P1Y"},
    {XSD "yearMonthDuration", "P0Y", "P0M"},
    {XSD "string", " 1.0 ", " 1.0 "},
    {"", "34.5000", "34.5000"},
    {"http://www.opengis.net/ont/geosparql#wktLiteral", "POINT(1.0 2.50)", "POINT(1.0 2.50)"},
};

static void check(ir_view_t text, ir_view_t type, const char *expected) {
    ir_buffer_t out;
    ir_buffer_init(&out);
    ir_canonical_append(&out, text, type);
    assert_true(ir_buffer_ok(&out));
    if (!ir_view_equal(ir_buffer_view(&out), ir_view_text(expected))) {
        fail_msg("'%.*s' of %.*s became '%.*s', not '%s'", IR_VIEW_ARG(text), IR_VIEW_ARG(type),
                 IR_VIEW_ARG(ir_buffer_view(&out)), expected);
    }
    ir_buffer_free(&out);
}

static void test_every_type(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(ir_view_text(cases[i].text), ir_view_text(cases[i].type), cases[i].canonical);
    }
}

/* A canonical form stays the same. */
static void test_twice(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(ir_view_text(cases[i].canonical), ir_view_text(cases[i].type), cases[i].canonical);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_twice),
    };
    return cmocka_run_group_tests_name("canonical", tests, NULL, NULL);
}
