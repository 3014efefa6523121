/* The terms that the registry is built from, and where each belongs. Inside observation/. */
#ifndef IR_OBSERVATION_REGISTRY_WORDS_H
#define IR_OBSERVATION_REGISTRY_WORDS_H

#include "common/view.h"
#include "observation/turtle.h"

typedef enum ir_word {
    IR_WORD_NONE,
    IR_WORD_TYPE,
    IR_WORD_FIRST,
    IR_WORD_REST,
    IR_WORD_NIL,
    IR_WORD_LABEL,
    IR_WORD_PLATFORM,
    IR_WORD_SENSOR,
    IR_WORD_OBSERVABLE_PROPERTY,
    IR_WORD_FEATURE_CLASS,
    IR_WORD_PROCEDURE,
    IR_WORD_HOSTS,
    IR_WORD_IS_HOSTED_BY,
    IR_WORD_OBSERVES,
    IR_WORD_IS_OBSERVED_BY,
    IR_WORD_HAS_FEATURE,
    IR_WORD_USED_PROCEDURE,
    IR_WORD_IMPLEMENTS,
    IR_WORD_HAS_UNIT,
    IR_WORD_QUANTITY,
    IR_WORD_LATITUDE,
    IR_WORD_LONGITUDE,
    IR_WORD_GEOMETRY,
    IR_WORD_WKT,
    /* ours */
    IR_WORD_LIMITS_CLASS,
    IR_WORD_MEMBER_CLASS,
    IR_WORD_MOTE_ID,
    IR_WORD_SENML_NAME,
    IR_WORD_FEATURE,
    IR_WORD_UNIT_TEXT,
    IR_WORD_INTERVAL,
    IR_WORD_LIMITS,
    IR_WORD_GROSS_FAIL,
    IR_WORD_GROSS_SUSPECT,
    IR_WORD_SPIKE_METHOD,
    IR_WORD_SPIKE_SUSPECT,
    IR_WORD_SPIKE_FAIL,
    IR_WORD_RATE,
    IR_WORD_FLAT_TOLERANCE,
    IR_WORD_FLAT_SUSPECT,
    IR_WORD_FLAT_FAIL,
    IR_WORD_CLIMATOLOGY,
    IR_WORD_MONTH,
    IR_WORD_WEEK,
    IR_WORD_DAY_OF_YEAR,
    IR_WORD_TIME,
    IR_WORD_SUSPECT,
    IR_WORD_FAIL,
    IR_WORD_COUNT
} ir_word_t;

/* What a node of the registry is; a node may be several. */
enum {
    IR_ROLE_MOTE = 1,
    IR_ROLE_SENSOR = 2,
    IR_ROLE_PROPERTY = 4,
    IR_ROLE_LIMITS = 8,
    IR_ROLE_MEMBER = 16
};

typedef struct ir_word_info {
    const char *iri;
    unsigned roles;      /* of our terms: what the subject must be, one of these; 0: a class */
    const char *belongs; /* the same in words */
} ir_word_info_t;

extern const ir_word_info_t ir_words[IR_WORD_COUNT];

/* Notes in every IRI of the file which word it is. */
void ir_words_note(const ir_turtle_t *turtle);

/* Our term whose name is like `local`, for "did you mean"; NULL when none is. */
const char *ir_word_like(ir_view_t local);

#endif
