#include "observation/registry/build.h"
#include "observation/registry/literals.h"

/* A sensor that is being built, with the nodes of its mote and its property, whose statements apply
 * to all their sensors. These nodes are NULL after a fault. */
typedef struct draft {
    ir_node_t *node;
    ir_sensor_t *sensor;
    const ir_node_t *mote, *property;
} draft_t;

static ir_status_t lacks(const ir_builder_t *builder, const ir_node_t *node, const char *what) {
    return ir_turtle_lack(builder->turtle, node, ir_node_at(node), "%s %s", ir_node_show(node).text,
                          what);
}

/* Returns the sensor's own statement, else that of its mote or property. */
static ir_status_t own_or_default(const ir_builder_t *builder, const ir_node_t *own,
                                  const ir_node_t *shared, ir_registry_term_t term,
                                  const ir_fact_t **found) {
    const ir_status_t status = ir_fact_single(builder, own, term, found);
    return status == IR_OK && *found == NULL && shared != NULL
               ? ir_fact_single(builder, shared, term, found)
               : status;
}

/* Finds a statement with either of two predicates; if both occur, they must agree. */
static ir_status_t one_of_two(const ir_builder_t *builder, const ir_node_t *node,
                              ir_registry_term_t first, ir_registry_term_t second,
                              const ir_fact_t **found) {
    const ir_fact_t *other = NULL;
    ir_status_t status = ir_fact_single(builder, node, first, found);
    if (status == IR_OK) {
        status = ir_fact_single(builder, node, second, &other);
    }
    if (status == IR_OK && *found != NULL && other != NULL && (*found)->object != other->object) {
        status =
            ir_fact_fault(builder, other, "%s of %s is %s, but %s is %s (%s); remove one",
                          ir_node_show(other->predicate).text, ir_node_show(node).text,
                          ir_node_show(other->object).text, ir_node_show((*found)->predicate).text,
                          ir_node_show((*found)->object).text,
                          ir_origin_show(builder->turtle, (*found)->at, other->at).text);
    }
    if (status == IR_OK && *found == NULL) {
        *found = other;
    }
    return status;
}

/* ---- the parts ---- */

static ir_status_t set_name(const ir_builder_t *builder, draft_t *draft) {
    const ir_node_t *node = draft->node;
    const ir_fact_t *given = NULL;
    ir_view_t name = {NULL, 0};
    ir_status_t status = ir_fact_single(builder, node, IR_REGISTRY_TERM_SENML_NAME, &given);
    if (status == IR_OK && given == NULL) {
        return lacks(builder, node,
                     "is a sosa:Sensor without ir:senmlName, the full name that its mote sends");
    }
    if (status == IR_OK) {
        status = ir_literal_text(builder, given, "a text, \"USGS-08068500/00010\"", &name);
    }
    if (status == IR_OK && !ir_sensor_name_valid(name)) {
        status = ir_fact_must_be(builder, given,
                                 "letters, digits and - : . / _, a letter or digit first, 255 "
                                 "at most");
    }
    if (status != IR_OK) {
        return status;
    }
    const ir_sensor_t *other = ir_name_table_find(&builder->registry->sensors, name);
    if (other != NULL) {
        return ir_fact_fault(
            builder, given,
            "ir:senmlName \"%.100s\" of %s is also that of <%.100s>%s; each sensor "
            "needs its own",
            name.data, ir_node_show(node).text, other->iri,
            ir_defined_show(builder, other->iri, IR_REGISTRY_TERM_SENML_NAME, given->at).text);
    }
    draft->sensor->name = name.data;
    return ir_builder_name(builder, &builder->registry->sensors, name, draft->sensor);
}

/* A platform may be hosted by another; exactly one of the hosts is the mote. */
static ir_status_t find_mote(const ir_builder_t *builder, const ir_node_t *node,
                             const ir_fact_t **found, const ir_fact_t **host) {
    for (const ir_fact_t *s = node->first; s != NULL; s = s->next_of_same) {
        if (s->predicate->term != IR_REGISTRY_TERM_IS_HOSTED_BY) {
            continue;
        }
        *host = s;
        if (s->object->meanings[IR_MEANING_MOTE] != NULL && *found != NULL &&
            s->object != (*found)->object) {
            return ir_fact_fault(builder, s,
                                 "%s is hosted by two motes, %s (%s) and %s; remove one",
                                 ir_node_show(node).text, ir_node_show((*found)->object).text,
                                 ir_origin_show(builder->turtle, (*found)->at, s->at).text,
                                 ir_node_show(s->object).text);
        }
        *found = s->object->meanings[IR_MEANING_MOTE] != NULL ? s : *found;
    }
    return IR_OK;
}

