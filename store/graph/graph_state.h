/* The state of a graph store, shared by graph.c (its servers in turn) and graph_put.c (the
 * distribution over servers). */
#ifndef IR_STORE_GRAPH_GRAPH_STATE_H
#define IR_STORE_GRAPH_GRAPH_STATE_H

#include "store/graph/backend.h"

#define IR_GRAPH_SERVERS_MAX 64
#define IR_GRAPH_OPTION_TEXTS 6

typedef struct ir_graph_server {
    const ir_graph_backend_t *backend;
    void *store;
    char *uri;
    ir_view_t node;      /* the part of the URI that is hashed: scheme, host and path, without
                          * options */
    size_t begin, count; /* range of its picks */
} ir_graph_server_t;

struct ir_graph {
    ir_graph_server_t servers[IR_GRAPH_SERVERS_MAX];
    size_t n_servers;
    char *texts[IR_GRAPH_OPTION_TEXTS]; /* copies of the options' texts */
    ir_graph_options_t options;
    ir_graph_pick_t *picks;
    size_t picks_capacity;
    ir_graph_pick_t *gathered; /* copies of the picks for one request, if they are not adjacent */
};

#endif
