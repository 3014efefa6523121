#include "observation/registry/terms.h"

#include "common/nearest.h"
#include "observation/registry/entities.h"

#include <ctype.h>

#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
#define RDFS "http://www.w3.org/2000/01/rdf-schema#"
#define SOSA "http://www.w3.org/ns/sosa/"
#define SSN "http://www.w3.org/ns/ssn/"
#define QUDT "http://qudt.org/schema/qudt/"
#define WGS84 "http://www.w3.org/2003/01/geo/wgs84_pos#"
#define GEOSPARQL "http://www.opengis.net/ont/geosparql#"

static const char mote[] = "a mote (a node with ir:moteId)";
static const char sensor[] = "a sosa:Sensor";
static const char sensor_or_mote[] = "a sosa:Sensor or a mote";
static const char sensor_or_property[] = "a sosa:Sensor or the property it sosa:observes";
static const char with_unit[] = "a sosa:Sensor, its property or its limits";
static const char limits[] = "the node that ir:limits of a sensor or property names";
static const char member[] = "a member of the list of ir:climatology";

const ir_registry_term_info_t ir_registry_terms[IR_REGISTRY_TERM_COUNT] = {
    [IR_REGISTRY_TERM_NONE] = {"", 0, NULL},
    [IR_REGISTRY_TERM_TYPE] = {RDF "type", 0, NULL},
    [IR_REGISTRY_TERM_FIRST] = {RDF "first", 0, NULL},
    [IR_REGISTRY_TERM_REST] = {RDF "rest", 0, NULL},
    [IR_REGISTRY_TERM_NIL] = {RDF "nil", 0, NULL},
    [IR_REGISTRY_TERM_LABEL] = {RDFS "label", 0, NULL},
    [IR_REGISTRY_TERM_PLATFORM] = {SOSA "Platform", 0, NULL},
    [IR_REGISTRY_TERM_SENSOR] = {SOSA "Sensor", 0, NULL},
    [IR_REGISTRY_TERM_OBSERVABLE_PROPERTY] = {SOSA "ObservableProperty", 0, NULL},
    [IR_REGISTRY_TERM_FEATURE_CLASS] = {SOSA "FeatureOfInterest", 0, NULL},
    [IR_REGISTRY_TERM_PROCEDURE] = {SOSA "Procedure", 0, NULL},
    [IR_REGISTRY_TERM_HOSTS] = {SOSA "hosts", 0, NULL},
    [IR_REGISTRY_TERM_IS_HOSTED_BY] = {SOSA "isHostedBy", 0, NULL},
    [IR_REGISTRY_TERM_OBSERVES] = {SOSA "observes", 0, NULL},
    [IR_REGISTRY_TERM_IS_OBSERVED_BY] = {SOSA "isObservedBy", 0, NULL},
    [IR_REGISTRY_TERM_HAS_FEATURE] = {SOSA "hasFeatureOfInterest", 0, NULL},
    [IR_REGISTRY_TERM_USED_PROCEDURE] = {SOSA "usedProcedure", 0, NULL},
    [IR_REGISTRY_TERM_IMPLEMENTS] = {SSN "implements", 0, NULL},
    [IR_REGISTRY_TERM_HAS_UNIT] = {QUDT "hasUnit", 0, NULL},
    [IR_REGISTRY_TERM_QUANTITY] = {QUDT "hasQuantityKind", 0, NULL},
    [IR_REGISTRY_TERM_LATITUDE] = {WGS84 "lat", 0, NULL},
    [IR_REGISTRY_TERM_LONGITUDE] = {WGS84 "long", 0, NULL},
    [IR_REGISTRY_TERM_GEOMETRY] = {GEOSPARQL "hasGeometry", 0, NULL},
    [IR_REGISTRY_TERM_WKT] = {GEOSPARQL "asWKT", 0, NULL},
    [IR_REGISTRY_TERM_LIMITS_CLASS] = {IR_ONTOLOGY "Limits", 0, NULL},
    [IR_REGISTRY_TERM_MEMBER_CLASS] = {IR_ONTOLOGY "ClimatologyMember", 0, NULL},
    [IR_REGISTRY_TERM_MOTE_ID] = {IR_ONTOLOGY "moteId", IR_ROLE_MOTE, mote},
    [IR_REGISTRY_TERM_SENML_NAME] = {IR_ONTOLOGY "senmlName", IR_ROLE_SENSOR, sensor},
    [IR_REGISTRY_TERM_FEATURE] = {IR_ONTOLOGY "featureOfInterest", IR_ROLE_SENSOR | IR_ROLE_MOTE,
                                  sensor_or_mote},
    [IR_REGISTRY_TERM_UNIT_TEXT] = {IR_ONTOLOGY "unitText",
                                    IR_ROLE_SENSOR | IR_ROLE_PROPERTY | IR_ROLE_LIMITS, with_unit},
    [IR_REGISTRY_TERM_INTERVAL] = {IR_ONTOLOGY "samplingInterval", IR_ROLE_SENSOR | IR_ROLE_MOTE,
                                   sensor_or_mote},
    [IR_REGISTRY_TERM_MISSING] = {IR_ONTOLOGY "missingValue", IR_ROLE_SENSOR | IR_ROLE_PROPERTY,
                                  sensor_or_property},
    [IR_REGISTRY_TERM_LIMITS] = {IR_ONTOLOGY "limits", IR_ROLE_SENSOR | IR_ROLE_PROPERTY,
                                 sensor_or_property},
    [IR_REGISTRY_TERM_GROSS_FAIL] = {IR_ONTOLOGY "grossFail", IR_ROLE_LIMITS, limits},
    [IR_REGISTRY_TERM_GROSS_SUSPECT] = {IR_ONTOLOGY "grossSuspect", IR_ROLE_LIMITS, limits},
    [IR_REGISTRY_TERM_SPIKE_METHOD] = {IR_ONTOLOGY "spikeMethod", IR_ROLE_LIMITS, limits},
    [IR_REGISTRY_TERM_FLAT_TOLERANCE] = {IR_ONTOLOGY "flatLineTolerance", IR_ROLE_LIMITS, limits},
    [IR_REGISTRY_TERM_FLAT_SUSPECT] = {IR_ONTOLOGY "flatLineSuspect", IR_ROLE_LIMITS, limits},
    [IR_REGISTRY_TERM_FLAT_FAIL] = {IR_ONTOLOGY "flatLineFail", IR_ROLE_LIMITS, limits},
    [IR_REGISTRY_TERM_CLIMATOLOGY] = {IR_ONTOLOGY "climatology", IR_ROLE_LIMITS, limits},
    [IR_REGISTRY_TERM_MONTH] = {IR_ONTOLOGY "month", IR_ROLE_MEMBER, member},
    [IR_REGISTRY_TERM_WEEK] = {IR_ONTOLOGY "week", IR_ROLE_MEMBER, member},
    [IR_REGISTRY_TERM_DAY_OF_YEAR] = {IR_ONTOLOGY "dayOfYear", IR_ROLE_MEMBER, member},
    [IR_REGISTRY_TERM_TIME] = {IR_ONTOLOGY "time", IR_ROLE_MEMBER, member},
    [IR_REGISTRY_TERM_SUSPECT] = {IR_ONTOLOGY "suspect", IR_ROLE_MEMBER, member},
    [IR_REGISTRY_TERM_FAIL] = {IR_ONTOLOGY "fail", IR_ROLE_MEMBER, member},
#define NUMBER(symbol, member, property, test, what)                                               \
    [IR_REGISTRY_TERM_##symbol] = {IR_ONTOLOGY property, IR_ROLE_LIMITS, limits},
    IR_LIMIT_NUMBERS(NUMBER)
#undef NUMBER
};

void ir_registry_terms_note(const ir_turtle_t *turtle) {
    for (int term = IR_REGISTRY_TERM_NONE + 1; term < IR_REGISTRY_TERM_COUNT; term++) {
        ir_node_t *node = ir_turtle_find(turtle, ir_registry_terms[term].iri);
        if (node != NULL) {
            node->term = term;
        }
    }
}

const char *ir_registry_term_like(ir_view_t local) {
    ir_nearest_t nearest = ir_nearest(local);
    const bool upper = local.size > 0 && isupper((unsigned char)local.data[0]);
    for (int round = 0; round < 2;
         round++) { /* if several are equally similar, prefers one with the same beginning */
        for (int term = IR_REGISTRY_TERM_LIMITS_CLASS; term < IR_REGISTRY_TERM_COUNT; term++) {
            const char *name = ir_registry_terms[term].iri + strlen(IR_ONTOLOGY);
            if ((isupper((unsigned char)name[0]) != 0) == (upper == (round == 0))) {
                ir_nearest_try(&nearest, name);
            }
        }
    }
    return nearest.name;
}
