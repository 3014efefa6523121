#include "observation/registry/build.h"
#include "observation/registry/literals.h"

#include "common/clock.h"

static ir_status_t fault(const ir_builder_t *builder, const ir_fact_t *statement,
                         const char *text) {
    return ir_fact_fault(builder, statement, "%s of %s %s", ir_node_show(statement->predicate).text,
                         ir_node_show(statement->subject).text, text);
}

/* Reports a missing statement that must accompany this one. */
static ir_status_t lack(const ir_builder_t *builder, const ir_node_t *node,
                        const ir_fact_t *statement, const char *text) {
    return ir_turtle_lack(builder->turtle, node, statement->at, "%s of %s %s",
                          ir_node_show(statement->predicate).text,
                          ir_node_show(statement->subject).text, text);
}

static ir_status_t read_positive(const ir_builder_t *builder, const ir_fact_t *statement,
                                 const char *what, double *number) {
    double read = 0;
    const ir_status_t status = ir_literal_number(builder, statement, what, &read);
    if (status != IR_OK || read < 0) {
        return status != IR_OK ? status : ir_fact_must_be(builder, statement, what);
    }
    *number = read;
    return IR_OK;
}

/* ---- limits of one value ---- */

static ir_status_t read_number(const ir_builder_t *builder, const ir_fact_t *statement,
                               const char *what, void *value) {
    return read_positive(builder, statement, what, value);
}

static ir_status_t read_duration(const ir_builder_t *builder, const ir_fact_t *statement,
                                 const char *what, void *value) {
    (void)what;
    return ir_literal_duration(builder, statement, true, value);
}

#define FIELD(term, read, value, given, what)                                                      \
    { term, read, offsetof(ir_limits_t, value), offsetof(ir_limits_t, given), what }
#define NUMBER(symbol, member, property, test, what)                                               \
    FIELD(IR_REGISTRY_TERM_##symbol, read_number, member, has_##member, what),

static const struct {
    ir_registry_term_t term;
    ir_status_t (*read)(const ir_builder_t *, const ir_fact_t *, const char *what, void *value);
    size_t value, given; /* offsets in ir_limits_t: of the limit, and of the bool that says whether
                          * it is given */
    const char *what;
} fields[] = {
    IR_LIMIT_NUMBERS(NUMBER)
        FIELD(IR_REGISTRY_TERM_FLAT_SUSPECT, read_duration, flat_suspect_ns, has_flat_suspect, ""),
    FIELD(IR_REGISTRY_TERM_FLAT_FAIL, read_duration, flat_fail_ns, has_flat_fail, ""),
};

static ir_status_t read_fields(const ir_builder_t *builder, const ir_node_t *node,
                               ir_limits_t *limits) {
    ir_status_t all = IR_OK;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const ir_fact_t *statement = NULL;
        ir_status_t status = ir_fact_single(builder, node, fields[i].term, &statement);
        if (status == IR_OK && statement != NULL) {
            status = fields[i].read(builder, statement, fields[i].what,
                                    (char *)limits + fields[i].value);
            *(bool *)((char *)limits + fields[i].given) = status == IR_OK;
        }
        all = ir_worse(all, status);
    }
    return all;
}

/* ---- spans ---- */

static ir_status_t read_span(const ir_builder_t *builder, const ir_node_t *node,
                             ir_registry_term_t term, ir_span_t *span,
                             const ir_fact_t **statement) {
    const ir_status_t status = ir_fact_single(builder, node, term, statement);
    return status != IR_OK || *statement == NULL ? status
                                                 : ir_literal_span(builder, *statement, span);
}

static ir_status_t check_inside(const ir_builder_t *builder, const ir_fact_t *statement,
                                const ir_span_t *suspect, const ir_span_t *fail) {
    if (!suspect->given || !fail->given ||
        (suspect->low >= fail->low && suspect->high <= fail->high)) {
        return IR_OK;
    }
    return ir_fact_fault(builder, statement,
                         "%s of %s is ( %g %g ): it must lie inside the span for fail, ( %g %g )",
                         ir_node_show(statement->predicate).text,
                         ir_node_show(statement->subject).text, suspect->low, suspect->high,
                         fail->low, fail->high);
}