static ir_status_t set_mote(const ir_builder_t *builder, draft_t *draft) {
    const ir_fact_t *found = NULL;
    const ir_fact_t *host = NULL;
    const ir_status_t status = find_mote(builder, draft->node, &found, &host);
    if (status != IR_OK) {
        return status;
    }
    if (found == NULL && host == NULL) {
        return lacks(builder, draft->node, "is on no mote; add sosa:isHostedBy");
    }
    if (found == NULL && (draft->node->faulty || (host->object->roles & IR_ROLE_MOTE))) {
        return IR_ERR_SYNTAX; /* a fault was already reported */
    }
    if (found == NULL) {
        return ir_turtle_lack(builder->turtle, host->object, host->at,
                              "%s is hosted by %s, which has no ir:moteId",
                              ir_node_show(draft->node).text, ir_node_show(host->object).text);
    }
    draft->mote = found->object;
    draft->sensor->mote = found->object->meanings[IR_MEANING_MOTE];
    return IR_OK;
}

static ir_status_t set_property(const ir_builder_t *builder, draft_t *draft) {
    const ir_fact_t *given = NULL;
    const ir_status_t status =
        ir_fact_single(builder, draft->node, IR_REGISTRY_TERM_OBSERVES, &given);
    if (status == IR_OK && given == NULL) {
        return lacks(builder, draft->node, "observes no property; add sosa:observes");
    }
    if (status != IR_OK || given->object->kind == IR_NODE_LITERAL) {
        return IR_ERR_SYNTAX; /* already reported when the inverse statements were added */
    }
    draft->property = given->object;
    return ir_property_build(builder, given->object, &draft->sensor->property);
}

static ir_status_t set_feature(const ir_builder_t *builder, draft_t *draft) {
    const ir_fact_t *given = NULL;
    ir_node_t *object = NULL;
    ir_status_t status = one_of_two(builder, draft->node, IR_REGISTRY_TERM_FEATURE,
                                    IR_REGISTRY_TERM_HAS_FEATURE, &given);
    if (status == IR_OK && given == NULL) {
        status = draft->mote != NULL ? one_of_two(builder, draft->mote, IR_REGISTRY_TERM_FEATURE,
                                                  IR_REGISTRY_TERM_HAS_FEATURE, &given)
                                     : IR_ERR_SYNTAX; /* reported; it may have one */
    }
    if (status == IR_OK && given == NULL && draft->mote->faulty) {
        return IR_ERR_SYNTAX;
    }
    if (status == IR_OK && given == NULL) {
        return lacks(builder, draft->node,
                     "has no feature of interest; add ir:featureOfInterest to it or to its mote");
    }
    if (status == IR_OK) {
        status = ir_fact_node(builder, given, "the IRI of a feature", &object);
    }
    return status == IR_OK ? ir_feature_build(builder, object, &draft->sensor->feature) : status;
}

static ir_status_t set_procedure(const ir_builder_t *builder, draft_t *draft) {
    const ir_fact_t *given = NULL;
    ir_node_t *object = NULL;
    ir_status_t status = one_of_two(builder, draft->node, IR_REGISTRY_TERM_IMPLEMENTS,
                                    IR_REGISTRY_TERM_USED_PROCEDURE, &given);
    if (status != IR_OK || given == NULL) {
        return status;
    }
    status = ir_fact_node(builder, given, "the IRI of a procedure", &object);
    if (status != IR_OK) {
        return status;
    }
    draft->sensor->procedure_iri = object->iri;
    return ir_builder_type(builder, object, IR_REGISTRY_TERM_PROCEDURE);
}

static ir_status_t set_unit_and_interval(const ir_builder_t *builder, draft_t *draft) {
    const ir_fact_t *given = NULL;
    ir_sensor_t *sensor = draft->sensor;
    ir_status_t unit = ir_unit_build(builder, draft->node, &sensor->unit, &sensor->unit_iri);
    if (unit == IR_OK && sensor->unit == NULL && draft->property != NULL) {
        unit = ir_unit_build(builder, draft->property, &sensor->unit, &sensor->unit_iri);
    }
    ir_status_t interval =
        own_or_default(builder, draft->node, draft->mote, IR_REGISTRY_TERM_INTERVAL, &given);
    if (interval == IR_OK && given != NULL) {
        interval = ir_literal_duration(builder, given, false, &sensor->interval_ns);
    }
    return ir_worse(unit, interval);
}

