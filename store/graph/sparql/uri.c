#include "store/graph/sparql/uri.h"

#include "common/settings.h"
#include "common/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME_PREFIX "sparql+"
#define MASKED_SIZE 256
#define PATH_SIZE 1024

static const char *const strategies[] = {
    [IR_SPARQL_QUADS] = "quads",
    [IR_SPARQL_GRAPH_STORE] = "graph-store",
    [IR_SPARQL_UPDATE] = "update",
};

typedef struct paths {
    ir_view_t server, path, query, update, store, graph;
    ir_sparql_strategy_t strategy;
} paths_t;

static bool ends_with(ir_view_t text, const char *ending) {
    const size_t size = strlen(ending);
    return text.size >= size && memcmp(text.data + text.size - size, ending, size) == 0;
}

static bool take_parameter(paths_t *paths, ir_view_t name, ir_view_t value) {
    if (ir_view_equal(name, ir_view_text("strategy"))) {
        for (int i = 0; i < 3; i++) {
            if (ir_view_equal(value, ir_view_text(strategies[i]))) {
                paths->strategy = (ir_sparql_strategy_t)i;
                return true;
            }
        }
        return false;
    }
    if (ir_view_equal(name, ir_view_text("graph"))) {
        paths->graph = value;
        return value.size > 0 && strcspn(value.data, "<>\" ") >= value.size;
    }
    ir_view_t *const targets[] = {&paths->query, &paths->update, &paths->store};
    const char *const names[] = {"query", "update", "store"};
    for (int i = 0; i < 3; i++) {
        if (ir_view_equal(name, ir_view_text(names[i]))) {
            *targets[i] = value;
            return value.size > 0 && value.data[0] == '/';
        }
    }
    return false;
}

static ir_status_t take_parameters(paths_t *paths, const char *at, ir_error_t *error) {
    while (*at != '\0') {
        const size_t size = strcspn(at, "&");
        const char *equals = memchr(at, '=', size);
        const size_t name_size = equals != NULL ? (size_t)(equals - at) : size;
        const ir_view_t value =
            equals != NULL ? ir_view(equals + 1, size - name_size - 1) : (ir_view_t){NULL, 0};
        if (!take_parameter(paths, ir_view(at, name_size), value)) {
            return ir_error_set(error, IR_ERR_USAGE,
                                "graph: '%.*s' is not an option of a SPARQL server; valid are "
                                "strategy=quads|graph-store|update, query=/PATH, update=/PATH, "
                                "store=/PATH, graph=IRI",
                                (int)size, at);
        }
        at += size + (at[size] == '&');
    }
    return IR_OK;
}

static char *join(ir_view_t first, ir_view_t second) {
    char *text = NULL;
    if (asprintf(&text, "%.*s%.*s", IR_VIEW_ARG(first), IR_VIEW_ARG(second)) < 0) {
        return NULL;
    }
    return text;
}

/* Oxigraph's endpoints are siblings in the path. */
static char *beside(const paths_t *paths, const char *name) {
    ir_view_t folder = paths->path;
    while (folder.size > 0 && folder.data[folder.size - 1] != '/') {
        folder.size--;
    }
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%.*s%s", IR_VIEW_ARG(folder), name);
    return join(paths->server, ir_view_text(path));
}

static char *derive(const paths_t *paths, ir_view_t given, const char *name) {
    if (given.size > 0) {
        return join(paths->server, given);
    }
    if (ends_with(paths->path, "/store") || ends_with(paths->path, "/update")) {
        return beside(paths, name);
    }
    if (ends_with(paths->path, "/sparql-graph-crud") && strcmp(name, "store") != 0) {
        return beside(paths, "sparql");
    }
    if (ends_with(paths->path, "/sparql-graph-crud-auth") && strcmp(name, "store") != 0) {
        return beside(paths, "sparql-auth");
    }
    if (ends_with(paths->path, "/sparql") && strcmp(name, "store") == 0) {
        return beside(paths, "sparql-graph-crud");
    }
    if (ends_with(paths->path, "/sparql-auth") && strcmp(name, "store") == 0) {
        return beside(paths, "sparql-graph-crud-auth");
    }
    return join(paths->server, paths->path);
}

