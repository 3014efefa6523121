/* Units: the names in every row of the table, every pair of hydrological units with its exact
 * result, and conversions that must be refused. */
#include "observation/unit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const ir_unit_t *unit_of(const char *text) {
    const ir_unit_t *unit = ir_unit_find(ir_view_text(text));
    if (unit == NULL) {
        fail_msg("no unit '%s'", text);
    }
    return unit;
}

typedef struct conversion {
    double value;
    const char *from, *to;
    double expected;
} conversion_t;

static const conversion_t conversions[] = {
    /* temperature */
    {0, "Cel", "[degF]", 32},
    {100, "Cel", "[degF]", 212},
    {-40, "Cel", "[degF]", -40},
    {18.7, "Cel", "[degF]", 65.66},
    {0, "Cel", "K", 273.15},
    {-273.15, "Cel", "K", 0},
    {9.73, "Cel", "K", 282.88},
    {32, "[degF]", "Cel", 0},
    {212, "[degF]", "Cel", 100},
    {65.66, "[degF]", "Cel", 18.7},
    {98.6, "degF", "degC", 37},
    {-459.67, "[degF]", "K", 0},
    {32, "[degF]", "K", 273.15},
    {273.15, "K", "Cel", 0},
    {282.88, "K", "Cel", 9.73},
    {300, "K", "[degF]", 80.33},
    {0, "K", "[degF]", -459.67},
    /* length */
    {1, "m", "ft", 3.28083989501312},
    {0.3048, "m", "ft", 1},
    {2.71272, "m", "ft", 8.9},
    {1.5, "m", "cm", 150},
    {1.5, "m", "mm", 1500},
    {1500, "m", "km", 1.5},
    {1, "ft", "m", 0.3048},
    {8.9, "ft", "m", 2.71272},
    {1, "ft", "cm", 30.48},
    {1, "ft", "mm", 304.8},
    {1, "ft", "in", 12},
    {1, "in", "mm", 25.4},
    {30.48, "cm", "ft", 1},
    {1, "cm", "m", 0.01},
    {12.7, "cm", "mm", 127},
    {304.8, "mm", "ft", 1},
    {1, "mm", "m", 0.001},
    {127, "mm", "cm", 12.7},
    {-0.35, "[ft_i]", "m", -0.10668},
    /* flow */
    {1, "m3/s", "ft3/s", 35.3146667214886},
    {0.28316846592, "m3/s", "cfs", 10},
    {0.25, "m3/s", "l/s", 250},
    {471, "cfs", "m3/s", 13.337234744832},
    {17, "ft3/s", "m3/s", 0.481386392064},
    {-3, "cfs", "m3/s", -0.084950539776},
    {1, "cfs", "l/s", 28.316846592},
    {28.316846592, "L/s", "cfs", 1},
    {250, "L/s", "m3/s", 0.25},
    /* conductivity */
    {1, "S/m", "mS/cm", 10},
    {0.0496, "S/m", "uS/cm", 496},
    {4.96, "mS/cm", "S/m", 0.496},
    {0.496, "mS/cm", "uS/cm", 496},
    {496, "uS/cm", "S/m", 0.0496},
    {496, "uS/cm @25C", "mS/cm", 0.496},
    /* concentration */
    {0.0064, "kg/m3", "mg/l", 6.4},
    {1, "kg/m3", "g/l", 1},
    {1, "kg/m3", "ug/L", 1e6},
    {6.4, "mg/L", "kg/m3", 0.0064},
    {6.4, "mg/l", "g/L", 0.0064},
    {6.4, "mg/l", "ug/l", 6400},
    {2.5, "g/l", "kg/m3", 2.5},
    {2.5, "g/l", "mg/l", 2500},
    {12, "ug/l", "mg/l", 0.012},
    /* turbidity, pH, percent: no conversion, except between ratio and percent */
    {8.9, "FNU", "{FNU}", 8.9},
    {8.9, "NTU", "{NTU}", 8.9},
    {7.6, "pH", "std units", 7.6},
    {55.5, "%RH", "%{RH}", 55.5},
    {0.5, "/", "/100", 50},
    {12.5, "%", "/", 0.125},
    {1, "%", "ppm", 10000},
    {55, "%", "%RH", 55},
    {0.555, "/", "%RH", 55.5},
    {80, "%EL", "%", 80},
    {35, "/1000", "%", 3.5},
    /* other units of the SenML registry */
    {250, "l", "m3", 0.25},
    {1.5, "kg", "g", 1500},
    {1.5, "kWh", "J", 5400000},
    {1500, "ms", "s", 1.5},
    {90, "1/min", "Hz", 1.5},
    {2, "kW", "W", 2000},
    {2, "KiB", "B", 2048},
    {35, "ug/m3", "mg/l", 0.000035},
    {3.6, "m/h", "m/s", 0.001},
    /* pressure */
    {1013.25, "hPa", "kPa", 101.325},
    {1013.25, "hPa", "Pa", 101325},
    {1013.25, "hPa", "mmHg", 759.999891725611},
    {101.325, "kPa", "hPa", 1013.25},
    {101.325, "kPa", "mmHg", 759.999891725611},
    {760, "mmHg", "hPa", 1013.2501443540},
    {760, "mm[Hg]", "kPa", 101.325014435400},
    {1, "mbar", "hPa", 1},
    /* velocity and rain */
    {10, "m/s", "kn", 19.4384449244060},
    {10, "m/s", "km/h", 36},
    {1, "m/s", "ft/s", 3.28083989501312},
    {1, "kn", "km/h", 1.852},
    {1, "kn", "m/s", 0.514444444444444},
    {20, "knot", "m/s", 10.2888888888889},
    {36, "km/h", "m/s", 10},
    {1, "in/h", "mm/h", 25.4},
    {12.7, "mm/h", "in/h", 0.5},
    /* and the others */
    {120, "lx", "lux", 120},
    {3.3, "V", "mV", 3300},
    {3300, "mV", "V", 3.3},
    {250, "mA", "A", 0.25},
    {-71, "dBm", "dB[mW]", -71},
    {180, "deg", "rad", 3.14159265358979},
    {90, "min", "h", 1.5},
    {1.5, "h", "s", 5400},
};

