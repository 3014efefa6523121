/* The registry: what every term becomes, every fault with its file and line (tests/data/registry),
 * the example of docs/reference/registry.md, and each allocation failing in turn. */
#include "common/clock.h"
#include "observation/registry/registry.h"
#include "tests/unit/failing_alloc.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define EVERYTHING "tests/data/registry/everything.ttl"
#define USGS "loadgen/usgs_river.ttl"
#define MANUAL "docs/reference/registry.md"
#define NET "https://example.org/net/"
#define HOUR_NS (3600 * IR_SECOND_NS)

static ir_registry_t *load(const char *path) {
    ir_registry_t *registry = NULL;
    ir_error_t error = {0};
    if (ir_registry_load(path, &registry, NULL, &error) != IR_OK) {
        fail_msg("%s", error.text);
    }
    return registry;
}

static const ir_sensor_t *sensor_of(const ir_registry_t *registry, const char *name) {
    const ir_sensor_t *sensor = ir_registry_sensor(registry, ir_view_text(name));
    if (sensor == NULL) {
        fail_msg("no sensor %s", name);
        abort();
    }
    return sensor;
}

/* ---- the content of a registry ---- */

static void test_motes(void **state) {
    (void)state;
    ir_registry_t *registry = load(EVERYTHING);
    assert_int_equal(ir_registry_motes(registry), 2);
    assert_int_equal(ir_registry_sensors(registry), 5);
    assert_int_equal(ir_registry_files(registry), 1);
    assert_string_equal(ir_registry_file_name(registry, 0), "everything");
    const ir_mote_t *a = ir_registry_mote(registry, ir_view_text("A-1:x_y"));
    assert_non_null(a);
    assert_string_equal(a->iri, NET "a");
    assert_string_equal(a->label, "Gauge A");
    assert_true(a->has_place && a->latitude == 30.11 && a->longitude == -95.4363);
    const ir_mote_t *b = ir_registry_mote(registry, ir_view_text("B"));
    assert_non_null(b);
    assert_string_equal(b->id, "B");
    assert_true(b->has_place && b->latitude == 32.08 && b->longitude == -81.1);
    assert_null(ir_registry_mote(registry, ir_view_text("b")));
    assert_null(ir_registry_mote(registry, ir_view_text("")));
    ir_registry_unref(registry);
}

static void test_defaults(void **state) {
    (void)state;
    ir_registry_t *registry = load(EVERYTHING);
    const ir_sensor_t *sensor = sensor_of(registry, "A-1:x_y/temperature");
    assert_string_equal(sensor->name, "A-1:x_y/temperature");
    assert_string_equal(sensor->iri, NET "a-temperature");
    assert_string_equal(sensor->label, "thermistor");
    assert_string_equal(sensor->mote->id, "A-1:x_y");
    assert_string_equal(sensor->property->iri, NET "temperature");
    assert_string_equal(sensor->property->label, "water temperature");
    assert_string_equal(sensor->property->key, "temperature");
    assert_string_equal(sensor->property->quantity_iri,
                        "http://qudt.org/vocab/quantitykind/Temperature");
    assert_string_equal(sensor->feature->iri, NET "reach-1");
    assert_string_equal(sensor->feature->label, "Reach 1");
    assert_string_equal(sensor->procedure_iri, NET "thermistor");
    assert_string_equal(sensor->unit->senml, "Cel");
    assert_string_equal(sensor->unit_iri, "http://qudt.org/vocab/unit/DEG_C");
    assert_int_equal(sensor->interval_ns, 900 * IR_SECOND_NS);
    assert_true(sensor->registered);
    ir_registry_unref(registry);
}