static bool is_virtuoso(ir_view_t path) {
    return ends_with(path, "/sparql") || ends_with(path, "/sparql-auth") ||
           ends_with(path, "/sparql-graph-crud") || ends_with(path, "/sparql-graph-crud-auth");
}

/* Virtuoso answers 2xx to quads but ignores their graphs. */
static ir_status_t check_strategy(const paths_t *paths, ir_error_t *error) {
    if (paths->strategy == IR_SPARQL_QUADS && paths->store.size == 0 && is_virtuoso(paths->path)) {
        return ir_error_set(
            error, IR_ERR_USAGE,
            "graph: a server at %.*s (Virtuoso) does not accept quads; add ?strategy=graph-store "
            "or ?strategy=update (or store=/PATH, if it is another server that does)",
            IR_VIEW_ARG(paths->path));
    }
    return IR_OK;
}

static ir_status_t build(const paths_t *paths, const char *base_iri, ir_sparql_uri_t *uri,
                         ir_error_t *error) {
    ir_sparql_uri_t made = {.strategy = paths->strategy,
                            .query = derive(paths, paths->query, "query"),
                            .update = derive(paths, paths->update, "update"),
                            .store = derive(paths, paths->store, "store")};
    const bool named = paths->graph.size > 0 || is_virtuoso(paths->path);
    if (paths->graph.size > 0) {
        made.graph = join(paths->graph, (ir_view_t){NULL, 0});
    } else if (named) {
        made.graph = join(ir_view_text(base_iri), ir_view_text("graph/observations"));
    }
    if (made.query == NULL || made.update == NULL || made.store == NULL ||
        (named && made.graph == NULL)) {
        ir_sparql_uri_free(&made);
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    *uri = made;
    return IR_OK;
}

ir_status_t ir_sparql_uri_parse(const char *text, const char *base_iri, ir_sparql_uri_t *uri,
                                ir_error_t *error) {
    char masked[MASKED_SIZE];
    const char *url = text + strlen(SCHEME_PREFIX);
    const char *host = strstr(url, "://");
    const size_t host_size = host != NULL ? strcspn(host + 3, "/?") : 0;
    if (host == NULL || host_size == 0) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "graph: '%s' names no host; write sparql+http://HOST:PORT/PATH",
                            ir_uri_masked(text, masked, sizeof masked));
    }
    if (memchr(host + 3, '@', host_size) != NULL) {
        return ir_error_set(
            error, IR_ERR_USAGE,
            "graph: '%s' contains a user name; use graph-user and graph-password instead",
            ir_uri_masked(text, masked, sizeof masked));
    }
    const char *path = host + 3 + host_size;
    const size_t path_size = strcspn(path, "?");
    if (path_size >= PATH_SIZE - 32) {
        return ir_error_set(error, IR_ERR_USAGE, "graph: the path of a SPARQL server is too long");
    }
    paths_t paths = {.server = ir_view(url, (size_t)(path - url)),
                     .path = path_size > 0 ? ir_view(path, path_size) : ir_view_text("/")};
    ir_status_t status =
        path[path_size] == '?' ? take_parameters(&paths, path + path_size + 1, error) : IR_OK;
    if (status == IR_OK) {
        status = check_strategy(&paths, error);
    }
    return status == IR_OK ? build(&paths, base_iri, uri, error) : status;
}

void ir_sparql_uri_free(ir_sparql_uri_t *uri) {
    free(uri->query);
    free(uri->update);
    free(uri->store);
    free(uri->graph);
    *uri = (ir_sparql_uri_t){.query = NULL};
}
