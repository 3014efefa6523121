#include "observation/registry/explain.h"

#include "common/buffer.h"
#include "common/clock.h"
#include "common/nearest.h"
#include "observation/ownership.h"
#include "observation/registry/build.h"

#include <stdarg.h>

#define VALUE_SIZE 400
#define VALUE_WIDTH 60
#define WHERE_SIZE 480

typedef struct explanation {
    const ir_turtle_t *turtle;
    const ir_node_t *mote; /* nodes of the sensor being explained */
    const ir_node_t *sensor, *property;
    FILE *out;
} explanation_t;

/* ---- columns ---- */

typedef struct where {
    char text[WHERE_SIZE];
} where_t;

static where_t said(const char *text) {
    where_t where;
    snprintf(where.text, sizeof where.text, "%s", text);
    return where;
}

/* Returns the place of a statement, and whom it is about if not the sensor. */
static where_t said_by(const explanation_t *e, const ir_fact_t *fact) {
    where_t where = said("default");
    if (fact != NULL) {
        const char *whose = fact->subject == e->sensor || e->sensor == NULL ? ""
                            : fact->subject == e->mote                      ? " (mote)"
                            : fact->subject == e->property                  ? " (property)"
                                                                            : "";
        snprintf(where.text, sizeof where.text, "%.400s:%u%s", e->turtle->files[fact->at.file].path,
                 fact->at.line, whose);
    }
    return where;
}