static void test_own(void **state) {
    (void)state;
    ir_registry_t *registry = load(EVERYTHING);
    const ir_sensor_t *level = sensor_of(registry, "A-1:x_y/level");
    assert_string_equal(level->mote->iri, NET "a");
    assert_string_equal(level->feature->iri, NET "reach-2");
    assert_string_equal(level->feature->label, "");
    assert_string_equal(level->property->key, "level");
    assert_null(level->property->quantity_iri);
    assert_string_equal(level->procedure_iri, NET "radar");
    assert_string_equal(level->unit->qudt, "CentiM");
    assert_string_equal(level->unit_iri, "http://qudt.org/vocab/unit/CentiM");
    assert_int_equal(level->interval_ns, 26 * HOUR_NS + 184500 * IR_MILLISECOND_NS);
    assert_true(level->limits->has_spike && level->limits->has_spike_fail);
    assert_false(level->limits->has_spike_suspect || level->limits->has_rate);
    assert_int_equal(level->limits->spike_method, IR_SPIKE_AVERAGE);
    ir_registry_unref(registry);
}

static void test_units(void **state) {
    (void)state;
    ir_registry_t *registry = load(EVERYTHING);
    const ir_sensor_t *turbidity = sensor_of(registry, "B/turbidity");
    assert_string_equal(turbidity->unit->senml, "FNU");
    assert_string_equal(turbidity->unit_iri, "http://qudt.org/vocab/unit/NTU");
    assert_string_equal(turbidity->mote->id, "B");
    const ir_unit_t *algae = sensor_of(registry, "B/algae")->unit;
    assert_string_equal(algae->senml, "cells/mL");
    assert_string_equal(algae->qudt, "cells-per-millilitre");
    assert_true(ir_unit_convert(0.1, algae, algae) == 0.1);
    for (size_t i = 0; i < ir_units_count; i++) {
        assert_false(ir_unit_converts(&ir_units[i], algae));
    }
    const ir_sensor_t *door = sensor_of(registry, "B/door");
    assert_null(door->unit);
    assert_null(door->unit_iri);
    assert_null(door->procedure_iri);
    assert_string_equal(door->property->key, "door-open");
    assert_int_equal(door->interval_ns, 0);
    ir_registry_unref(registry);
}

static void test_limits(void **state) {
    (void)state;
    ir_registry_t *registry = load(EVERYTHING);
    const ir_limits_t *limits = sensor_of(registry, "A-1:x_y/temperature")->limits;
    assert_true(limits->gross_fail.given && limits->gross_fail.low == -2 &&
                limits->gross_fail.high == 45);
    assert_true(limits->gross_suspect.given && limits->gross_suspect.low == 0 &&
                limits->gross_suspect.high == 35);
    assert_int_equal(limits->spike_method, IR_SPIKE_DIFFERENTIAL);
    assert_true(limits->has_spike_suspect && limits->spike_suspect == 2);
    assert_true(limits->has_spike_fail && limits->spike_fail == 5);
    assert_true(limits->has_rate && limits->rate == 0.001);
    assert_true(limits->has_flat_suspect && limits->flat_suspect_ns == 12 * HOUR_NS);
    assert_true(limits->has_flat_fail && limits->flat_fail_ns == 24 * HOUR_NS);
    assert_true(limits->flat_tolerance == 0.05);
    ir_registry_unref(registry);
}

static void test_climatology(void **state) {
    (void)state;
    ir_registry_t *registry = load(EVERYTHING);
    const ir_limits_t *limits = sensor_of(registry, "A-1:x_y/temperature")->limits;
    assert_int_equal(limits->n_climatology, 4);
    const ir_climatology_t *members = limits->climatology;
    assert_int_equal(members[0].period, IR_PERIOD_MONTH);
    assert_true(members[0].begin == 1 && members[0].end == 6 && !members[0].fail.given);
    assert_true(members[0].suspect.low == 0 && members[0].suspect.high == 20);
    assert_int_equal(members[1].period, IR_PERIOD_WEEK);
    assert_true(members[1].begin == 10 && members[1].end == 53 && members[1].fail.given);
    assert_true(members[1].fail.low == -1 && members[1].fail.high == 30);
    assert_int_equal(members[2].period, IR_PERIOD_DAY_OF_YEAR);
    assert_int_equal(members[2].end, 366);
    assert_int_equal(members[3].period, IR_PERIOD_TIME);
    assert_int_equal(members[3].begin, INT64_C(1304208000) * IR_SECOND_NS);
    assert_int_equal(members[3].end, INT64_C(1306879200) * IR_SECOND_NS);
    ir_registry_unref(registry);
}

