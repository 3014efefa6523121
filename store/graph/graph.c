#include "store/graph/graph_state.h"

#include "common/messages.h"
#include "common/settings.h"
#include "store/graph/quad.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASKED_SIZE 256
#define SEPARATORS " \t\n,"

#define BACKEND(name) &ir_graph_##name,
#define SCHEME(name) &ir_graph_##name.scheme,

static const ir_graph_backend_t *const backends[] = {IR_GRAPH_BACKENDS(BACKEND)};
static const ir_scheme_t *const schemes[] = {IR_GRAPH_BACKENDS(SCHEME)};

#define N_BACKENDS (sizeof backends / sizeof backends[0])

/* ---- opening ---- */

static bool copy_text(char **to, const char *from) {
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static bool copy_options(ir_graph_t *graph, const ir_graph_options_t *options) {
    ir_graph_options_t *own = &graph->options;
    *own = *options;
    const char **const texts[IR_GRAPH_OPTION_TEXTS] = {&own->user,   &own->password,
                                                       &own->token,  &own->ca_file,
                                                       &own->writer, &own->format.base_iri};
    bool good = true;
    for (size_t i = 0; i < IR_GRAPH_OPTION_TEXTS; i++) {
        good = copy_text(&graph->texts[i], *texts[i]) && good;
        *texts[i] = graph->texts[i];
    }
    return good;
}

static ir_status_t open_server(ir_graph_t *graph, ir_view_t uri, ir_error_t *error) {
    if (graph->n_servers == IR_GRAPH_SERVERS_MAX) {
        return ir_error_set(error, IR_ERR_USAGE, "graph: more than %d servers",
                            IR_GRAPH_SERVERS_MAX);
    }
    ir_graph_server_t *server = &graph->servers[graph->n_servers];
    server->uri = strndup(uri.data, uri.size);
    if (server->uri == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    graph->n_servers++;
    server->node = ir_view(server->uri, strcspn(server->uri, "?"));
    for (size_t i = 0; i + 1 < graph->n_servers; i++) {
        if (ir_view_equal(graph->servers[i].node, server->node)) {
            return ir_error_set(error, IR_ERR_USAGE, "graph: '%.*s' is given twice",
                                IR_VIEW_ARG(server->node));
        }
    }
    const size_t found = ir_scheme_find(schemes, N_BACKENDS, server->uri);
    if (found == N_BACKENDS) {
        char masked[MASKED_SIZE];
        char forms[IR_SCHEME_FORMS_SIZE];
        return ir_error_set(error, IR_ERR_USAGE, "graph: '%s' is not a graph store; write %s",
                            ir_uri_masked(server->uri, masked, sizeof masked),
                            ir_scheme_forms(schemes, N_BACKENDS, forms));
    }
    graph->options.uris = server->uri;
    const ir_status_t status = backends[found]->open(&graph->options, &server->store, error);
    server->backend = status == IR_OK ? backends[found] : NULL;
    return status;
}

static ir_status_t open_servers(ir_graph_t *graph, const char *uris, ir_error_t *error) {
    ir_status_t status = IR_OK;
    const char *at = uris + strspn(uris, SEPARATORS);
    while (status == IR_OK && *at != '\0') {
        const size_t size = strcspn(at, SEPARATORS);
        status = open_server(graph, ir_view(at, size), error);
        at += size;
        at += strspn(at, SEPARATORS);
    }
    if (status == IR_OK && graph->n_servers == 0) {
        char forms[IR_SCHEME_FORMS_SIZE];
        return ir_error_set(error, IR_ERR_USAGE, "graph: no store is given; write %s",
                            ir_scheme_forms(schemes, N_BACKENDS, forms));
    }
    return status;
}

ir_status_t ir_graph_open(const ir_graph_options_t *options, ir_graph_t **graph,
                          ir_error_t *error) {
    ir_graph_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    ir_status_t status = copy_options(made, options)
                             ? open_servers(made, options->uris != NULL ? options->uris : "", error)
                             : ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    if (status != IR_OK) {
        ir_graph_close(made);
        return status;
    }
    *graph = made;
    return IR_OK;
}

void ir_graph_close(ir_graph_t *graph) {
    if (graph == NULL) {
        return;
    }
    for (size_t i = 0; i < graph->n_servers; i++) {
        if (graph->servers[i].backend != NULL) {
            graph->servers[i].backend->close(graph->servers[i].store);
        }
        free(graph->servers[i].uri);
    }
    free(graph->picks);
    free(graph->gathered);
    for (size_t i = 0; i < IR_GRAPH_OPTION_TEXTS; i++) {
        free(graph->texts[i]);
    }
    free(graph);
}

/* ---- functions that the backends share ---- */

ir_status_t ir_graph_check_id(const ir_id_t *id, const char *place, ir_error_t *error) {
    return ir_id_version(id) == IR_ID_VERSION
               ? IR_OK
               : ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_EARLIER_GRAPH, place);
}

/* ---- every server in turn ---- */

/* "INDEX\0INDEX/NAME\0": the name, with characters that an IRI does not allow percent-encoded. */
static bool append_names(ir_buffer_t *out, const char *base_iri, const char *name) {
    ir_buffer_append_format(out, "%s" IR_GRAPH_REGISTRY "%c%s" IR_GRAPH_REGISTRY "/", base_iri,
                            '\0', base_iri);
    for (const char *c = name; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL) {
            ir_buffer_append_char(out, *c);
        } else {
            ir_buffer_append_format(out, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
    ir_buffer_append_char(out, '\0');
    return ir_buffer_ok(out);
}

static ir_status_t init_file(ir_graph_t *graph, const ir_registry_t *registry, unsigned file,
                             ir_buffer_t *names, ir_error_t *error) {
    char *text = NULL;
    size_t size = 0;
    ir_buffer_clear(names);
    if (!append_names(names, graph->options.format.base_iri,
                      ir_registry_file_name(registry, file))) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory");
    }
    const char *iri = names->data + strlen(names->data) + 1;
    const ir_registry_graph_t place = {names->data, iri, strrchr(iri, '/') + 1};
    ir_status_t status = ir_registry_ntriples(registry, file, &text, &size, error);
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const ir_graph_server_t *server = &graph->servers[i];
        status = server->backend->init(server->store, ir_view(text, size), &place, error);
    }
    free(text);
    return status;
}

ir_status_t ir_graph_init(ir_graph_t *graph, const ir_registry_t *registry, ir_error_t *error) {
    ir_buffer_t names;
    ir_buffer_init(&names);
    ir_status_t status = IR_OK;
    for (unsigned i = 0; i < ir_registry_files(registry) && status == IR_OK; i++) {
        status = init_file(graph, registry, i, &names, error);
    }
    ir_buffer_free(&names);
    return status;
}

ir_status_t ir_graph_ready(ir_graph_t *graph, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        status = graph->servers[i].backend->ready(graph->servers[i].store, error);
    }
    return status;
}

