/* The registry's files in a directory of N-Quads: registry.NAME.ttl.nq for each, and registry.nq,
 * the index, with one statement for each. */
#ifndef IR_STORE_GRAPH_NQUADS_REGISTRY_H
#define IR_STORE_GRAPH_NQUADS_REGISTRY_H

#include "store/graph/backend.h"
#include "store/graph/nquads/segment_lines.h"

#define IR_NQUADS_INDEX "registry.nq"

/* Replaces the file of `graph` with these N-Triples as quads, then adds it to the index and removes
 * entries of an earlier release. Durable when it returns IR_OK. IR_ERR_IO, IR_ERR_MEMORY,
 * IR_ERR_USAGE (the path is too long). */
ir_status_t ir_nquads_registry_write(const char *directory, ir_view_t triples,
                                     const ir_registry_graph_t *graph, ir_error_t *error);

/* Calls `each` for every line of the index and of the files. As ir_segment_each_line;
 * IR_ERR_NOT_FOUND when there is no index. */
ir_status_t ir_nquads_registry_each_line(const char *directory, ir_each_line_fn each, void *context,
                                         ir_error_t *error);

#endif
