/* Literals in their canonical form (W3C XML Schema 2, 1.0 for decimals: "5.0"). RDF stores keep
 * numbers and times as values and give back a form of their own. TDB2 even keeps the scale of a
 * decimal that it does not show, and then cannot delete what it shows; a canonical decimal has just
 * one scale. */
#ifndef IR_OBSERVATION_TURTLE_CANONICAL_H
#define IR_OBSERVATION_TURTLE_CANONICAL_H

#include "common/buffer.h"
#include "common/view.h"

/* Appends the text of a literal of that type (an IRI, or empty). The text stays as it is when it is
 * not a form of the type, or when the type has only one form for each value. */
void ir_canonical_append(ir_buffer_t *out, ir_view_t text, ir_view_t datatype);

#endif
