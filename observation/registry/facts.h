/* Finds statements and reports their faults. Private to this folder.
 *
 * A function that does not return IR_OK leaves its output unchanged. IR_ERR_SYNTAX: a fault was
 * reported, by this call or before, and building continues without the statement. IR_ERR_MEMORY:
 * the builder's error is set, and building ends. */
#ifndef IR_OBSERVATION_REGISTRY_FACTS_H
#define IR_OBSERVATION_REGISTRY_FACTS_H

#include "observation/registry/entities.h"
#include "observation/registry/terms.h"
#include "observation/turtle/document.h"

#include <stdint.h>

typedef struct ir_builder {
    ir_turtle_t *turtle;
    ir_registry_t *registry;
    ir_error_t *error;
} ir_builder_t;

/* The first statement of `subject` with that predicate, or NULL. */
const ir_fact_t *ir_fact_of(const ir_node_t *subject, ir_registry_term_t term);

/* Like ir_fact_of, but a second statement with a different object is a fault. */
ir_status_t ir_fact_single(const ir_builder_t *builder, const ir_node_t *subject,
                           ir_registry_term_t term, const ir_fact_t **found);

/* The origin of this statement of an IRI's node, for a fault at `from`: " (FILE:LINE)", or "" if
 * it has no such statement. */
ir_shown_t ir_defined_show(const ir_builder_t *builder, const char *iri, ir_registry_term_t term,
                           ir_origin_t from);

/* Steps through an RDF list: gets the item of *cell and advances *cell. False at the end of the
 * list, where *cell is rdf:nil, and at a malformed cell, where it is not. */
bool ir_list_next(ir_node_t **cell, ir_node_t **item);

/* Reports a fault of a statement, unless a fault of its object was already reported. Returns
 * IR_ERR_SYNTAX. */
ir_status_t ir_fact_fault(const ir_builder_t *builder, const ir_fact_t *statement,
                          const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Reports "<predicate> of <subject> must be <what>, not <object>". Returns IR_ERR_SYNTAX. */
ir_status_t ir_fact_must_be(const ir_builder_t *builder, const ir_fact_t *statement,
                            const char *what);

/* An IRI or blank node. */
ir_status_t ir_fact_node(const ir_builder_t *builder, const ir_fact_t *statement, const char *what,
                         ir_node_t **node);

#endif