static void test_references(void **state) {
    (void)state;
    ir_registry_t *registry = load(EVERYTHING);
    assert_ptr_equal(ir_registry_ref(registry), registry);
    ir_registry_unref(registry);
    assert_non_null(ir_registry_sensor(registry, ir_view_text("B/door")));
    assert_null(ir_registry_sensor(registry, ir_view_text("B/doo")));
    ir_registry_unref(registry);
    ir_registry_unref(NULL);
    assert_null(ir_registry_ref(NULL));
}

static void test_mote_ids(void **state) {
    (void)state;
    char longest[202];
    memset(longest, 'x', sizeof longest);
    assert_true(ir_mote_id_valid(ir_view_text("USGS-08068500")));
    assert_true(ir_mote_id_valid(ir_view_text("urn:dev:ow:10e2073a01080063")));
    assert_true(ir_mote_id_valid(ir_view(longest, 200)));
    assert_false(ir_mote_id_valid(ir_view(longest, 201)));
    assert_false(ir_mote_id_valid(ir_view_text("")));
    assert_false(ir_mote_id_valid(ir_view_text("-a")));
    assert_false(ir_mote_id_valid(ir_view_text("a.b")));
    assert_false(ir_mote_id_valid(ir_view_text("a/b")));
    assert_false(ir_mote_id_valid(ir_view_text("a#")));
    assert_false(ir_mote_id_valid(ir_view("a\0b", 3)));
}

/* ---- the files of the project ---- */

static void test_usgs(void **state) {
    (void)state;
    ir_registry_t *registry = load(USGS);
    assert_int_equal(ir_registry_motes(registry), 13);
    assert_int_equal(ir_registry_sensors(registry), 55);
    const ir_sensor_t *sensor = sensor_of(registry, "USGS-08068500/63680");
    assert_string_equal(sensor->mote->id, "USGS-08068500");
    assert_string_equal(sensor->unit->senml, "FNU");
    assert_int_equal(sensor->interval_ns, 900 * IR_SECOND_NS);
    assert_true(sensor_of(registry, "USGS-021989773/00060")->limits->gross_suspect.low < -90800);
    ir_registry_unref(registry);
}

/* Copies the Turtle code below the manual's heading to a file, as a reader would. */
static void copy_example(const char *path) {
    char line[1024];
    FILE *manual = fopen(MANUAL, "re");
    FILE *copy = fopen(path, "we");
    assert_non_null(manual);
    assert_non_null(copy);
    int part = 0; /* 0: before the heading, 1: before the code, 2: in it, 3: after it */
    while (fgets(line, sizeof line, manual) != NULL && part < 3) {
        if (part == 2 && strncmp(line, "```", 3) != 0) {
            fputs(line, copy);
        } else if ((part == 0 && strcmp(line, "## A complete example\n") == 0) ||
                   (part == 1 && strcmp(line, "```turtle\n") == 0) || part == 2) {
            part++;
        }
    }
    assert_int_equal(part, 3);
    fclose(manual);
    assert_int_equal(fclose(copy), 0);
}

static void test_manual(void **state) {
    (void)state;
    char path[] = "/tmp/ir-test-registry-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    copy_example(path);
    ir_registry_t *registry = load(path);
    assert_int_equal(ir_registry_motes(registry), 2);
    assert_int_equal(ir_registry_sensors(registry), 5);
    assert_string_equal(sensor_of(registry, "elbe-dresden/level")->unit->senml, "cm");
    ir_registry_unref(registry);
    unlink(path);
}

/* The manual has a row for every unit. */
static void test_manual_units(void **state) {
    (void)state;
    static char manual[65536];
    FILE *file = fopen(MANUAL, "re");
    assert_non_null(file);
    const size_t size = fread(manual, 1, sizeof manual - 1, file);
    manual[size] = '\0';
    assert_true(feof(file));
    fclose(file);
    for (size_t i = 0; i < ir_units_count; i++) {
        char row[200];
        snprintf(row, sizeof row, "| %s | `unit:%s` | `%s` | `%s` |", ir_units[i].label,
                 ir_units[i].qudt, ir_units[i].senml, ir_units[i].ucum);
        if (strstr(manual, row) == NULL) {
            fail_msg(MANUAL " lacks a row with: %s", row);
        }
    }
}