static void every_pair_has_its_exact_result(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof conversions / sizeof conversions[0]; i++) {
        const conversion_t *each = &conversions[i];
        const ir_unit_t *from = unit_of(each->from);
        const ir_unit_t *to = unit_of(each->to);
        assert_true(ir_unit_converts(from, to));
        const double got = ir_unit_convert(each->value, from, to);
        if (got != each->expected) {
            fail_msg("%.17g %s in %s: %.17g instead of %.17g", each->value, each->from, each->to,
                     got, each->expected);
        }
    }
}

/* For any pair of units, a value with up to 4 significant digits is the same after conversion there
 * and back. */
static void values_come_back_as_they_were(void **state) {
    (void)state;
    static const double values[] = {1, 0.1, 8.9, 19.6, 99.99, 471, 1234, 9999, -3.5};
    size_t pairs = 0;
    for (size_t i = 0; i < ir_units_count * ir_units_count; i++) {
        const ir_unit_t *from = &ir_units[i / ir_units_count];
        const ir_unit_t *to = &ir_units[i % ir_units_count];
        if (from == to || !ir_unit_converts(from, to)) {
            continue;
        }
        pairs++;
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            const double back = ir_unit_convert(ir_unit_convert(values[v], from, to), to, from);
            if (fabs(back - values[v]) > fabs(values[v]) * 1e-12) {
                fail_msg("%g %s by %s: %.17g", values[v], from->senml, to->senml, back);
            }
        }
    }
    assert_true(pairs > 60);
}

/* A value whose unit does not change stays exact, even if it has more digits than a conversion
 * would keep. */
static void the_same_unit_changes_nothing(void **state) {
    (void)state;
    static const double values[] = {0.1 + 0.2, -0.0, 1e300, 4.9406564584124654e-324};
    for (size_t i = 0; i < ir_units_count; i++) {
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            const double got = ir_unit_convert(values[v], &ir_units[i], &ir_units[i]);
            assert_memory_equal(&got, &values[v], sizeof got);
        }
    }
}

static void other_quantities_do_not_convert(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"Cel", "m"},    {"FNU", "NTU"},  {"NTU", "FNU"},  {"C", "Cel"},    {"lat", "deg"},
        {"pH", "/"},     {"m/s", "mm/h"}, {"m", "m/s"},    {"mg/l", "ppm"}, {"V", "mA"},
        {"S/m", "mg/l"}, {"dBm", "W"},    {"lx", "W/m2"},  {"count", "/"},  {"hPa", "m"},
        {"m3/s", "m/s"}, {"deg", "Cel"},  {"l/s", "mg/l"}, {"min", "m"},    {"FNU", "mg/l"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(ir_unit_converts(unit_of(cases[i].from), unit_of(cases[i].to)));
    }
    for (size_t i = 0; i < ir_units_count; i++) {
        assert_true(ir_unit_converts(&ir_units[i], &ir_units[i]));
        for (size_t j = 0; j < ir_units_count; j++) {
            assert_int_equal(ir_unit_converts(&ir_units[i], &ir_units[j]),
                             ir_unit_converts(&ir_units[j], &ir_units[i]));
            if (strcmp(ir_units[i].quantity, ir_units[j].quantity) != 0) {
                assert_false(ir_unit_converts(&ir_units[i], &ir_units[j]));
            }
        }
    }
}