ir_status_t ir_graph_probe(ir_graph_t *graph, ir_error_t *error) {
    ir_status_t status = ir_graph_ready(graph, error);
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const ir_graph_server_t *server = &graph->servers[i];
        if (server->backend->probe != NULL) {
            status = server->backend->probe(server->store, error);
        }
    }
    return status;
}

ir_status_t ir_graph_present(ir_graph_t *graph, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const ir_graph_server_t *server = &graph->servers[i];
        if (server->backend->present != NULL) {
            status = server->backend->present(server->store, error);
        }
    }
    return status;
}

ir_status_t ir_graph_count(ir_graph_t *graph, uint64_t *observations, uint64_t *triples,
                           ir_error_t *error) {
    uint64_t all_observations = 0;
    uint64_t all_triples = 0;
    for (size_t i = 0; i < graph->n_servers; i++) {
        uint64_t some_observations = 0;
        uint64_t some_triples = 0;
        const ir_status_t status = graph->servers[i].backend->count(
            graph->servers[i].store, &some_observations, &some_triples, error);
        if (status != IR_OK) {
            return status;
        }
        all_observations += some_observations;
        all_triples += some_triples;
    }
    *observations = all_observations;
    *triples = all_triples;
    return IR_OK;
}

bool ir_graph_keeps(const ir_graph_t *graph) {
    for (size_t i = 0; i < graph->n_servers; i++) {
        if (graph->servers[i].backend != &ir_graph_null) {
            return true;
        }
    }
    return false;
}