/* Characters, not bytes. */
static int width_of(const char *text) {
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

static void row(const explanation_t *e, const char *what, where_t where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void row(const explanation_t *e, const char *what, where_t where, const char *format, ...) {
    char value[VALUE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    const int width = width_of(value);
    fprintf(e->out, "  %-14s  %s%*s  %s\n", what, value,
            width < VALUE_WIDTH ? VALUE_WIDTH - width : 0, "", where.text);
}

/* Returns the sensor's statement, else that of its mote or property. */
static const ir_fact_t *fact_of(const explanation_t *e, const ir_node_t *shared,
                                ir_registry_term_t term) {
    const ir_fact_t *own = ir_fact_of(e->sensor, term);
    return own != NULL || shared == NULL ? own : ir_fact_of(shared, term);
}

static const ir_fact_t *first_of(const ir_fact_t *a, const ir_fact_t *b) {
    return a != NULL ? a : b;
}

/* ---- limits ---- */

static const char *show_span(const ir_span_t *fail, const ir_span_t *suspect,
                             char out[static VALUE_SIZE]) {
    int size = 0;
    if (fail->given) {
        size = snprintf(out, VALUE_SIZE, "fail outside %.10g … %.10g%s", fail->low, fail->high,
                        suspect->given ? ", " : "");
    }
    if (suspect->given) {
        snprintf(out + size, VALUE_SIZE - (size_t)size, "suspect outside %.10g … %.10g",
                 suspect->low, suspect->high);
    }
    return out;
}

static const char *show_thresholds(const char *relation, bool has_suspect, double suspect,
                                   bool has_fail, double fail, const char *unit,
                                   char out[static VALUE_SIZE]) {
    int size = 0;
    if (has_suspect) {
        size = snprintf(out, VALUE_SIZE, "suspect %s %.10g%s%s", relation, suspect, unit,
                        has_fail ? ", " : "");
    }
    if (has_fail) {
        snprintf(out + size, VALUE_SIZE - (size_t)size, "fail %s %.10g%s", relation, fail, unit);
    }
    return out;
}

static void explain_member(const explanation_t *e, const ir_climatology_t *member,
                           const ir_node_t *node) {
    static const char *const periods[] = {[IR_PERIOD_TIME] = "",
                                          [IR_PERIOD_MONTH] = "months",
                                          [IR_PERIOD_WEEK] = "weeks",
                                          [IR_PERIOD_DAY_OF_YEAR] = "days of the year"};
    char span[VALUE_SIZE];
    char begin[IR_TIME_SIZE];
    char end[IR_TIME_SIZE];
    show_span(&member->fail, &member->suspect, span);
    if (member->period == IR_PERIOD_TIME) {
        ir_clock_format(member->begin, begin);
        ir_clock_format(member->end, end);
        row(e, "climatology", said_by(e, node->first), "%s to %s: %s", begin, end, span);
    } else {
        row(e, "climatology", said_by(e, node->first), "%s %lld to %lld: %s",
            periods[member->period], (long long)member->begin, (long long)member->end, span);
    }
}

static void explain_gross_range(const explanation_t *e, const ir_limits_t *limits,
                                const ir_node_t *node) {
    char text[VALUE_SIZE];
    row(e, "gross range", said_by(e, ir_fact_of(node, IR_REGISTRY_TERM_GROSS_FAIL)), "%s",
        show_span(&limits->gross_fail, &limits->gross_suspect, text));
}

static void explain_spike(const explanation_t *e, const ir_limits_t *limits,
                          const ir_node_t *node) {
    char text[VALUE_SIZE];
    show_thresholds("above", limits->has_spike_suspect, limits->spike_suspect,
                    limits->has_spike_fail, limits->spike_fail, "", text);
    row(e, "spike",
        said_by(e, first_of(ir_fact_of(node, IR_REGISTRY_TERM_SPIKE_SUSPECT),
                            ir_fact_of(node, IR_REGISTRY_TERM_SPIKE_FAIL))),
        "%s (%s)", text, limits->spike_method == IR_SPIKE_AVERAGE ? "average" : "differential");
}

static void explain_rate_of_change(const explanation_t *e, const ir_limits_t *limits,
                                   const ir_node_t *node) {
    row(e, "rate of change", said_by(e, ir_fact_of(node, IR_REGISTRY_TERM_RATE)),
        "suspect above %.10g per second", limits->rate);
}

static void explain_flat_line(const explanation_t *e, const ir_limits_t *limits,
                              const ir_node_t *node) {
    char text[VALUE_SIZE];
    show_thresholds("after", limits->has_flat_suspect,
                    (double)limits->flat_suspect_ns / (double)IR_SECOND_NS, limits->has_flat_fail,
                    (double)limits->flat_fail_ns / (double)IR_SECOND_NS, " s", text);
    row(e, "flat line",
        said_by(e, first_of(ir_fact_of(node, IR_REGISTRY_TERM_FLAT_SUSPECT),
                            ir_fact_of(node, IR_REGISTRY_TERM_FLAT_FAIL))),
        "%s within %.10g", text, limits->flat_tolerance);
}

static void explain_climatology(const explanation_t *e, const ir_limits_t *limits,
                                const ir_node_t *node) {
    const ir_fact_t *list = ir_fact_of(node, IR_REGISTRY_TERM_CLIMATOLOGY);
    ir_node_t *cell = list != NULL ? list->object : NULL;
    ir_node_t *item = NULL;
    for (size_t i = 0; i < limits->n_climatology && ir_list_next(&cell, &item); i++) {
        explain_member(e, &limits->climatology[i], item);
    }
}

static const struct {
    ir_test_t test;
    ir_registry_term_t term;
    const char *property;
    size_t value, given; /* offsets in ir_limits_t */
} numbers[] = {
#define NUMBER(symbol, member, property, test, what)                                               \
    {IR_TEST_##test, IR_REGISTRY_TERM_##symbol, property, offsetof(ir_limits_t, member),           \
     offsetof(ir_limits_t, has_##member)},
    IR_LIMIT_NUMBERS(NUMBER)
#undef NUMBER
};

static void explain_numbers(const explanation_t *e, const ir_limits_t *limits,
                            const ir_node_t *node, ir_test_t test) {
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].test == test && *(const bool *)((const char *)limits + numbers[i].given)) {
            row(e, ir_test_words(test), said_by(e, ir_fact_of(node, numbers[i].term)), "%s %.10g",
                numbers[i].property, *(const double *)((const char *)limits + numbers[i].value));
        }
    }
}

static void explain_test(const explanation_t *e, const ir_limits_t *limits, const ir_node_t *node,
                         ir_test_t test) {
    static void (*const explain[IR_TEST_COUNT])(const explanation_t *, const ir_limits_t *,
                                                const ir_node_t *) = {
        [IR_TEST_GROSS_RANGE] = explain_gross_range,
        [IR_TEST_CLIMATOLOGY] = explain_climatology,
        [IR_TEST_SPIKE] = explain_spike,
        [IR_TEST_RATE_OF_CHANGE] = explain_rate_of_change,
        [IR_TEST_FLAT_LINE] = explain_flat_line,
    };
    if (!ir_limits_has(limits, test)) {
        row(e, ir_test_words(test), said("default"), "not evaluated: no limits");
    } else if (explain[test] != NULL) {
        explain[test](e, limits, node);
    } else {
        explain_numbers(e, limits, node, test);
    }
}

/* Writes the tests that have limits, or those that have none. Climatology comes last, because it
 * may have many rows. */
static void explain_tests(const explanation_t *e, const ir_limits_t *limits, const ir_node_t *node,
                          bool given) {
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        if (test != IR_TEST_CLIMATOLOGY && ir_limits_has(limits, (ir_test_t)test) == given) {
            explain_test(e, limits, node, (ir_test_t)test);
        }
    }
    if (ir_limits_has(limits, IR_TEST_CLIMATOLOGY) == given) {
        explain_test(e, limits, node, IR_TEST_CLIMATOLOGY);
    }
}

static void explain_limits(const explanation_t *e, const ir_limits_t *limits) {
    const ir_fact_t *given = fact_of(e, e->property, IR_REGISTRY_TERM_LIMITS);
    const ir_node_t *node = given != NULL ? given->object : NULL;
    if (node != NULL) {
        row(e, "limits", said_by(e, given), "%s", ir_node_show(node).text);
    }
    explain_tests(e, limits, node, true);
    explain_tests(e, limits, node, false);
}

static void explain_missing(const explanation_t *e, const ir_sensor_t *sensor) {
    ir_buffer_t text;
    ir_buffer_init(&text);
    for (size_t i = 0; i < sensor->n_missing; i++) {
        const ir_value_t *value = &sensor->missing[i];
        ir_buffer_append_text(&text, i > 0 ? ", " : "");
        if (value->kind == IR_VALUE_NUMBER) {
            ir_buffer_append_double(&text, value->number);
        } else {
            ir_buffer_append_json_string(&text, value->bytes);
        }
    }
    if (sensor->n_missing > 0) {
        row(e, "missing when", said_by(e, fact_of(e, e->property, IR_REGISTRY_TERM_MISSING)),
            "%.*s", (int)text.size, text.data);
    }
    ir_buffer_free(&text);
}

/* ---- units ---- */

static void explain_accepted(const explanation_t *e, const ir_unit_t *unit) {
    ir_buffer_t text;
    ir_buffer_init(&text);
    for (size_t i = 0; i < ir_units_count; i++) {
        if (ir_unit_converts(&ir_units[i], unit)) {
            ir_buffer_append_format(&text, "%s%s", text.size > 0 ? ", " : "", ir_units[i].senml);
        }
    }
    if (text.size > 0) {
        row(e, "units taken", said("vocabulary"), "%.*s", (int)text.size, text.data);
    } else {
        row(e, "units taken", said("vocabulary"), "only %s: not in the vocabulary", unit->senml);
    }
    ir_buffer_free(&text);
}

static void explain_unit(const explanation_t *e, const ir_sensor_t *sensor) {
    const ir_fact_t *own = first_of(ir_fact_of(e->sensor, IR_REGISTRY_TERM_HAS_UNIT),
                                    ir_fact_of(e->sensor, IR_REGISTRY_TERM_UNIT_TEXT));
    const ir_fact_t *shared = first_of(ir_fact_of(e->property, IR_REGISTRY_TERM_HAS_UNIT),
                                       ir_fact_of(e->property, IR_REGISTRY_TERM_UNIT_TEXT));
    if (sensor->unit == NULL) {
        row(e, "unit", said("default"), "none: values are not numbers");
        return;
    }
    row(e, "unit", said_by(e, first_of(own, shared)), "%s (%s)", sensor->unit->senml,
        sensor->unit->label);
    explain_accepted(e, sensor->unit);
}

/* ---- the mote and its sensors ---- */

static void explain_names(const explanation_t *e, const ir_sensor_t *sensor) {
    row(e, "sent as", said_by(e, ir_fact_of(e->sensor, IR_REGISTRY_TERM_SENML_NAME)), "%s%s",
        sensor->name,
        ir_mote_owns(sensor->mote->id, ir_view_text(sensor->name))
            ? ""
            : "; over HTTP only to a gateway with a registry");
}

static bool explain_sensor(void *context, const ir_sensor_t *sensor) {
    explanation_t *e = context;
    if (sensor->mote != e->mote->meanings[IR_MEANING_MOTE]) {
        return true;
    }
    e->sensor = NULL;
    for (const ir_fact_t *s = e->turtle->first; s != NULL && e->sensor == NULL; s = s->next) {
        e->sensor = s->subject->meanings[IR_MEANING_SENSOR] == sensor ? s->subject : NULL;
    }
    const ir_fact_t *observes = ir_fact_of(e->sensor, IR_REGISTRY_TERM_OBSERVES);
    const ir_fact_t *feature = first_of(fact_of(e, e->mote, IR_REGISTRY_TERM_FEATURE),
                                        fact_of(e, e->mote, IR_REGISTRY_TERM_HAS_FEATURE));
    e->property = observes->object;
    fprintf(e->out, "\n%s%s%s\n", sensor->name, sensor->label[0] != '\0' ? "  " : "",
            sensor->label);
    explain_names(e, sensor);
    row(e, "property", said_by(e, observes), "%s%s%s", sensor->property->key,
        sensor->property->label[0] != '\0' ? ", " : "", sensor->property->label);
    row(e, "feature", said_by(e, feature), "%s%s%s", ir_node_show(feature->object).text,
        sensor->feature->label[0] != '\0' ? ", " : "", sensor->feature->label);
    explain_unit(e, sensor);
    if (sensor->interval_ns > 0) {
        row(e, "interval", said_by(e, fact_of(e, e->mote, IR_REGISTRY_TERM_INTERVAL)), "%.10g s",
            (double)sensor->interval_ns / (double)IR_SECOND_NS);
    }
    explain_missing(e, sensor);
    explain_limits(e, ir_sensor_limits(sensor));
    return true;
}

static void explain_mote(const explanation_t *e, const ir_mote_t *mote) {
    const ir_fact_t *place = first_of(ir_fact_of(e->mote, IR_REGISTRY_TERM_LATITUDE),
                                      first_of(ir_fact_of(e->mote, IR_REGISTRY_TERM_WKT),
                                               ir_fact_of(e->mote, IR_REGISTRY_TERM_GEOMETRY)));
    fprintf(e->out, "%s%s%s\n", mote->id, mote->label[0] != '\0' ? "  " : "", mote->label);
    row(e, "mote", said_by(e, ir_fact_of(e->mote, IR_REGISTRY_TERM_MOTE_ID)),
        "ir.%s over AMQP, ir/%s over MQTT", mote->id, mote->id);
    if (mote->has_place) {
        row(e, "place", said_by(e, place), "latitude %.10g, longitude %.10g", mote->latitude,
            mote->longitude);
    }
}

static ir_status_t look_at_mote(void *context, const ir_mote_t *mote, ir_error_t *error) {
    (void)error;
    ir_nearest_try(context, mote->id);
    return IR_OK;
}

static ir_status_t no_mote(const ir_registry_t *registry, const char *id, ir_error_t *error) {
    ir_nearest_t nearest = ir_nearest(ir_view_text(id));
    char like[IR_NEAREST_TEXT_SIZE];
    (void)ir_registry_each_mote(registry, look_at_mote, &nearest, error);
    return ir_error_set(error, IR_ERR_NOT_FOUND, "the registry has no mote '%.100s'%s", id,
                        ir_nearest_text(&nearest, "", like));
}

ir_status_t ir_registry_explain(const ir_registry_t *registry, const char *mote, FILE *out,
                                ir_error_t *error) {
    const ir_mote_t *found = ir_registry_mote(registry, ir_view_text(mote));
    explanation_t e = {.turtle = &registry->turtle, .out = out};
    if (found == NULL) {
        return no_mote(registry, mote, error);
    }
    for (const ir_fact_t *s = e.turtle->first; s != NULL && e.mote == NULL; s = s->next) {
        e.mote = s->subject->meanings[IR_MEANING_MOTE] == found ? s->subject : NULL;
    }
    explain_mote(&e, found);
    ir_registry_each_sensor(registry, explain_sensor, &e);
    return IR_OK;
}
