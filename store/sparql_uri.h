/* Where a SPARQL server takes what, from the graph store's URI (graph.h). */
#ifndef IR_STORE_SPARQL_URI_H
#define IR_STORE_SPARQL_URI_H

#include "common/status.h"

typedef enum ir_sparql_strategy {
    IR_SPARQL_QUADS,       /* POST of N-Quads to the dataset */
    IR_SPARQL_GRAPH_STORE, /* Graph Store Protocol: POST of N-Triples to each graph */
    IR_SPARQL_UPDATE       /* INSERT DATA */
} ir_sparql_strategy_t;

typedef struct ir_sparql_uri {
    ir_sparql_strategy_t strategy;
    char *query, *update, *store; /* whole URLs; each may be the same */
    char *graph; /* where statements go that name no graph; NULL: the default graph */
} ir_sparql_uri_t;

/* Parameters: strategy=quads (default) | graph-store | update; query=, update=, store= paths on the
 * same server; graph=IRI for servers without a default graph of their own. What is not given
 * follows from the path: …/store and …/update (Oxigraph) have …/query beside them,
 * /sparql-graph-crud and /sparql-graph-crud-auth (Virtuoso) /sparql and /sparql-auth; else every
 * path is the URI's. Virtuoso's paths also mean graph=BASE "graph/observations".
 * IR_ERR_USAGE says what is wrong. Free with ir_sparql_uri_free. */
ir_status_t ir_sparql_uri_parse(const char *text, const char *base_iri, ir_sparql_uri_t *uri,
                                ir_error_t *error);
void ir_sparql_uri_free(ir_sparql_uri_t *uri);

#endif