ir_status_t ir_graph_purge(ir_graph_t *graph, const ir_id_t *ids, size_t count, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; count > 0 && i < graph->n_servers && status == IR_OK; i++) {
        const ir_graph_server_t *server = &graph->servers[i];
        if (server->backend->purge != NULL) {
            status = server->backend->purge(server->store, ids, count, error);
        }
    }
    return status;
}

ir_status_t ir_graph_retire(ir_graph_t *graph, ir_graph_retirement_t *retirement,
                            ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const ir_graph_server_t *server = &graph->servers[i];
        if (server->backend->retire != NULL) {
            status = server->backend->retire(server->store, retirement, error);
        }
    }
    return status;
}

ir_status_t ir_graph_compact(ir_graph_t *graph, ir_error_t *error) {
    ir_status_t status = IR_OK;
    bool any = false;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const ir_graph_server_t *server = &graph->servers[i];
        if (server->backend->compact != NULL) {
            any = true;
            status = server->backend->compact(server->store, error);
        }
    }
    return status == IR_OK && !any
               ? ir_error_set(error, IR_ERR_USAGE,
                              "compact is for Fuseki; this graph store needs none")
               : status;
}

ir_status_t ir_graph_each_id(ir_graph_t *graph, ir_document_kind_t kind, ir_each_id_fn each,
                             void *context, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        status =
            graph->servers[i].backend->each_id(graph->servers[i].store, kind, each, context, error);
    }
    return status;
}

ir_status_t ir_graph_export(ir_graph_t *graph, ir_each_line_fn each, void *context,
                            ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        status = graph->servers[i].backend->export(graph->servers[i].store, each, context, error);
    }
    return status;
}

/* ---- one server ---- */

size_t ir_graph_servers(const ir_graph_t *graph) {
    return graph->n_servers;
}

typedef struct saving {
    const char *base_iri;
    ir_each_line_fn each;
    void *context;
} saving_t;

static bool is_registry(ir_view_t graph, const char *base_iri) {
    const size_t base = strlen(base_iri);
    const size_t size = base + strlen(IR_GRAPH_REGISTRY);
    return graph.size >= size && memcmp(graph.data, base_iri, base) == 0 &&
           memcmp(graph.data + base, IR_GRAPH_REGISTRY, size - base) == 0 &&
           (graph.size == size || graph.data[size] == '/');
}

static ir_status_t save_line(void *context, ir_view_t line) {
    const saving_t *saving = context;
    ir_quad_t quad;
    return ir_quad_split(line, &quad) && !is_registry(quad.graph, saving->base_iri)
               ? saving->each(saving->context, line)
               : IR_OK;
}

ir_status_t ir_graph_save(ir_graph_t *graph, size_t server, ir_each_line_fn each, void *context,
                          ir_error_t *error) {
    saving_t saving = {graph->options.format.base_iri, each, context};
    const ir_graph_server_t *from = &graph->servers[server];
    return from->backend->export(from->store, save_line, &saving, error);
}

ir_status_t ir_graph_load(ir_graph_t *graph, size_t server, ir_view_t lines, ir_error_t *error) {
    const ir_graph_server_t *to = &graph->servers[server];
    return to->backend->load != NULL ? to->backend->load(to->store, lines, error) : IR_OK;
}

ir_status_t ir_graph_loaded(ir_graph_t *graph, size_t server, ir_error_t *error) {
    const ir_graph_server_t *to = &graph->servers[server];
    return to->backend->loaded != NULL ? to->backend->loaded(to->store, error) : IR_OK;
}