static ir_status_t read_gross(const ir_builder_t *builder, const ir_node_t *node,
                              ir_limits_t *limits) {
    const ir_fact_t *fail = NULL;
    const ir_fact_t *suspect = NULL;
    ir_status_t status =
        read_span(builder, node, IR_REGISTRY_TERM_GROSS_FAIL, &limits->gross_fail, &fail);
    status = ir_worse(status, read_span(builder, node, IR_REGISTRY_TERM_GROSS_SUSPECT,
                                        &limits->gross_suspect, &suspect));
    if (status != IR_OK || suspect == NULL) {
        return status;
    }
    return fail == NULL
               ? lack(builder, node, suspect, "needs ir:grossFail, too")
               : check_inside(builder, suspect, &limits->gross_suspect, &limits->gross_fail);
}

/* ---- spike, flat line ---- */

static ir_status_t read_spike(const ir_builder_t *builder, const ir_node_t *node,
                              ir_limits_t *limits) {
    const ir_fact_t *method = NULL;
    ir_view_t text = {NULL, 0};
    ir_status_t status = ir_fact_single(builder, node, IR_REGISTRY_TERM_SPIKE_METHOD, &method);
    if (status == IR_OK && method != NULL) {
        status = ir_literal_text(builder, method, "\"average\" or \"differential\"", &text);
    }
    if (status != IR_OK) {
        return status;
    }
    limits->has_spike = limits->has_spike_suspect || limits->has_spike_fail;
    if (method != NULL && !limits->has_spike) {
        return lack(builder, node, method,
                    "needs a threshold: ir:spikeSuspect, ir:spikeFail, or both");
    }
    if (ir_view_equal(text, ir_view_text("differential"))) {
        limits->spike_method = IR_SPIKE_DIFFERENTIAL;
    } else if (method != NULL && !ir_view_equal(text, ir_view_text("average"))) {
        return ir_fact_must_be(builder, method, "\"average\" or \"differential\"");
    }
    if (limits->has_spike_suspect && limits->has_spike_fail &&
        limits->spike_suspect > limits->spike_fail) {
        return fault(builder, ir_fact_of(node, IR_REGISTRY_TERM_SPIKE_SUSPECT),
                     "must not be above ir:spikeFail");
    }
    return IR_OK;
}

static ir_status_t read_flat(const ir_builder_t *builder, const ir_node_t *node,
                             ir_limits_t *limits) {
    const ir_fact_t *tolerance = NULL;
    ir_status_t status = ir_fact_single(builder, node, IR_REGISTRY_TERM_FLAT_TOLERANCE, &tolerance);
    if (status == IR_OK && tolerance != NULL) {
        status =
            read_positive(builder, tolerance, "a number in the sensor's unit that is not negative",
                          &limits->flat_tolerance);
    }
    if (status != IR_OK) {
        return status;
    }
    const ir_fact_t *suspect = ir_fact_of(node, IR_REGISTRY_TERM_FLAT_SUSPECT);
    const ir_fact_t *fail = ir_fact_of(node, IR_REGISTRY_TERM_FLAT_FAIL);
    const ir_fact_t *any = suspect != NULL ? suspect : fail;
    if (any == NULL && tolerance != NULL) {
        return lack(builder, node, tolerance,
                    "needs a duration: ir:flatLineSuspect, ir:flatLineFail, or both");
    }
    if (any != NULL && tolerance == NULL) {
        return lack(builder, node, any, "needs ir:flatLineTolerance, too");
    }
    return suspect != NULL && limits->has_flat_suspect && limits->has_flat_fail &&
                   limits->flat_suspect_ns > limits->flat_fail_ns
               ? fault(builder, suspect, "must not be longer than ir:flatLineFail")
               : IR_OK;
}

/* ---- climatology ---- */

static const struct {
    ir_registry_term_t term;
    ir_period_t period;
    int64_t smallest, largest;
} periods[] = {
    {IR_REGISTRY_TERM_TIME, IR_PERIOD_TIME, 0, 0},
    {IR_REGISTRY_TERM_MONTH, IR_PERIOD_MONTH, 1, 12},
    {IR_REGISTRY_TERM_WEEK, IR_PERIOD_WEEK, 1, 53},
    {IR_REGISTRY_TERM_DAY_OF_YEAR, IR_PERIOD_DAY_OF_YEAR, 1, 366},
};

