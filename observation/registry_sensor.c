#include "observation/registry_build.h"

#include "observation/senml.h"

static ir_status_t lacks(const ir_builder_t *builder, const ir_node_t *node, const char *what) {
    return ir_turtle_fault(builder->turtle, ir_node_at(node), builder->error, "%s %s",
                           ir_node_show(node).text, what);
}

/* What a sensor says of itself, else what its mote or property says for all of theirs. */
static ir_status_t own_or_default(const ir_builder_t *builder, const ir_node_t *own,
                                  const ir_node_t *shared, ir_word_t word,
                                  const ir_fact_t **found) {
    const ir_status_t status = ir_fact_single(builder, own, word, found);
    return status == IR_OK && *found == NULL ? ir_fact_single(builder, shared, word, found)
                                             : status;
}

/* One statement by either of two predicates; with both, they must agree. */
static ir_status_t one_of_two(const ir_builder_t *builder, const ir_node_t *node, ir_word_t first,
                              ir_word_t second, const ir_fact_t **found) {
    const ir_fact_t *other = NULL;
    ir_status_t status = ir_fact_single(builder, node, first, found);
    if (status == IR_OK) {
        status = ir_fact_single(builder, node, second, &other);
    }
    if (status == IR_OK && *found != NULL && other != NULL && (*found)->object != other->object) {
        status = ir_turtle_fault(
            builder->turtle, other->at, builder->error,
            "%s of %s is %s, but %s is %s (%s); leave one", ir_node_show(other->predicate).text,
            ir_node_show(node).text, ir_node_show(other->object).text,
            ir_node_show((*found)->predicate).text, ir_node_show((*found)->object).text,
            ir_origin_show(builder->turtle, (*found)->at, other->at).text);
    }
    if (status == IR_OK && *found == NULL) {
        *found = other;
    }
    return status;
}

/* ---- the parts ---- */

static ir_status_t set_name(const ir_builder_t *builder, const ir_node_t *node,
                            ir_sensor_t *sensor) {
    const ir_fact_t *given = NULL;
    ir_view_t name = {NULL, 0};
    ir_status_t status = ir_fact_single(builder, node, IR_WORD_SENML_NAME, &given);
    if (status == IR_OK && given == NULL) {
        return lacks(builder, node,
                     "is a sosa:Sensor without ir:senmlName, the full name that its mote sends");
    }
    if (status == IR_OK) {
        status = ir_fact_text(builder, given, "a text, \"USGS-08068500/00010\"", &name);
    }
    if (status == IR_OK && !ir_name_valid(name, IR_NAME_SIZE_MAX, "-:./_")) {
        status = ir_fact_wants(builder, given,
                               "letters, digits and - : . / _, a letter or digit first, 255 "
                               "at most");
    }
    if (status != IR_OK) {
        return status;
    }
    const ir_sensor_t *other = ir_table_find(&builder->registry->sensors, name);
    if (other != NULL) {
        return ir_turtle_fault(
            builder->turtle, given->at, builder->error,
            "ir:senmlName \"%.100s\" of %s is also that of <%.100s>%s; each sensor "
            "needs its own",
            name.data, ir_node_show(node).text, other->iri,
            ir_defined_show(builder, other->iri, IR_WORD_SENML_NAME, given->at).text);
    }
    sensor->name = name.data;
    return IR_OK;
}

/* A platform may stand on another one; just one of the hosts is the mote. */
static ir_status_t set_mote(const ir_builder_t *builder, const ir_node_t *node, ir_sensor_t *sensor,
                            const ir_node_t **mote) {
    const ir_fact_t *found = NULL;
    const ir_fact_t *host = NULL;
    for (const ir_fact_t *s = node->first; s != NULL; s = s->next_of_same) {
        if (s->predicate->word != IR_WORD_IS_HOSTED_BY) {
            continue;
        }
        host = s;
        if (s->object->meanings[IR_MEANING_MOTE] != NULL && found != NULL) {
            return ir_turtle_fault(builder->turtle, s->at, builder->error,
                                   "%s is hosted by two motes, %s (%s) and %s; leave one",
                                   ir_node_show(node).text, ir_node_show(found->object).text,
                                   ir_origin_show(builder->turtle, found->at, s->at).text,
                                   ir_node_show(s->object).text);
        }
        found = s->object->meanings[IR_MEANING_MOTE] != NULL ? s : found;
    }
    if (found == NULL && host != NULL) {
        return ir_turtle_fault(builder->turtle, host->at, builder->error,
                               "%s is hosted by %s, which has no ir:moteId",
                               ir_node_show(node).text, ir_node_show(host->object).text);
    }
    if (found == NULL) {
        return lacks(builder, node, "is on no mote; add sosa:isHostedBy");
    }
    *mote = found->object;
    sensor->mote = found->object->meanings[IR_MEANING_MOTE];
    return IR_OK;
}

