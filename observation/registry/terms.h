/* The terms of the registry, and the nodes on which each is allowed. Private to this folder. */
#ifndef IR_OBSERVATION_REGISTRY_TERMS_H
#define IR_OBSERVATION_REGISTRY_TERMS_H

#include "common/view.h"
#include "observation/quality_tests.h"
#include "observation/turtle/document.h"

typedef enum ir_registry_term {
    IR_REGISTRY_TERM_NONE,
    IR_REGISTRY_TERM_TYPE,
    IR_REGISTRY_TERM_FIRST,
    IR_REGISTRY_TERM_REST,
    IR_REGISTRY_TERM_NIL,
    IR_REGISTRY_TERM_LABEL,
    IR_REGISTRY_TERM_PLATFORM,
    IR_REGISTRY_TERM_SENSOR,
    IR_REGISTRY_TERM_OBSERVABLE_PROPERTY,
    IR_REGISTRY_TERM_FEATURE_CLASS,
    IR_REGISTRY_TERM_PROCEDURE,
    IR_REGISTRY_TERM_HOSTS,
    IR_REGISTRY_TERM_IS_HOSTED_BY,
    IR_REGISTRY_TERM_OBSERVES,
    IR_REGISTRY_TERM_IS_OBSERVED_BY,
    IR_REGISTRY_TERM_HAS_FEATURE,
    IR_REGISTRY_TERM_USED_PROCEDURE,
    IR_REGISTRY_TERM_IMPLEMENTS,
    IR_REGISTRY_TERM_HAS_UNIT,
    IR_REGISTRY_TERM_QUANTITY,
    IR_REGISTRY_TERM_LATITUDE,
    IR_REGISTRY_TERM_LONGITUDE,
    IR_REGISTRY_TERM_GEOMETRY,
    IR_REGISTRY_TERM_WKT,
    /* ours */
    IR_REGISTRY_TERM_LIMITS_CLASS,
    IR_REGISTRY_TERM_MEMBER_CLASS,
    IR_REGISTRY_TERM_MOTE_ID,
    IR_REGISTRY_TERM_SENML_NAME,
    IR_REGISTRY_TERM_FEATURE,
    IR_REGISTRY_TERM_UNIT_TEXT,
    IR_REGISTRY_TERM_INTERVAL,
    IR_REGISTRY_TERM_MISSING,
    IR_REGISTRY_TERM_LIMITS,
    IR_REGISTRY_TERM_GROSS_FAIL,
    IR_REGISTRY_TERM_GROSS_SUSPECT,
    IR_REGISTRY_TERM_SPIKE_METHOD,
    IR_REGISTRY_TERM_FLAT_TOLERANCE,
    IR_REGISTRY_TERM_FLAT_SUSPECT,
    IR_REGISTRY_TERM_FLAT_FAIL,
    IR_REGISTRY_TERM_CLIMATOLOGY,
    IR_REGISTRY_TERM_MONTH,
    IR_REGISTRY_TERM_WEEK,
    IR_REGISTRY_TERM_DAY_OF_YEAR,
    IR_REGISTRY_TERM_TIME,
    IR_REGISTRY_TERM_SUSPECT,
    IR_REGISTRY_TERM_FAIL,
#define IR_LIMIT_TERM(symbol, member, property, test, what) IR_REGISTRY_TERM_##symbol,
    IR_LIMIT_NUMBERS(IR_LIMIT_TERM)
#undef IR_LIMIT_TERM
        IR_REGISTRY_TERM_COUNT
} ir_registry_term_t;

/* The kinds of a registry node; a node may have several. */
enum {
    IR_ROLE_MOTE = 1,
    IR_ROLE_SENSOR = 2,
    IR_ROLE_PROPERTY = 4,
    IR_ROLE_LIMITS = 8,
    IR_ROLE_MEMBER = 16
};

typedef struct ir_registry_term_info {
    const char *iri;
    unsigned roles;      /* for our terms: the kinds of node that may have it; 0: it is a class */
    const char *belongs; /* the same in words */
} ir_registry_term_info_t;

extern const ir_registry_term_info_t ir_registry_terms[IR_REGISTRY_TERM_COUNT];

/* Sets the term of every known IRI in the file. */
void ir_registry_terms_note(const ir_turtle_t *turtle);

/* Our term with a name similar to `local`, for "did you mean"; NULL if none. */
const char *ir_registry_term_like(ir_view_t local);

#endif
