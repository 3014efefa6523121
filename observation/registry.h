/* The registry: who measures what, where, in which unit, within which limits. Read from Turtle
 * (serd); docs/registry.md tells how to write one, ontology.ttl holds the terms that SOSA, SSN,
 * QUDT, OWL-Time and DQV lack.
 *
 * A registry is immutable once loaded and shared by reference count, so that a reload (SIGHUP)
 * swaps the pointer while batches in flight keep theirs. */
#ifndef IR_OBSERVATION_REGISTRY_H
#define IR_OBSERVATION_REGISTRY_H

#include "common/fault_list.h"
#include "common/status.h"
#include "common/view.h"
#include "observation/unit.h"

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
    int64_t begin, end; /* inclusive: ns, or month/week/day number */
    ir_span_t fail;     /* optional */
    ir_span_t suspect;  /* vspan, required */
} ir_climatology_t;

typedef enum ir_spike_method { IR_SPIKE_AVERAGE, IR_SPIKE_DIFFERENTIAL } ir_spike_method_t;

/* Limits of the QARTOD tests, in the sensor's unit. A test without limits gives 2, not evaluated.
 */
typedef struct ir_limits {
    ir_span_t gross_fail, gross_suspect; /* suspect lies inside fail */
    bool has_spike;
    ir_spike_method_t spike_method;
    bool has_spike_suspect, has_spike_fail;
    double spike_suspect, spike_fail;
    bool has_rate;
    double rate; /* per second */
    bool has_flat_suspect, has_flat_fail;
    double flat_tolerance;
    int64_t flat_suspect_ns, flat_fail_ns; /* whole seconds */
    const ir_climatology_t *climatology;
    size_t n_climatology;
} ir_limits_t;

/* Points that the flat-line window of one series may span at most. */
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
    int64_t interval_ns;       /* sampling interval; 0: not given (then no flat-line test) */
    const ir_limits_t *limits; /* shared with others; NULL: none, see ir_sensor_limits */
    bool registered;           /* false: made up for `unregistered = accept` */
} ir_sensor_t;

/* No test has limits. */
extern const ir_limits_t ir_limits_none;

static inline const ir_limits_t *ir_sensor_limits(const ir_sensor_t *sensor) {
    return sensor->limits != NULL ? sensor->limits : &ir_limits_none;
}

typedef struct ir_registry ir_registry_t;

/* Loads Turtle files: `paths` are files or folders with commas between; a folder stands for its
 * files *.ttl, in the order of their names. No two files may have the same name, and a mote or
 * sensor stands in one of them. A fault names file, line and what is wrong, for example
 * "river.ttl:41: ir:grossFail of <…> wants a list of two numbers, low then high". All faults are
 * told, in the order of the files, as ir_fault_list_conclude says it (common/fault_list.h); one
 * that follows from another is not. `teller` may be NULL: then `error` has the first. A file is
 * bounded at 2 GiB. On success *registry has one reference. */
ir_status_t ir_registry_load(const char *paths, ir_registry_t **registry, const ir_teller_t *teller,
                             ir_error_t *error);

/* Atomic; take NULL. */
ir_registry_t *ir_registry_ref(ir_registry_t *registry);
void ir_registry_unref(ir_registry_t *registry);

/* Whether there is more than one reference. With one, which is the caller's, it stays so. */
bool ir_registry_shared(const ir_registry_t *registry);

/* NULL when unknown; without a registry (NULL) everything is. Any thread. */
const ir_sensor_t *ir_registry_sensor(const ir_registry_t *registry, ir_view_t name);
const ir_mote_t *ir_registry_mote(const ir_registry_t *registry, ir_view_t id);

typedef ir_status_t (*ir_registry_mote_fn)(void *context, const ir_mote_t *mote, ir_error_t *error);

/* Calls `each` for every mote, in no order that means anything, until it does not return IR_OK. */
ir_status_t ir_registry_each_mote(const ir_registry_t *registry, ir_registry_mote_fn each,
                                  void *context, ir_error_t *error);

size_t ir_registry_sensors(const ir_registry_t *registry);
size_t ir_registry_motes(const ir_registry_t *registry);

/* Calls `each` for every sensor, in the order of the files; ends early when it returns false. */
typedef bool (*ir_each_registered_fn)(void *context, const ir_sensor_t *sensor);
void ir_registry_each_sensor(const ir_registry_t *registry, ir_each_registered_fn each,
                             void *context);

/* The files it came from: how many, and the name of one, without folder and ".ttl". */
unsigned ir_registry_files(const ir_registry_t *registry);
const char *ir_registry_file_name(const ir_registry_t *registry, unsigned file);

/* One file's own statements (what it says, plus sosa:hosts/isHostedBy and sosa:observes closed) as
 * N-Triples, blank nodes made into stable IRIs, for its registry graph. Written to a malloc'd
 * buffer that the caller frees. */
ir_status_t ir_registry_ntriples(const ir_registry_t *registry, unsigned file, char **text,
                                 size_t *size, ir_error_t *error);

/* A mote id that may stand in a routing key, and a sensor's full name. */
bool ir_mote_id_valid(ir_view_t id);
bool ir_sensor_name_valid(ir_view_t name);

#endif