static ir_status_t set_property(const ir_builder_t *builder, const ir_node_t *node,
                                ir_sensor_t *sensor, const ir_node_t **property) {
    const ir_fact_t *given = NULL;
    ir_node_t *object = NULL;
    ir_status_t status = ir_fact_single(builder, node, IR_WORD_OBSERVES, &given);
    if (status == IR_OK && given == NULL) {
        return lacks(builder, node, "observes no property; add sosa:observes");
    }
    if (status == IR_OK) {
        status = ir_fact_node(builder, given, "the IRI of a property", &object);
    }
    *property = object;
    return status == IR_OK ? ir_property_build(builder, object, &sensor->property) : status;
}

static ir_status_t set_feature(const ir_builder_t *builder, const ir_node_t *node,
                               const ir_node_t *mote, ir_sensor_t *sensor) {
    const ir_fact_t *given = NULL;
    ir_node_t *object = NULL;
    ir_status_t status = one_of_two(builder, node, IR_WORD_FEATURE, IR_WORD_HAS_FEATURE, &given);
    if (status == IR_OK && given == NULL) {
        status = one_of_two(builder, mote, IR_WORD_FEATURE, IR_WORD_HAS_FEATURE, &given);
    }
    if (status == IR_OK && given == NULL) {
        return lacks(builder, node,
                     "has no feature of interest; add ir:featureOfInterest to it or to its mote");
    }
    if (status == IR_OK) {
        status = ir_fact_node(builder, given, "the IRI of a feature", &object);
    }
    return status == IR_OK ? ir_feature_build(builder, object, &sensor->feature) : status;
}

static ir_status_t set_procedure(const ir_builder_t *builder, const ir_node_t *node,
                                 ir_sensor_t *sensor) {
    const ir_fact_t *given = NULL;
    ir_node_t *object = NULL;
    ir_status_t status =
        one_of_two(builder, node, IR_WORD_IMPLEMENTS, IR_WORD_USED_PROCEDURE, &given);
    if (status != IR_OK || given == NULL) {
        return status;
    }
    status = ir_fact_node(builder, given, "the IRI of a procedure", &object);
    if (status != IR_OK) {
        return status;
    }
    sensor->procedure_iri = object->iri;
    return ir_builder_type(builder, object, IR_WORD_PROCEDURE);
}

static ir_status_t set_interval(const ir_builder_t *builder, const ir_node_t *node,
                                const ir_node_t *mote, ir_sensor_t *sensor) {
    const ir_fact_t *given = NULL;
    const ir_status_t status = own_or_default(builder, node, mote, IR_WORD_INTERVAL, &given);
    return status == IR_OK && given != NULL
               ? ir_fact_duration(builder, given, false, &sensor->interval_ns)
               : status;
}

static ir_status_t set_unit(const ir_builder_t *builder, const ir_node_t *node,
                            const ir_node_t *property, ir_sensor_t *sensor) {
    const ir_status_t status = ir_unit_build(builder, node, &sensor->unit, &sensor->unit_iri);
    return status == IR_OK && sensor->unit == NULL
               ? ir_unit_build(builder, property, &sensor->unit, &sensor->unit_iri)
               : status;
}

static ir_status_t set_limits(const ir_builder_t *builder, const ir_node_t *node,
                              const ir_node_t *property, ir_sensor_t *sensor) {
    const ir_fact_t *given = NULL;
    const ir_status_t status = own_or_default(builder, node, property, IR_WORD_LIMITS, &given);
    if (status != IR_OK || given == NULL) {
        return status;
    }
    sensor->limits = given->object->meanings[IR_MEANING_LIMITS];
    return ir_limits_check(builder, given, sensor);
}

/* ---- the whole ---- */

static ir_status_t fill(const ir_builder_t *builder, const ir_node_t *node, ir_sensor_t *sensor) {
    const ir_node_t *mote = NULL;
    const ir_node_t *property = NULL;
    ir_status_t status = set_name(builder, node, sensor);
    if (status == IR_OK) {
        status = set_mote(builder, node, sensor, &mote);
    }
    if (status == IR_OK) {
        status = set_property(builder, node, sensor, &property);
    }
    if (status == IR_OK) {
        status = set_feature(builder, node, mote, sensor);
    }
    if (status == IR_OK) {
        status = set_procedure(builder, node, sensor);
    }
    if (status == IR_OK) {
        status = set_unit(builder, node, property, sensor);
    }
    if (status == IR_OK) {
        status = set_interval(builder, node, mote, sensor);
    }
    return status == IR_OK ? set_limits(builder, node, property, sensor) : status;
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
    const ir_status_t status = fill(builder, node, sensor);
    if (status != IR_OK) {
        return status;
    }
    const ir_view_t name = ir_view_text(sensor->name);
    const ir_status_t named = ir_builder_name(builder, &builder->registry->sensors, name, sensor);
    return named == IR_OK ? ir_builder_type(builder, node, IR_WORD_SENSOR) : named;
}
