/* Literals in their canonical form (W3C XML Schema 2, 1.0 for decimals: "5.0"). RDF stores keep
 * numbers and times as values, and return their own form. TDB2 even stores the scale of a decimal
 * without showing it, and then cannot delete the decimal as shown; a canonical decimal has only one
 * scale. */
#ifndef IR_OBSERVATION_TURTLE_CANONICAL_H
#define IR_OBSERVATION_TURTLE_CANONICAL_H

#include "common/buffer.h"
#include "common/view.h"

/* Appends the canonical text of a literal with that type (an IRI, or empty). The text stays
 * unchanged if it is not valid for the type, or if the type has only one form for each value. */
void ir_canonical_append(ir_buffer_t *out, ir_view_t text, ir_view_t datatype);

#endif