static ir_status_t read_period(const ir_builder_t *builder, const ir_node_t *node,
                               const ir_fact_t *list, ir_climatology_t *member) {
    const ir_fact_t *found = NULL;
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        const ir_fact_t *given = NULL;
        ir_status_t status = ir_fact_single(builder, node, periods[i].term, &given);
        if (status == IR_OK && given != NULL && found != NULL) {
            status = fault(builder, given, "is given beside another period; give each a member");
        } else if (status == IR_OK && given != NULL) {
            found = given;
            member->period = periods[i].period;
            status = periods[i].period == IR_PERIOD_TIME
                         ? ir_literal_times(builder, given, &member->begin, &member->end)
                         : ir_literal_range(builder, given, periods[i].smallest, periods[i].largest,
                                            &member->begin, &member->end);
        }
        if (status != IR_OK) {
            return status;
        }
    }
    return found != NULL ? IR_OK
                         : lack(builder, node, list,
                                "has a member without a period: ir:month, ir:week, "
                                "ir:dayOfYear or ir:time ( from to )");
}

static ir_status_t read_member(const ir_builder_t *builder, const ir_node_t *node,
                               const ir_fact_t *list, ir_climatology_t *member) {
    const ir_fact_t *fail = NULL;
    const ir_fact_t *suspect = NULL;
    ir_status_t status = read_period(builder, node, list, member);
    status =
        ir_worse(status, read_span(builder, node, IR_REGISTRY_TERM_FAIL, &member->fail, &fail));
    status = ir_worse(
        status, read_span(builder, node, IR_REGISTRY_TERM_SUSPECT, &member->suspect, &suspect));
    return suspect == NULL
               ? ir_worse(status,
                          lack(builder, node, list, "has a member without ir:suspect ( low high )"))
               : ir_worse(status, check_inside(builder, suspect, &member->suspect, &member->fail));
}

static ir_status_t count_members(const ir_builder_t *builder, const ir_fact_t *list,
                                 size_t *count) {
    ir_node_t *cell = list->object;
    ir_node_t *item = NULL;
    size_t n = 0;
    while (n <= IR_CLIMATOLOGY_MAX && ir_list_next(&cell, &item)) {
        n++;
        if (item->kind == IR_NODE_LITERAL) {
            return ir_fact_must_be(builder, list,
                                   "a list of members: ( [ ir:month ( 1 2 ) ; "
                                   "ir:suspect ( 0 12 ) ] )");
        }
    }
    if (n > IR_CLIMATOLOGY_MAX) {
        return ir_fact_fault(builder, list, "ir:climatology of %s has more than %d members",
                             ir_node_show(list->subject).text, IR_CLIMATOLOGY_MAX);
    }
    *count = n;
    if (list->object->faulty) {
        return IR_ERR_SYNTAX; /* a fault was already reported: a statement about the list that
                               * belongs in one of its members */
    }
    return n > 0 && cell->term == IR_REGISTRY_TERM_NIL
               ? IR_OK
               : ir_fact_must_be(builder, list,
                                 "a list of members: ( [ ir:month ( 1 2 ) ; "
                                 "ir:suspect ( 0 12 ) ] )");
}

static ir_status_t read_climatology(const ir_builder_t *builder, const ir_node_t *node,
                                    ir_limits_t *limits) {
    const ir_fact_t *list = NULL;
    size_t count = 0;
    ir_status_t status = ir_fact_single(builder, node, IR_REGISTRY_TERM_CLIMATOLOGY, &list);
    if (status != IR_OK || list == NULL) {
        return status;
    }
    status = count_members(builder, list, &count);
    if (status != IR_OK) {
        return status;
    }
    ir_climatology_t *members = ir_builder_alloc(builder, count * sizeof *members);
    if (members == NULL) {
        return IR_ERR_MEMORY;
    }
    ir_node_t *cell = list->object;
    ir_node_t *item = NULL;
    for (size_t i = 0; i < count && ir_list_next(&cell, &item); i++) {
        status = ir_worse(status, read_member(builder, item, list, &members[i]));
    }
    limits->climatology = members;
    limits->n_climatology = count;
    return status;
}