static void units_are_found_by_every_name(void **state) {
    (void)state;
    static const struct {
        const char *text, *qudt, *senml;
    } cases[] = {
        {"Cel", "DEG_C", "Cel"},
        {"\xc2\xb0"
         "C",
         "DEG_C", "Cel"},
        {"deg C", "DEG_C", "Cel"},
        {"cfs", "FT3-PER-SEC", "ft3/s"},
        {"[ft_i]3/s", "FT3-PER-SEC", "ft3/s"},
        {"[cft_i]/s", "FT3-PER-SEC", "ft3/s"},
        {"\xc2\xb5S/cm", "MicroS-PER-CentiM", "uS/cm"},
        {"\xce\xbcS/cm", "MicroS-PER-CentiM", "uS/cm"}, /* the Greek letter */
        {"m\xc2\xb3/s", "M3-PER-SEC", "m3/s"},
        {"m^3/s", "M3-PER-SEC", "m3/s"},
        {"Deg C", "DEG_C", "Cel"},
        {"uS/cm @25C", "MicroS-PER-CentiM", "uS/cm"},
        {"\xc2\xb5g/L", "MicroGM-PER-L", "ug/l"},
        {"FNU", "NTU", "FNU"},
        {"[NTU]", "NTU", "NTU"},
        {"%", "PERCENT", "/100"},
        {"/100", "PERCENT", "/100"},
        {"1", "UNITLESS", "/"},
        {"lux", "LUX", "lx"},
        {"m", "M", "m"},
        {"min", "MIN", "min"},
        {"count", "NUM", "count"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(unit_of(cases[i].text)->qudt, cases[i].qudt);
        assert_string_equal(unit_of(cases[i].text)->senml, cases[i].senml);
    }
}

static void other_texts_are_no_units(void **state) {
    (void)state;
    static const char *const texts[] = {"",     " ",   "cel",   "CEL",     "Ce",         "Cell",
                                        "M",    "|",   "deg",   "furlong", "degC|deg C", "deg C|",
                                        "cfs|", "std", "units", "\xc2\xb0"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const ir_unit_t *unit = ir_unit_find(ir_view_text(texts[i]));
        if (strcmp(texts[i], "deg") == 0) {
            assert_string_equal(unit->qudt, "DEG");
        } else if (unit != NULL) {
            fail_msg("'%s' is %s", texts[i], unit->qudt);
        }
    }
    assert_null(ir_unit_find(ir_view(NULL, 0)));
    assert_null(ir_unit_find_qudt(ir_view(NULL, 0)));
    assert_null(ir_unit_find_qudt(ir_view_text("Cel")));
    /* the comparison must not end at a NUL inside the text */
    assert_null(ir_unit_find(ir_view("m\0xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 38)));
    assert_null(ir_unit_find_qudt(ir_view("M\0xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 38)));
}

/* Each text stands for one unit, and the table contains the base unit of each quantity. */
static void the_table_is_consistent(void **state) {
    (void)state;
    for (size_t i = 0; i < ir_units_count; i++) {
        const ir_unit_t *unit = &ir_units[i];
        assert_ptr_equal(ir_unit_find(ir_view_text(unit->senml)), unit);
        assert_ptr_equal(ir_unit_find(ir_view_text(unit->ucum)), unit);
        assert_true(unit->label[0] != '\0' && unit->quantity[0] != '\0');
        assert_true(isfinite(unit->factor) && unit->factor > 0 && isfinite(unit->offset));
        const ir_unit_t *named = ir_unit_find_qudt(ir_view_text(unit->qudt));
        assert_non_null(named);
        assert_string_equal(named->qudt, unit->qudt);
        bool has_base = false;
        for (size_t j = 0; j < ir_units_count; j++) {
            has_base = has_base || (ir_unit_converts(unit, &ir_units[j]) &&
                                    ir_units[j].factor == 1 && ir_units[j].offset == 0);
        }
        assert_true(has_base);
        char aliases[128];
        snprintf(aliases, sizeof aliases, "%s", unit->aliases);
        for (char *rest = aliases, *alias = NULL; (alias = strsep(&rest, "|")) != NULL;) {
            if (alias[0] != '\0') {
                assert_ptr_equal(ir_unit_find(ir_view_text(alias)), unit);
            }
        }
    }
}

/* The unit is the first entry of the table, as registry.h requires. */
static void the_shared_qudt_name_is_ntu(void **state) {
    (void)state;
    assert_string_equal(ir_unit_find_qudt(ir_view_text("NTU"))->senml, "NTU");
    assert_string_equal(ir_unit_find_qudt(ir_view_text("DEG_C"))->senml, "Cel");
    assert_null(ir_unit_find_qudt(ir_view_text("deg_c")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_has_its_exact_result),
        cmocka_unit_test(values_come_back_as_they_were),
        cmocka_unit_test(the_same_unit_changes_nothing),
        cmocka_unit_test(other_quantities_do_not_convert),
        cmocka_unit_test(units_are_found_by_every_name),
        cmocka_unit_test(other_texts_are_no_units),
        cmocka_unit_test(the_table_is_consistent),
        cmocka_unit_test(the_shared_qudt_name_is_ntu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
