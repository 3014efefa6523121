/* The RDF terms that describe observations, each in the three spellings that the syntaxes need.
 * Read-only; any thread. */
#ifndef IR_ANNOTATION_FORMATS_RDF_VOCABULARY_H
#define IR_ANNOTATION_FORMATS_RDF_VOCABULARY_H

#include "common/view.h"
#include "observation/quality_tests.h"

#include <stddef.h>

/* X(symbol, prefix, local name): SOSA, OWL-Time, QUDT, DQV, XSD, and this project's ontology
 * (observation/ontology.ttl). */
#define IR_NAMES(X)                                                                                \
    X(RDF_TYPE, rdf, "type")                                                                       \
    X(OBSERVATION, sosa, "Observation")                                                            \
    X(MADE_BY_SENSOR, sosa, "madeBySensor")                                                        \
    X(OBSERVED_PROPERTY, sosa, "observedProperty")                                                 \
    X(HAS_FEATURE, sosa, "hasFeatureOfInterest")                                                   \
    X(HAS_SIMPLE_RESULT, sosa, "hasSimpleResult")                                                  \
    X(HAS_RESULT, sosa, "hasResult")                                                               \
    X(RESULT, sosa, "Result")                                                                      \
    X(RESULT_TIME, sosa, "resultTime")                                                             \
    X(PHENOMENON_TIME, sosa, "phenomenonTime")                                                     \
    X(USED_PROCEDURE, sosa, "usedProcedure")                                                       \
    X(INSTANT, time, "Instant")                                                                    \
    X(IN_DATE_TIME_STAMP, time, "inXSDDateTimeStamp")                                              \
    X(QUANTITY_VALUE, qudt, "QuantityValue")                                                       \
    X(NUMERIC_VALUE, qudt, "numericValue")                                                         \
    X(HAS_UNIT, qudt, "hasUnit")                                                                   \
    X(HAS_QUALITY, dqv, "hasQualityAnnotation")                                                    \
    X(REVISION, ir, "Revision")                                                                    \
    X(REVISES, ir, "revises")                                                                      \
    X(DECIDED_BY, ir, "decidedBy")                                                                 \
    X(SUPERSEDES, ir, "supersedes")                                                                \
    X(RAW_MESSAGE, ir, "rawMessage")                                                               \
    X(SOURCE_VALUE, ir, "sourceValue")                                                             \
    X(SOURCE_UNIT, ir, "sourceUnit")                                                               \
    X(SUM, ir, "sum")                                                                              \
    X(GOOD, ir, "good")                                                                            \
    X(NOT_EVALUATED, ir, "not-evaluated")                                                          \
    X(SUSPECT, ir, "suspect")                                                                      \
    X(FAIL, ir, "fail")                                                                            \
    X(MISSING, ir, "missing")                                                                      \
    X(DOUBLE, xsd, "double")                                                                       \
    X(BOOLEAN, xsd, "boolean")                                                                     \
    X(STRING, xsd, "string")                                                                       \
    X(BASE64, xsd, "base64Binary")                                                                 \
    X(DATE_TIME, xsd, "dateTime")                                                                  \
    X(DATE_TIME_STAMP, xsd, "dateTimeStamp")

typedef enum ir_name {
#define IR_NAME_SYMBOL(symbol, prefix, local) IR_NAME_##symbol,
    IR_NAMES(IR_NAME_SYMBOL)
#undef IR_NAME_SYMBOL
#define IR_NAME_FLAG_SYMBOL(symbol, key, words, flag) IR_NAME_##symbol##_FLAG,
        IR_QUALITY_TESTS(IR_NAME_FLAG_SYMBOL) /* the flags of the quality tests */
#undef IR_NAME_FLAG_SYMBOL
    IR_NAME_COUNT
} ir_name_t;

typedef struct ir_name_spelling {
    ir_view_t bracketed; /* <http://www.w3.org/ns/sosa/Observation> */
    ir_view_t prefixed;  /* sosa:Observation */
    ir_view_t iri;       /* http://www.w3.org/ns/sosa/Observation */
} ir_name_spelling_t;

extern const ir_name_spelling_t ir_names[IR_NAME_COUNT];

/* "@prefix sosa: <http://www.w3.org/ns/sosa/> .\n" for every prefix. */
extern const char ir_names_turtle_prefixes[];

/* "\"sosa\":\"http://www.w3.org/ns/sosa/\"" for every prefix, separated by commas. */
extern const char ir_names_json_prefixes[];

#endif
