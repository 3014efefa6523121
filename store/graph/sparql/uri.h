/* The URLs of a SPARQL server's services, from the graph store's URI (graph.h). */
#ifndef IR_STORE_GRAPH_SPARQL_URI_H
#define IR_STORE_GRAPH_SPARQL_URI_H

#include "common/status.h"

typedef enum ir_sparql_strategy {
    IR_SPARQL_QUADS,       /* POST of N-Quads to the dataset */
    IR_SPARQL_GRAPH_STORE, /* Graph Store Protocol: POST of N-Triples to each graph */
    IR_SPARQL_UPDATE       /* INSERT DATA */
} ir_sparql_strategy_t;

typedef struct ir_sparql_uri {
    ir_sparql_strategy_t strategy;
    char *query, *update, *store; /* complete URLs; they may be equal */
    char *graph;                  /* graph for statements that have none; NULL: the default graph */
} ir_sparql_uri_t;

/* Parameters: strategy=quads (default) | graph-store | update; query=, update=, store= are paths on
 * the same server; graph=IRI is for servers without a default graph. Parameters that are not given
 * follow from the path. For …/store and …/update (Oxigraph) the query path is …/query beside them.
 * For /sparql-graph-crud and /sparql-graph-crud-auth (Virtuoso) it is /sparql or /sparql-auth.
 * Otherwise every path is the URI's. Virtuoso's paths also imply graph=BASE "graph/observations".
 * IR_ERR_USAGE names the fault. Free with ir_sparql_uri_free. */
ir_status_t ir_sparql_uri_parse(const char *text, const char *base_iri, ir_sparql_uri_t *uri,
                                ir_error_t *error);
void ir_sparql_uri_free(ir_sparql_uri_t *uri);

#endif