/* ---- as N-Triples ---- */

static char *ntriples(const char *path) {
    ir_registry_t *registry = load(path);
    char *text = NULL;
    size_t size = 0;
    ir_error_t error = {0};
    assert_int_equal(ir_registry_ntriples(registry, 0, &text, &size, &error), IR_OK);
    text = realloc(text, size + 1);
    assert_non_null(text);
    text[size] = '\0';
    ir_registry_unref(registry);
    return text;
}

static void assert_line(const char *text, const char *line) {
    const char *found = strstr(text, line);
    if (found == NULL || (found != text && found[-1] != '\n')) {
        fail_msg("not written: %s", line);
    } else if (strstr(found + 1, line) != NULL) {
        fail_msg("written twice: %s", line);
    }
}

static void test_ntriples(void **state) {
    (void)state;
    char *text = ntriples(EVERYTHING);
    assert_line(text, "<" NET "a> <http://www.w3.org/ns/sosa/hosts> <" NET "a-level> .\n");
    assert_line(text, "<" NET "a-level> <http://www.w3.org/ns/sosa/isHostedBy> <" NET "a> .\n");
    assert_line(text, "<" NET "b> <http://www.w3.org/ns/sosa/hosts> <" NET "b-door> .\n");
    assert_line(text, "<" NET "a-level> <http://www.w3.org/ns/sosa/observes> <" NET "level/> .\n");
    assert_line(text, "<" NET "temperature> <http://www.w3.org/ns/sosa/isObservedBy> <" NET
                      "a-temperature> .\n");
    assert_line(text, "<" NET "b> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
                      "<http://www.w3.org/ns/sosa/Platform> .\n");
    assert_line(text, "<" NET "a-level> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
                      "<http://www.w3.org/ns/sosa/Sensor> .\n");
    assert_line(text, "<" NET "a> <https://example.org/terms#paint> \"grey\" .\n");
    assert_line(text, "<" NET "a> <http://www.w3.org/2000/01/rdf-schema#label> \"Pegel A\"@de .\n");
    assert_line(text, "<" NET "temperature-limits> <https://intelligent-river.example/ns#"
                      "rateOfChange> \"0.001\"^^<http://www.w3.org/2001/XMLSchema#decimal> .\n");
    assert_null(strstr(text, "_:"));
    char *again = ntriples(EVERYTHING);
    assert_string_equal(text, again);
    free(again);
    free(text);
}

/* ---- several files ---- */

#define SEVERAL "tests/data/registry/several/"

static void assert_several_refused(const char *paths, const char *text) {
    ir_registry_t *registry = NULL;
    ir_error_t error = {0};
    assert_int_equal(ir_registry_load(paths, &registry, NULL, &error), IR_ERR_SYNTAX);
    assert_string_equal(error.text, text);
}

/* Several files that share properties, use the same label for blank nodes, and give a sensor to a
 * mote of another file. */
static void test_several_files(void **state) {
    (void)state;
    ir_registry_t *registry = load("tests/data/registry/several");
    assert_int_equal(ir_registry_files(registry), 2);
    assert_string_equal(ir_registry_file_name(registry, 1), "b");
    assert_int_equal(ir_registry_motes(registry), 2);
    assert_int_equal(ir_registry_sensors(registry), 3);
    const ir_sensor_t *guest = sensor_of(registry, "a/guest");
    assert_string_equal(guest->mote->id, "a");
    assert_true(ir_sensor_limits(sensor_of(registry, "a/t"))->gross_fail.high == 30);
    assert_true(ir_sensor_limits(sensor_of(registry, "b/t"))->gross_fail.high == 20);
    ir_registry_unref(registry);
}

static void test_each_file_has_its_statements(void **state) {
    (void)state;
    ir_registry_t *registry = load(SEVERAL "a.ttl," SEVERAL "b.ttl");
    for (unsigned file = 0; file < 2; file++) {
        char *text = NULL;
        size_t size = 0;
        ir_error_t error = {0};
        assert_int_equal(ir_registry_ntriples(registry, file, &text, &size, &error), IR_OK);
        text = realloc(text, size + 1);
        assert_non_null(text);
        text[size] = '\0';
        assert_true((strstr(text, "\"a/t\"") != NULL) == (file == 0));
        assert_true((strstr(text, "\"a/guest\"") != NULL) == (file == 1));
        assert_non_null(strstr(text, "property/t> <http://www.w3.org/2000/01/rdf-schema#label>"));
        free(text);
    }
    ir_registry_unref(registry);
}

