/* Splits a line of N-Quads (https://www.w3.org/TR/n-quads/) into its triple and its graph. */
#ifndef IR_STORE_GRAPH_QUAD_H
#define IR_STORE_GRAPH_QUAD_H

#include "common/view.h"

#include <stdbool.h>

typedef struct ir_quad {
    ir_view_t triple; /* subject, predicate and object, without the dot */
    ir_view_t graph;  /* IRI of the graph without brackets; empty: the default graph */
} ir_quad_t;

/* Both point into the line, which has no newline. False: it is not a statement. */
bool ir_quad_split(ir_view_t line, ir_quad_t *quad);

#endif
