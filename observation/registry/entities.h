/* The objects of the registry: motes, sensors, properties, features and quality-control limits.
 * Immutable; texts and pointers are valid as long as the registry. */
#ifndef IR_OBSERVATION_REGISTRY_ENTITIES_H
#define IR_OBSERVATION_REGISTRY_ENTITIES_H

#include "common/view.h"
#include "observation/quality_tests.h"
#include "observation/unit.h"
#include "observation/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_ONTOLOGY "https://intelligent-river.example/ns#"

typedef struct ir_span {
    bool given;
    double low, high; /* inclusive */
} ir_span_t;

typedef enum ir_period {
    IR_PERIOD_TIME, /* begin_ns ≤ time ≤ end_ns */
    IR_PERIOD_MONTH,
    IR_PERIOD_WEEK, /* ISO 8601 */
    IR_PERIOD_DAY_OF_YEAR
} ir_period_t;

/* One member of the climatology test. Later members override earlier ones. */
typedef struct ir_climatology {
    ir_period_t period;
    int64_t begin, end; /* both included: times in ns, or numbers of months, weeks or days */
    ir_span_t fail;     /* optional */
    ir_span_t suspect;  /* vspan, required */
} ir_climatology_t;

typedef enum ir_spike_method { IR_SPIKE_AVERAGE, IR_SPIKE_DIFFERENTIAL } ir_spike_method_t;

/* Limits of the QARTOD tests, in the sensor's unit. A test without limits gives flag 2, not
 * evaluated. */
typedef struct ir_limits {
#define IR_LIMIT_MEMBER(symbol, member, property, test, what)                                      \
    bool has_##member;                                                                             \
    double member;
    IR_LIMIT_NUMBERS(IR_LIMIT_MEMBER)
#undef IR_LIMIT_MEMBER
    ir_span_t gross_fail, gross_suspect; /* the suspect range lies inside the fail range */
    bool has_spike;
    ir_spike_method_t spike_method;
    bool has_flat_suspect, has_flat_fail;
    double flat_tolerance;
    int64_t flat_suspect_ns, flat_fail_ns; /* whole seconds */
    const ir_climatology_t *climatology;
    size_t n_climatology;
} ir_limits_t;

/* Maximum number of points in the flat-line window of a series. */
#define IR_FLAT_WINDOW_MAX 4096

typedef struct ir_mote {
    const char *id; /* [A-Za-z0-9][A-Za-z0-9-:_]*, as in the routing key ir.MOTE */
    const char *iri;
    const char *label; /* or "" */
    bool has_place;
    double latitude, longitude;
} ir_mote_t;

typedef struct ir_property {
    const char *iri;
    const char *label;
    const char *key;          /* IRI's last segment, short name for columns and JSON */
    const char *quantity_iri; /* qudt:hasQuantityKind, or NULL */
} ir_property_t;

typedef struct ir_feature {
    const char *iri;
    const char *label;
} ir_feature_t;

typedef struct ir_sensor {
    const char *name; /* full SenML name: the key */
    const char *iri;
    const char *label;
    const ir_mote_t *mote;
    const ir_property_t *property;
    const ir_feature_t *feature;
    const char *procedure_iri; /* or NULL */
    const ir_unit_t *unit;     /* NULL: values are not numbers (text, bool, data) */
    const char *unit_iri;      /* QUDT unit IRI, or NULL */
    int64_t interval_ns;       /* sampling interval; 0: unknown (then no flat-line test) */
    const ir_limits_t *limits; /* may be shared; NULL: none, see ir_sensor_limits */
    const ir_value_t *missing; /* numbers and texts, as sent, that mean "no measurement" */
    size_t n_missing;
    bool registered; /* false: generic, for `unregistered = accept` */
} ir_sensor_t;

/* No test has limits. */
extern const ir_limits_t ir_limits_none;

static inline const ir_limits_t *ir_sensor_limits(const ir_sensor_t *sensor) {
    return sensor->limits != NULL ? sensor->limits : &ir_limits_none;
}

/* Whether the sensor means "no measurement" when it sends this. */
bool ir_sensor_misses(const ir_sensor_t *sensor, const ir_value_t *sent);

typedef struct ir_registry ir_registry_t;

/* Whether a text is a valid mote id (for routing keys), or a valid full name of a sensor. */
bool ir_mote_id_valid(ir_view_t id);
bool ir_sensor_name_valid(ir_view_t name);

#endif