static void test_defined_in_two_files(void **state) {
    (void)state;
    assert_several_refused(
        SEVERAL "a.ttl," SEVERAL "again/a-copy.ttl", SEVERAL
        "again/a-copy.ttl:5: ir:moteId of <mote/a> is given in two files, here and in " SEVERAL
        "a.ttl:6; remove one");
    assert_several_refused(SEVERAL "a.ttl," SEVERAL "again/same-id.ttl", SEVERAL
                           "again/same-id.ttl:4: ir:moteId \"a\" of <mote/other> is also that of "
                           "<https://intelligent-river.example/id/mote/a> (" SEVERAL
                           "a.ttl:6); each mote needs its own");
    assert_several_refused(
        SEVERAL "a.ttl," SEVERAL "again/same-name.ttl",
        SEVERAL "again/same-name.ttl:7: ir:senmlName \"a/t\" of <sensor/other> is also that of "
                "<https://intelligent-river.example/id/sensor/a> (" SEVERAL
                "a.ttl:11); each sensor needs its own");
    assert_several_refused(SEVERAL "a.ttl," SEVERAL "again/a.ttl",
                           SEVERAL "a.ttl and " SEVERAL
                                   "again/a.ttl have the same name, which their registry graphs "
                                   "would share; rename one");
}

/* ---- faults ---- */

/* Writes a file of `size` bytes that repeats `piece`. */
static void write_file(char *path, const char *piece, size_t piece_size, size_t count) {
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "w");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fwrite(piece, 1, piece_size, file), piece_size);
    }
    assert_int_equal(fclose(file), 0);
}

/* Replaces "column 9:" by "column :", because releases of serd count columns from 0 or from 1. */
static void forget_columns(char *text) {
    for (char *at = text; (at = strstr(at, "column ")) != NULL;) {
        at += strlen("column ");
        size_t digits = strspn(at, "0123456789");
        assert_true(digits > 0);
        memmove(at, at + digits, strlen(at + digits) + 1);
    }
}

/* The first line of the file has the expected text: "# error: LINE: …". */
static void read_expected(const char *path, char *expected, size_t size) {
    char line[600];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    assert_memory_equal(line, "# error: ", strlen("# error: "));
    snprintf(expected, size, "%s:%s", path, line + strlen("# error: "));
}

static void tell_nobody(void *context, const char *line) {
    fail_msg("%s: also told: %s", (const char *)context, line);
}

static void test_faults(void **state) {
    (void)state;
    glob_t found;
    assert_int_equal(glob("tests/data/registry/bad-*.ttl", 0, NULL, &found), 0);
    assert_true(found.gl_pathc > 70);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char expected[700];
        ir_registry_t *registry = NULL;
        ir_error_t error = {0};
        const ir_teller_t teller = {tell_nobody, found.gl_pathv[i]};
        read_expected(found.gl_pathv[i], expected, sizeof expected);
        assert_int_equal(ir_registry_load(found.gl_pathv[i], &registry, &teller, &error),
                         IR_ERR_SYNTAX);
        assert_null(registry);
        assert_string_equal(error.text, expected);
    }
    globfree(&found);
}

/* Compares reported faults with a file whose first lines have the expected texts. */
typedef struct expectation {
    const char *path;
    FILE *file;
    unsigned told;
} expectation_t;

static void tell_expected(void *context, const char *line) {
    expectation_t *expectation = context;
    char text[600];
    char expected[800];
    char told[800];
    assert_non_null(fgets(text, sizeof text, expectation->file));
    text[strcspn(text, "\n")] = '\0';
    snprintf(expected, sizeof expected, "%s:%s", expectation->path, text + strlen("# error: "));
    snprintf(told, sizeof told, "%s", line);
    forget_columns(expected);
    forget_columns(told);
    assert_string_equal(told, expected);
    expectation->told++;
}

