/* Reading the values of statements, with the faults of those who wrote them. Private to this
 * folder.
 *
 * Every function leaves its output untouched when it does not return IR_OK. IR_ERR_SYNTAX: a fault
 * is told, now or before, and what the statement is about goes on without it. IR_ERR_MEMORY: the
 * builder's error is filled, and the building ends. */
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
const ir_fact_t *ir_fact_of(const ir_node_t *subject, ir_registry_term_t word);

/* The same when there must not be another with a different object. */
ir_status_t ir_fact_single(const ir_builder_t *builder, const ir_node_t *subject,
                           ir_registry_term_t word, const ir_fact_t **found);

/* Where the node of an IRI has this statement, for a fault at `from`: " (FILE:LINE)", or nothing
 * when it has none. */
ir_shown_t ir_defined_show(const ir_builder_t *builder, const char *iri, ir_registry_term_t word,
                           ir_origin_t from);

/* Steps through an RDF list: takes the item of *cell and moves *cell on. False at the end of the
 * list (then *cell is rdf:nil) and where it is malformed (then it is not). */
bool ir_list_next(ir_node_t **cell, ir_node_t **item);

/* Tells a fault of a statement, but not of one whose object is a fault that was told. Returns
 * IR_ERR_SYNTAX. */
ir_status_t ir_fact_fault(const ir_builder_t *builder, const ir_fact_t *statement,
                          const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "<predicate> of <subject> wants <what>, not <object>". Returns IR_ERR_SYNTAX. */
ir_status_t ir_fact_wants(const ir_builder_t *builder, const ir_fact_t *statement,
                          const char *what);

/* A finite number; `what` is for the fault. */
ir_status_t ir_fact_number(const ir_builder_t *builder, const ir_fact_t *statement,
                           const char *what, double *number);

/* ( low high ), finite, low ≤ high. */
ir_status_t ir_fact_span(const ir_builder_t *builder, const ir_fact_t *statement, ir_span_t *span);

/* ( from to ), whole numbers within smallest … largest, from ≤ to. */
ir_status_t ir_fact_range(const ir_builder_t *builder, const ir_fact_t *statement, int64_t smallest,
                          int64_t largest, int64_t *begin, int64_t *end);

/* ( from to ), xsd:dateTime, from ≤ to. */
ir_status_t ir_fact_times(const ir_builder_t *builder, const ir_fact_t *statement, int64_t *begin,
                          int64_t *end);

/* An xsd:duration in days, hours, minutes and seconds, or a number of seconds; positive, at most
 * ten years. `whole`: only whole seconds. */
ir_status_t ir_fact_duration(const ir_builder_t *builder, const ir_fact_t *statement, bool whole,
                             int64_t *duration_ns);

/* A number, or the text of a literal of another type. */
ir_status_t ir_fact_value(const ir_builder_t *builder, const ir_fact_t *statement, const char *what,
                          ir_value_t *value);

/* A literal's text. */
ir_status_t ir_fact_text(const ir_builder_t *builder, const ir_fact_t *statement, const char *what,
                         ir_view_t *text);

/* An IRI or blank node. */
ir_status_t ir_fact_node(const ir_builder_t *builder, const ir_fact_t *statement, const char *what,
                         ir_node_t **node);

#endif
