#include "store/graph/sparql/sparql.h"

#include "store/graph/sparql/results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static void sparql_close(void *store) {
    ir_sparql_t *graph = store;
    if (graph == NULL) {
        return;
    }
    ir_http_client_free(graph->http);
    ir_sparql_uri_free(&graph->uri);
    ir_buffer_free(&graph->body);
    ir_buffer_free(&graph->url);
    ir_buffer_free(&graph->names);
    free(graph->name_ends);
    free(graph->left);
    free(graph->registry_graph);
    free(graph);
}

static ir_status_t sparql_open(const ir_graph_options_t *options, void **store, ir_error_t *error) {
    ir_sparql_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_sparql_no_memory(error);
    }
    made->format = options->format;
    made->most = SIZE_MAX;
    made->doubtful = true;
    made->had_registry = made->lost = options->set_up;
    ir_status_t status =
        ir_sparql_uri_parse(options->uris, options->format.base_iri, &made->uri, error);
    if (status == IR_OK) {
        const ir_http_login_t login = {.user = options->user,
                                       .password = options->password,
                                       .token = options->token,
                                       .ca_file = options->ca_file};
        made->http = ir_http_client_new(&login, options->timeout_ns);
        if (made->http == NULL ||
            asprintf(&made->registry_graph, "%s" IR_GRAPH_REGISTRY, options->format.base_iri) < 0) {
            made->registry_graph = NULL;
            status = ir_sparql_no_memory(error);
        }
    }
    if (status != IR_OK) {
        sparql_close(made);
        return status;
    }
    *store = made;
    return IR_OK;
}

/* ---- ready ---- */

static ir_status_t sparql_ready(void *store, ir_error_t *error) {
    ir_sparql_t *graph = store;
    ir_buffer_clear(&graph->body);
    ir_buffer_append_text(&graph->body, "ASK { ?s ?p ?o }");
    const ir_status_t status =
        ir_sparql_ask(graph, &graph->body, IR_SPARQL_ACCEPT_JSON, NULL, NULL, error);
    if (status != IR_OK) {
        return status;
    }
    return ir_sparql_is_answer(ir_http_answer(graph->http)) ? ir_sparql_check_ids(graph, error)
                                                            : ir_sparql_no_answer(graph, error);
}

static const char *const prefixes[] = {"sparql+http://", "sparql+https://", NULL};

const ir_graph_backend_t ir_graph_sparql = {
    .scheme = {"sparql+http://HOST/PATH?strategy=quads", prefixes},
    .open = sparql_open,
    .close = sparql_close,
    .init = ir_sparql_init,
    .ready = sparql_ready,
    .present = ir_sparql_present,
    .probe = ir_sparql_probe,
    .put = ir_sparql_put,
    .control = ir_sparql_control,
    .count = ir_sparql_count,
    .each_id = ir_sparql_each_id,
    .purge = ir_sparql_purge,
    .retire = ir_sparql_retire,
    .compact = ir_sparql_compact,
    .export = ir_sparql_export,
    .load = ir_sparql_load};