static ir_status_t set_limits(const ir_builder_t *builder, draft_t *draft) {
    const ir_fact_t *given = NULL;
    const ir_status_t status =
        own_or_default(builder, draft->node, draft->property, IR_REGISTRY_TERM_LIMITS, &given);
    const ir_status_t measured = set_unit_and_interval(builder, draft);
    if (status != IR_OK || measured != IR_OK || given == NULL || draft->sensor->name == NULL) {
        return ir_worse(status, measured);
    }
    draft->sensor->limits = given->object->meanings[IR_MEANING_LIMITS];
    if ((draft->sensor->unit == NULL && (draft->property == NULL || draft->property->faulty)) ||
        (draft->sensor->interval_ns == 0 && (draft->mote == NULL || draft->mote->faulty))) {
        return IR_ERR_SYNTAX; /* the missing statement may be part of another fault, which is
                               * already reported */
    }
    return ir_limits_check(builder, given, draft->node, draft->sensor);
}

static size_t count_of(const ir_node_t *node, ir_registry_term_t term) {
    size_t count = 0;
    for (const ir_fact_t *s = node->first; s != NULL; s = s->next_of_same) {
        count += s->predicate->term == (int)term;
    }
    return count;
}

/* The sensor's own limits, else those of its property. */
static ir_status_t set_missing(const ir_builder_t *builder, draft_t *draft) {
    const bool own =
        ir_fact_of(draft->node, IR_REGISTRY_TERM_MISSING) != NULL || draft->property == NULL;
    const ir_node_t *node = own ? draft->node : draft->property;
    const size_t count = count_of(node, IR_REGISTRY_TERM_MISSING);
    ir_value_t *values = count > 0 ? ir_builder_alloc(builder, count * sizeof *values) : NULL;
    ir_status_t status = count > 0 && values == NULL ? IR_ERR_MEMORY : IR_OK;
    size_t n = 0;
    for (const ir_fact_t *s = node->first; s != NULL && n < count && values != NULL;
         s = s->next_of_same) {
        if (s->predicate->term == IR_REGISTRY_TERM_MISSING) {
            status = ir_worse(status, ir_literal_value(builder, s,
                                                       "a number or a text, -9999 or "
                                                       "\"Ice\"",
                                                       &values[n++]));
        }
    }
    draft->sensor->missing = values;
    draft->sensor->n_missing = n;
    return status;
}

/* ---- the whole ---- */

typedef ir_status_t (*set_fn)(const ir_builder_t *builder, draft_t *draft);

/* Checks every part, even after faults in earlier parts. */
static ir_status_t fill(const ir_builder_t *builder, draft_t *draft) {
    static const set_fn parts[] = {set_name,      set_mote,   set_property, set_feature,
                                   set_procedure, set_limits, set_missing};
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        status = ir_worse(status, parts[i](builder, draft));
    }
    return status;
}

bool ir_sensor_misses(const ir_sensor_t *sensor, const ir_value_t *sent) {
    bool misses = false;
    for (size_t i = 0; i < sensor->n_missing && !misses; i++) {
        const ir_value_t *missing = &sensor->missing[i];
        misses = missing->kind == sent->kind &&
                 (sent->kind == IR_VALUE_NUMBER ? missing->number == sent->number
                                                : ir_view_equal(missing->bytes, sent->bytes));
    }
    return misses;
}

ir_status_t ir_sensor_build(const ir_builder_t *builder, ir_node_t *node) {
    if (node->meanings[IR_MEANING_SENSOR] != NULL) {
        return IR_OK;
    }
    ir_sensor_t *sensor = ir_builder_alloc(builder, sizeof *sensor);
    if (sensor == NULL) {
        return IR_ERR_MEMORY;
    }
    *sensor = (ir_sensor_t){.iri = node->iri, .label = ir_node_label(node), .registered = true};
    node->meanings[IR_MEANING_SENSOR] = sensor;
    draft_t draft = {.node = node, .sensor = sensor};
    const ir_status_t status = fill(builder, &draft);
    return status == IR_OK ? ir_builder_type(builder, node, IR_REGISTRY_TERM_SENSOR) : status;
}