/* All faults are reported together, in the order of the file. Faults that only follow from others
 * are not reported. */
static void test_many_faults(void **state) {
    (void)state;
    static const char *const paths[] = {"tests/data/registry/many/ten.ttl",
                                        "tests/data/registry/many/syntax.ttl",
                                        "tests/data/registry/many/follow.ttl"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        expectation_t expectation = {paths[i], fopen(paths[i], "re"), 0};
        const ir_teller_t teller = {tell_expected, &expectation};
        ir_registry_t *registry = NULL;
        ir_error_t error = {0};
        char text[600];
        assert_non_null(expectation.file);
        assert_int_equal(ir_registry_load(paths[i], &registry, &teller, &error), IR_ERR_SYNTAX);
        assert_null(registry);
        assert_non_null(fgets(text, sizeof text, expectation.file));
        assert_null(strstr(text, "# error:"));
        fclose(expectation.file);
        snprintf(text, sizeof text, "%u faults in the registry", expectation.told);
        assert_string_equal(error.text, text);
    }
}

static void keep_line(void *context, const char *line) {
    snprintf(context, 100, "%.99s", line);
}

/* Only twenty faults are reported. A fault that a thousand sensors share is reported once. */
static void test_faults_are_bounded(void **state) {
    (void)state;
    char path[] = "/tmp/ir-test-registry-XXXXXX";
    char last[100];
    const ir_teller_t teller = {keep_line, last};
    ir_registry_t *registry = NULL;
    ir_error_t error = {0};
    write_file(path, "", 0, 0);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("@prefix ir: <https://intelligent-river.example/ns#> .\n"
          "@prefix sosa: <http://www.w3.org/ns/sosa/> .\n"
          "<m> ir:moteId \"m\" ; ir:featureOfInterest <f> .\n"
          "<p> ir:unitText \"parsec\" .\n",
          file);
    for (unsigned i = 0; i < 1000; i++) {
        fprintf(file, "<s%u> ir:senmlName \"m/%u\" ; sosa:isHostedBy <m> ; sosa:observes <p>%s .\n",
                i, i, i < 30 ? " ; ir:nonsense 1" : "");
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(ir_registry_load(path, &registry, &teller, &error), IR_ERR_SYNTAX);
    assert_string_equal(last, "and 11 more");
    assert_string_equal(error.text, "31 faults in the registry");
    unlink(path);
}

/* Although one file is missing, the faults of the other file are reported. */
static void test_faults_of_several_files(void **state) {
    (void)state;
    char last[100];
    const ir_teller_t teller = {keep_line, last};
    ir_registry_t *registry = NULL;
    ir_error_t error = {0};
    assert_int_equal(
        ir_registry_load("tests/data/registry/none.ttl,tests/data/registry/bad-span-text.ttl",
                         &registry, &teller, &error),
        IR_ERR_NOT_FOUND);
    assert_non_null(strstr(last, "bad-span-text.ttl:23: ir:grossFail"));
    assert_string_equal(error.text, "2 faults in the registry");
}

static void assert_refused(const char *path, ir_status_t status, const char *text) {
    ir_registry_t *registry = NULL;
    ir_error_t error = {0};
    assert_int_equal(ir_registry_load(path, &registry, NULL, &error), status);
    assert_null(registry);
    assert_string_equal(error.text, text);
}

static void test_unreadable(void **state) {
    (void)state;
    assert_refused("tests/data/registry/none.ttl", IR_ERR_NOT_FOUND,
                   "tests/data/registry/none.ttl: cannot open the registry: No such file or "
                   "directory");
    assert_refused(
        "tests/data/registry/several/none", IR_ERR_NOT_FOUND,
        "tests/data/registry/several/none: cannot open the registry: No such file or directory");
    assert_refused("tests/unit", IR_ERR_NOT_FOUND,
                   "tests/unit: the registry's folder has no file *.ttl");
    assert_refused(USGS ",", IR_ERR_USAGE,
                   "registry: a path is empty; give files or folders, separated by commas");
}

static void assert_refused_content(const char *piece, size_t size, size_t count, ir_status_t status,
                                   const char *text) {
    char path[] = "/tmp/ir-test-registry-XXXXXX";
    ir_registry_t *registry = NULL;
    ir_error_t error = {0};
    write_file(path, piece, size, count);
    assert_int_equal(ir_registry_load(path, &registry, NULL, &error), status);
    assert_null(registry);
    assert_memory_equal(error.text, path, strlen(path));
    forget_columns(error.text);
    assert_string_equal(error.text + strlen(path), text);
    unlink(path);
}

static void test_not_turtle(void **state) {
    (void)state;
    static const char nul[] = "<a> <b> <c> .\n\0<a> <b> <d> .\n";
    static const char latin1[] = "<a> <b> <c> .\n<a> <b> \"\xfc\" .\n";
    static const char csv[] = "station,value\nA,1\n";
    static const char nested[] = "<a> <b> ";
    assert_refused_content(nul, sizeof nul - 1, 1, IR_ERR_SYNTAX,
                           ":3: not Turtle: the file has a NUL byte");
    assert_refused_content(latin1, sizeof latin1 - 1, 1, IR_ERR_SYNTAX,
                           ":2: not Turtle: column : invalid UTF-8 start 0xFC");
    assert_refused_content(csv, sizeof csv - 1, 1, IR_ERR_SYNTAX,
                           ":1: not Turtle: column : bad verb");
    assert_refused_content(nested, sizeof nested - 1, 1, IR_ERR_SYNTAX,
                           ":1: not Turtle: column : expected object");
}

static void test_depth(void **state) {
    (void)state;
    assert_refused_content("[ <a> ", 6, 10000, IR_ERR_SYNTAX,
                           ":1: [ ] and ( ) are nested more than 100 deep");
}

static void test_too_large(void **state) {
    (void)state;
    char path[] = "/tmp/ir-test-registry-XXXXXX";
    ir_registry_t *registry = NULL;
    ir_error_t error = {0};
    write_file(path, "", 0, 0);
    assert_int_equal(truncate(path, (off_t)2048 * 1024 * 1024 + 1), 0);
    assert_int_equal(ir_registry_load(path, &registry, NULL, &error), IR_ERR_RANGE);
    assert_string_equal(error.text + strlen(path),
                        ": larger than 2048 MiB, the maximum for a registry");
    unlink(path);
}

/* An empty registry is valid: with `unregistered = accept`, nothing needs to be registered. */
static void test_empty(void **state) {
    (void)state;
    ir_registry_t *registry = load("/dev/null");
    char *text = NULL;
    size_t size = 1;
    ir_error_t error = {0};
    assert_int_equal(ir_registry_motes(registry), 0);
    assert_null(ir_registry_sensor(registry, ir_view_text("a")));
    assert_int_equal(ir_registry_ntriples(registry, 0, &text, &size, &error), IR_OK);
    assert_int_equal(size, 0);
    free(text);
    ir_registry_unref(registry);
}

static void test_allocations(void **state) {
    (void)state;
    failing_alloc_required();
    unsigned nth = 1;
    for (;; nth++) {
        ir_registry_t *registry = NULL;
        char *text = NULL;
        size_t size = 0;
        ir_error_t error = {0};
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        ir_status_t status = ir_registry_load(EVERYTHING, &registry, NULL, &error);
        if (status == IR_OK) {
            status = ir_registry_ntriples(registry, 0, &text, &size, &error);
        }
        const bool failed = failing_alloc_disarm();
        free(text);
        ir_registry_unref(registry);
        if (!failed) {
            assert_int_equal(status, IR_OK);
            break;
        }
        assert_int_equal(status, IR_ERR_MEMORY);
        assert_non_null(strstr(error.text, "out of memory"));
    }
    assert_true(nth > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_motes),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_climatology),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_mote_ids),
        cmocka_unit_test(test_usgs),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_manual_units),
        cmocka_unit_test(test_ntriples),
        cmocka_unit_test(test_several_files),
        cmocka_unit_test(test_each_file_has_its_statements),
        cmocka_unit_test(test_defined_in_two_files),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_many_faults),
        cmocka_unit_test(test_faults_are_bounded),
        cmocka_unit_test(test_faults_of_several_files),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_not_turtle),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