/* ---- the whole ---- */

typedef ir_status_t (*read_fn)(const ir_builder_t *, const ir_node_t *, ir_limits_t *);

ir_status_t ir_limits_build(const ir_builder_t *builder, ir_node_t *node, ir_limits_t *limits) {
    static const read_fn readers[] = {read_fields, read_gross, read_spike, read_flat,
                                      read_climatology};
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        status = ir_worse(status, readers[i](builder, node, limits));
        node->faulty = node->faulty || status != IR_OK;
    }
    return status;
}

const ir_limits_t ir_limits_none = {0};

static bool has_number(const ir_limits_t *limits, ir_test_t test) {
#define GIVEN(symbol, member, property, of, what) || (test == IR_TEST_##of && limits->has_##member)
    return false IR_LIMIT_NUMBERS(GIVEN);
#undef GIVEN
}

bool ir_limits_has(const ir_limits_t *limits, ir_test_t test) {
    switch (test) {
    case IR_TEST_GROSS_RANGE:
        return limits->gross_fail.given;
    case IR_TEST_CLIMATOLOGY:
        return limits->n_climatology > 0;
    case IR_TEST_FLAT_LINE:
        return limits->has_flat_suspect || limits->has_flat_fail;
    default:
        return has_number(limits, test);
    }
}

bool ir_limits_given(const ir_limits_t *limits) {
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        if (ir_limits_has(limits, (ir_test_t)test)) {
            return true;
        }
    }
    return false;
}

static ir_status_t check_window(const ir_builder_t *builder, const ir_fact_t *statement,
                                const ir_node_t *node, const ir_sensor_t *sensor,
                                int64_t duration_ns) {
    if (sensor->interval_ns == 0) {
        return ir_turtle_lack(builder->turtle, node, statement->at,
                              "the flat-line limits of \"%.100s\" need ir:samplingInterval at the "
                              "sensor or its mote",
                              sensor->name);
    }
    const long long points = duration_ns / sensor->interval_ns + 1;
    if (points > IR_FLAT_WINDOW_MAX) {
        return ir_fact_fault(builder, statement,
                             "the flat-line limits of \"%.100s\" span %lld points at one in %g s; "
                             "at most %d are kept",
                             sensor->name, points,
                             (double)sensor->interval_ns / (double)IR_SECOND_NS,
                             IR_FLAT_WINDOW_MAX);
    }
    return IR_OK;
}

static bool same_unit(const ir_unit_t *a, const ir_unit_t *b) {
    return a == b || (strcmp(a->qudt, b->qudt) == 0 && strcmp(a->senml, b->senml) == 0);
}

ir_status_t ir_limits_check(const ir_builder_t *builder, const ir_fact_t *statement,
                            const ir_node_t *node, const ir_sensor_t *sensor) {
    const ir_unit_t *stated = NULL;
    const char *iri = NULL;
    const ir_limits_t *limits = ir_sensor_limits(sensor);
    if (sensor->unit == NULL) {
        return ir_turtle_lack(builder->turtle, node, statement->at,
                              "\"%.100s\" has ir:limits but no unit, so its values are not "
                              "numbers; add qudt:hasUnit",
                              sensor->name);
    }
    ir_status_t status = ir_unit_build(builder, statement->object, &stated, &iri);
    if (status == IR_OK && stated != NULL && !same_unit(stated, sensor->unit)) {
        status = ir_fact_fault(builder, statement,
                               "the limits %s are in %s but \"%.100s\" is in %s; limits are not "
                               "converted: give this sensor its own",
                               ir_node_show(statement->object).text, stated->senml, sensor->name,
                               sensor->unit->senml);
    }
    if (status == IR_OK && limits->has_flat_suspect) {
        status = check_window(builder, statement, node, sensor, limits->flat_suspect_ns);
    }
    if (status == IR_OK && limits->has_flat_fail) {
        status = check_window(builder, statement, node, sensor, limits->flat_fail_ns);
    }
    return status;
}
