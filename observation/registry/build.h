/* Builds motes, sensors and limits from statements. Private to this folder. */
#ifndef IR_OBSERVATION_REGISTRY_BUILD_H
#define IR_OBSERVATION_REGISTRY_BUILD_H

#include "common/arena.h"
#include "common/name_table.h"
#include "observation/registry/entities.h"
#include "observation/registry/facts.h"
#include "observation/turtle/document.h"

#include <stdatomic.h>

struct ir_registry {
    atomic_uint references;
    ir_arena_t *arena; /* holds everything except the two tables */
    ir_turtle_t turtle;
    ir_name_table_t sensors, motes;
};

/* Indexes of node->meanings: what was built from a node. */
enum {
    IR_MEANING_MOTE,
    IR_MEANING_SENSOR,
    IR_MEANING_PROPERTY,
    IR_MEANING_FEATURE,
    IR_MEANING_LIMITS
};

/* Allocates zeroed memory of the registry. When out of memory, sets the builder's error and returns
 * NULL. */
void *ir_builder_alloc(const ir_builder_t *builder, size_t size);

/* Adds "subject a class" to the statements. */
ir_status_t ir_builder_type(const ir_builder_t *builder, ir_node_t *subject,
                            ir_registry_term_t class);

/* Adds to one of the registry's tables. */
ir_status_t ir_builder_name(const ir_builder_t *builder, ir_name_table_t *names, ir_view_t name,
                            void *value);

/* The rdfs:label: the English one if any, else one without a language, else the first, else "". */
const char *ir_node_label(const ir_node_t *node);

/* Whether a text has 1 … longest letters, digits and characters of `also`, beginning with a letter
 * or digit. */
bool ir_name_valid(ir_view_t text, size_t longest, const char *also);

/* Builds motes and sensors from the statements of registry->turtle. Returns IR_OK even if it
 * reported faults; then the registry is unusable. IR_ERR_MEMORY. */
ir_status_t ir_registry_build(ir_registry_t *registry, ir_error_t *error);

/* These build the object of a node once and keep it in node->meanings. */
ir_status_t ir_mote_build(const ir_builder_t *builder, ir_node_t *node);
ir_status_t ir_sensor_build(const ir_builder_t *builder, ir_node_t *node);
ir_status_t ir_property_build(const ir_builder_t *builder, ir_node_t *node,
                              const ir_property_t **property);
ir_status_t ir_feature_build(const ir_builder_t *builder, ir_node_t *node,
                             const ir_feature_t **feature);

#define IR_CLIMATOLOGY_MAX 10000 /* members of one list */

/* The limits of a node that is the object of ir:limits. */
ir_status_t ir_limits_build(const ir_builder_t *builder, ir_node_t *node, ir_limits_t *limits);

/* Whether this test has limits, and whether any test has limits. */
bool ir_limits_has(const ir_limits_t *limits, ir_test_t test);
bool ir_limits_given(const ir_limits_t *limits);

/* Checks that the limits work for the sensor: it has a unit and, for flat line, an interval, and
 * the window is not too long. `statement` has ir:limits; `node` is the sensor's. */
ir_status_t ir_limits_check(const ir_builder_t *builder, const ir_fact_t *statement,
                            const ir_node_t *node, const ir_sensor_t *sensor);

/* The first status that is not IR_OK; IR_ERR_MEMORY takes precedence. */
static inline ir_status_t ir_worse(ir_status_t a, ir_status_t b) {
    return a == IR_OK || b == IR_ERR_MEMORY ? b : a;
}

/* The unit of `subject`, or NULL. *iri is its QUDT IRI. */
ir_status_t ir_unit_build(const ir_builder_t *builder, const ir_node_t *subject,
                          const ir_unit_t **unit, const char **iri);

/* The position of a mote, if given. */
ir_status_t ir_place_build(const ir_builder_t *builder, const ir_node_t *subject, ir_mote_t *mote);

#endif
