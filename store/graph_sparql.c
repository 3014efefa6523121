/* SPARQL servers over HTTP: Fuseki, Oxigraph, Virtuoso and others that follow the protocols. */
#include "store/graph_backend.h"
#include "store/http.h"
#include "store/sparql_results.h"
#include "store/sparql_uri.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_OBSERVATION "<http://www.w3.org/ns/sosa/Observation>"
#define SUBJECT "urn:uuid:"

/* One INSERT DATA: Virtuoso makes a program of it, which may have 10,000 lines. */
#define UPDATE_LINES_MAX 2000
#define UPDATE_BYTES_MAX ((size_t)512 * 1024)
#define LINE_TRIPLES_MAX 16 /* about what one observation has */

#define REQUEST_LEAST 64 /* observations; a request of so few is not made smaller */

#define DETAIL_SIZE 150

typedef struct sparql {
    ir_sparql_uri_t uri;
    ir_http_t *http;
    ir_format_options_t format;
    char *registry_graph;
    ir_buffer_t body, url;
    ir_buffer_t names;  /* graph names of the picks, one after the other */
    size_t *name_ends;  /* of each pick, in `names` */
    size_t n_name_ends; /* capacity */
    size_t most;        /* observations in one request */
} sparql_t;

/* ---- opening ---- */

static ir_status_t out_of_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
}

static void sparql_close(void *store) {
    sparql_t *graph = store;
    if (graph == NULL) {
        return;
    }
    ir_http_free(graph->http);
    ir_sparql_uri_free(&graph->uri);
    ir_buffer_free(&graph->body);
    ir_buffer_free(&graph->url);
    ir_buffer_free(&graph->names);
    free(graph->name_ends);
    free(graph->registry_graph);
    free(graph);
}

static ir_status_t sparql_open(const ir_graph_options_t *options, void **store, ir_error_t *error) {
    sparql_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return out_of_memory(error);
    }
    made->format = options->format;
    made->most = SIZE_MAX;
    ir_status_t status =
        ir_sparql_uri_parse(options->uris, options->format.base_iri, &made->uri, error);
    if (status == IR_OK) {
        made->http = ir_http_new(options->user, options->password, options->timeout_ns);
        if (made->http == NULL ||
            asprintf(&made->registry_graph, "%sgraph/registry", options->format.base_iri) < 0) {
            made->registry_graph = NULL;
            status = out_of_memory(error);
        }
    }
    if (status != IR_OK) {
        sparql_close(made);
        return status;
    }
    *store = made;
    return IR_OK;
}

/* ---- what an answer means ---- */

/* The first words of the server's text, without markup. */
static void shorten(ir_view_t answer, char text[static DETAIL_SIZE]) {
    size_t size = 0;
    bool markup = false;
    for (size_t i = 0; i < answer.size && size + 1 < DETAIL_SIZE; i++) {
        const char c = answer.data[i];
        const bool blank = isspace((unsigned char)c) || c == '\0';
        if (c == '<' && i + 1 < answer.size &&
            (isalpha((unsigned char)answer.data[i + 1]) ||
             strchr("/!", answer.data[i + 1]) != NULL)) {
            const char *stop = memchr(answer.data + i, '>', answer.size - i);
            const char *colon = memchr(answer.data + i, ':', answer.size - i);
            markup = stop != NULL && (colon == NULL || colon > stop); /* not an IRI */
        }
        if (!markup && !(blank && (size == 0 || text[size - 1] == ' '))) {
            text[size++] = (char)(blank ? ' ' : c);
        }
        markup = markup && c != '>';
    }
    text[size] = '\0';
}

static bool contains(ir_view_t answer, const char *text) {
    return answer.size > 0 && memmem(answer.data, answer.size, text, strlen(text)) != NULL;
}

/* Whether the server means the statements, not itself. Virtuoso answers 500 for a bad document:
 * SQL states 37000 (syntax) and 22… (data), RDF… (its parsers). */
static bool refuses_input(int code, ir_view_t answer) {
    if (code == 500) {
        static const char *const states[] = {"Error 37000",    "Error 22",    "Error RDF",
                                             "Virtuoso 37000", "Virtuoso 22", "Virtuoso RDF"};
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
            if (contains(answer, states[i])) {
                return true;
            }
        }
        return false;
    }
    return code == 400 || code == 413 || code == 415 || code == 422 || code == 501;
}

static ir_status_t judge(const sparql_t *graph, const char *url, int code, ir_error_t *error) {
    const int size = (int)strcspn(url, "?");
    char text[DETAIL_SIZE];
    if (code / 100 == 2) {
        return IR_OK;
    }
    shorten(ir_http_answer(graph->http), text);
    if (refuses_input(code, ir_http_answer(graph->http))) {
        return ir_error_set(error, IR_ERR_REFUSED, "%d from %.*s: %s", code, size, url, text);
    }
    switch (code) {
    case 401:
    case 403:
        return ir_error_set(error, IR_ERR_AUTH,
                            "%.*s refuses the credentials or the right to write (%d); check "
                            "graph-user, graph-password and the server's grants: %s",
                            size, url, code, text);
    case 404:
        return ir_error_set(error, IR_ERR_NOT_FOUND,
                            "%.*s: no such dataset there (404); check the path in the graph "
                            "store's URI, or create the dataset",
                            size, url);
    case 405:
        return ir_error_set(error, IR_ERR_PROTOCOL,
                            "%.*s does not take this request (405); check path and strategy in "
                            "the graph store's URI",
                            size, url);
    case 408:
    case 429:
        break;
    default:
        if (code < 500) {
            return ir_error_set(error, IR_ERR_PROTOCOL,
                                "%.*s answers %d, which no SPARQL server does here; check the "
                                "graph store's URI: %s",
                                size, url, code, text);
        }
    }
    return ir_error_set(error, IR_ERR_CONNECT, "%.*s cannot take it now (%d): %s", size, url, code,
                        text);
}

/* ---- requests ---- */

static ir_status_t call(sparql_t *graph, const ir_http_request_t *request, ir_error_t *error) {
    int code = 0;
    const ir_status_t status = ir_http_call(graph->http, request, &code, error);
    return status == IR_OK ? judge(graph, request->url, code, error) : status;
}

static void append_escaped(ir_buffer_t *out, ir_view_t text) {
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (isalnum(c) || strchr("-._~", c) != NULL) {
            ir_buffer_append_char(out, (char)c);
        } else {
            ir_buffer_append_format(out, "%%%02X", c);
        }
    }
}

/* Sends a query; the answer is taken by `take`, or kept. */
static ir_status_t ask(sparql_t *graph, const ir_buffer_t *query, const char *accept,
                       ir_http_take_fn take, void *context, ir_error_t *error) {
    ir_buffer_t form;
    ir_buffer_init(&form);
    ir_buffer_append_text(&form, "query=");
    append_escaped(&form, ir_buffer_view(query));
    /* as a form: Virtuoso hangs when a query is posted by itself */
    const ir_http_request_t request = {.method = "POST",
                                       .url = graph->uri.query,
                                       .content_type = "application/x-www-form-urlencoded",
                                       .accept = accept,
                                       .body = ir_buffer_view(&form),
                                       .take = take,
                                       .context = context,
                                       .stalls_only = take != NULL};
    const ir_status_t status = ir_buffer_ok(&form) && ir_buffer_ok(query)
                                   ? call(graph, &request, error)
                                   : out_of_memory(error);
    ir_buffer_free(&form);
    return status;
}

static ir_status_t update(sparql_t *graph, ir_view_t text, ir_error_t *error) {
    const ir_http_request_t request = {.method = "POST",
                                       .url = graph->uri.update,
                                       .content_type = "application/sparql-update",
                                       .accept = "*/*",
                                       .body = text};
    return call(graph, &request, error);
}

/* The Graph Store Protocol's address of a graph; an empty name: the default graph. */
static ir_status_t send_graph(sparql_t *graph, const char *method, ir_view_t name, ir_view_t body,
                              ir_error_t *error) {
    ir_buffer_clear(&graph->url);
    ir_buffer_append_text(&graph->url, graph->uri.store);
    if (name.size > 0) {
        ir_buffer_append_text(&graph->url, "?graph=");
        append_escaped(&graph->url, name);
    } else {
        ir_buffer_append_text(&graph->url, "?default");
    }
    ir_buffer_append_char(&graph->url, '\0');
    if (!ir_buffer_ok(&graph->url)) {
        return out_of_memory(error);
    }
    const ir_http_request_t request = {.method = method,
                                       .url = graph->url.data,
                                       .content_type = "application/n-triples",
                                       .accept = "*/*",
                                       .body = body};
    return call(graph, &request, error);
}

static ir_status_t send_quads(sparql_t *graph, ir_view_t body, ir_error_t *error) {
    const ir_http_request_t request = {.method = "POST",
                                       .url = graph->uri.store,
                                       .content_type = "application/n-quads",
                                       .accept = "*/*",
                                       .body = body};
    return call(graph, &request, error);
}

/* ---- putting ---- */

static ir_status_t put_quads(sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                             ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    for (size_t i = 0; i < count; i++) {
        ir_graph_pick_append(&graph->body, &picks[i], i > 0 ? &picks[i - 1] : NULL, &graph->format,
                             true);
    }
    return ir_buffer_ok(&graph->body) ? send_quads(graph, ir_buffer_view(&graph->body), error)
                                      : out_of_memory(error);
}

/* Writes down the graph of every pick. */
static bool name_graphs(sparql_t *graph, const ir_graph_pick_t *picks, size_t count) {
    if (count > graph->n_name_ends) {
        size_t *grown = realloc(graph->name_ends, count * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        graph->name_ends = grown;
        graph->n_name_ends = count;
    }
    ir_buffer_clear(&graph->names);
    for (size_t i = 0; i < count; i++) {
        ir_graph_name(&graph->names, picks[i].observation, &graph->format);
        graph->name_ends[i] = graph->names.size;
    }
    return ir_buffer_ok(&graph->names);
}

static ir_view_t graph_of(const sparql_t *graph, size_t pick) {
    if (graph->format.naming == IR_GRAPH_DEFAULT) {
        return ir_view_text(graph->uri.graph);
    }
    const size_t begin = pick > 0 ? graph->name_ends[pick - 1] : 0;
    return ir_view(graph->names.data + begin, graph->name_ends[pick] - begin);
}

/* One request for each graph: the picks of the first one's graph, then of the first one that is of
 * another, and so on. Few graphs take part in one batch. */
static ir_status_t put_graphs(sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                              ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t first = 0; first < count && status == IR_OK; first++) {
        const ir_view_t name = graph_of(graph, first);
        bool sent = false;
        for (size_t i = 0; i < first && !sent; i++) {
            sent = ir_view_equal(graph_of(graph, i), name);
        }
        if (sent) {
            if (graph->format.naming == IR_GRAPH_DEFAULT) {
                break;
            }
            continue;
        }
        ir_buffer_clear(&graph->body);
        const ir_graph_pick_t *previous = NULL;
        for (size_t i = first; i < count; i++) {
            if (ir_view_equal(graph_of(graph, i), name)) {
                ir_graph_pick_append(&graph->body, &picks[i], previous, &graph->format, false);
                previous = &picks[i];
            }
        }
        status = ir_buffer_ok(&graph->body)
                     ? send_graph(graph, "POST", name, ir_buffer_view(&graph->body), error)
                     : out_of_memory(error);
    }
    return status;
}

static void open_graph(ir_buffer_t *out, ir_view_t name) {
    if (name.size > 0) {
        ir_buffer_append_text(out, "GRAPH <");
        ir_buffer_append_view(out, name);
        ir_buffer_append_text(out, "> {\n");
    }
}

static ir_status_t send_insert(sparql_t *graph, ir_view_t name, ir_error_t *error) {
    ir_buffer_append_text(&graph->body, name.size > 0 ? "} }\n" : "}\n");
    return ir_buffer_ok(&graph->body) ? update(graph, ir_buffer_view(&graph->body), error)
                                      : out_of_memory(error);
}

/* Requests of bounded size; a new graph inside one closes the one before. */
static ir_status_t put_updates(sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                               ir_error_t *error) {
    ir_status_t status = IR_OK;
    size_t i = 0;
    while (i < count && status == IR_OK) {
        ir_view_t name = graph_of(graph, i);
        ir_buffer_clear(&graph->body);
        ir_buffer_append_text(&graph->body, "INSERT DATA {\n");
        open_graph(&graph->body, name);
        const ir_graph_pick_t *previous = NULL;
        for (size_t n = 0; i < count && n < UPDATE_LINES_MAX / LINE_TRIPLES_MAX &&
                           graph->body.size < UPDATE_BYTES_MAX;
             n++, i++) {
            if (!ir_view_equal(graph_of(graph, i), name)) {
                name = graph_of(graph, i);
                ir_buffer_append_text(&graph->body, "}\n");
                open_graph(&graph->body, name);
                previous = NULL;
            }
            ir_graph_pick_append(&graph->body, &picks[i], previous, &graph->format, false);
            previous = &picks[i];
        }
        status = send_insert(graph, name, error);
    }
    return status;
}

static ir_status_t put(sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                       ir_error_t *error) {
    if (graph->uri.strategy == IR_SPARQL_QUADS) {
        return put_quads(graph, picks, count, error);
    }
    if (!name_graphs(graph, picks, count)) {
        return out_of_memory(error);
    }
    return graph->uri.strategy == IR_SPARQL_GRAPH_STORE ? put_graphs(graph, picks, count, error)
                                                        : put_updates(graph, picks, count, error);
}

/* A server that does not take a request in time gets smaller ones. They grow again only with whole
 * batches that went well: a batch that fails is sent from its beginning. */
static void adapt(sparql_t *graph, ir_status_t status, size_t tried, size_t left) {
    if (status == IR_ERR_TIMEOUT && tried > REQUEST_LEAST) {
        graph->most = tried / 2;
    } else if (status == IR_OK && left == 0 && graph->most < SIZE_MAX / 2) {
        graph->most += graph->most / 8;
    }
}

static ir_status_t put_in_requests(sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                                   ir_error_t *error) {
    ir_status_t status = IR_OK;
    while (count > 0 && status == IR_OK) {
        const size_t size = count < graph->most ? count : graph->most;
        status = put(graph, picks, size, error);
        picks += size;
        count -= size;
        adapt(graph, status, size, count);
    }
    return status;
}

/* Whether the server takes a statement that is certainly good: one of the registry's graph. */
static ir_status_t probe(sparql_t *graph, ir_error_t *error) {
    static const char statement[] =
        NAME_OBSERVATION " <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
                         "<http://www.w3.org/2002/07/owl#Class> ";
    const ir_view_t name = ir_view_text(graph->registry_graph);
    ir_buffer_clear(&graph->body);
    switch (graph->uri.strategy) {
    case IR_SPARQL_QUADS:
        ir_buffer_append_format(&graph->body, "%s<%s> .\n", statement, graph->registry_graph);
        return send_quads(graph, ir_buffer_view(&graph->body), error);
    case IR_SPARQL_GRAPH_STORE:
        ir_buffer_append_format(&graph->body, "%s.\n", statement);
        return send_graph(graph, "POST", name, ir_buffer_view(&graph->body), error);
    default:
        ir_buffer_append_text(&graph->body, "INSERT DATA {\n");
        open_graph(&graph->body, name);
        ir_buffer_append_format(&graph->body, "%s.\n", statement);
        return send_insert(graph, name, error);
    }
}

/* Before a single observation is given up, the server must show that it takes good ones: a wrong
 * path or strategy may not make refusals of all. */
static ir_outcome_t reject(sparql_t *graph, size_t count, ir_error_t *error) {
    ir_error_t why = {.status = IR_OK};
    if (count > 1 || probe(graph, &why) == IR_OK) {
        return IR_OUTCOME_REJECT;
    }
    ir_error_set(error, IR_ERR_PROTOCOL,
                 "the graph server refuses also what is certainly good; check path and strategy "
                 "in the graph store's URI: %s",
                 why.text);
    return IR_OUTCOME_RETRY;
}

static ir_outcome_t sparql_put(void *store, const ir_graph_pick_t *picks, size_t count,
                               ir_error_t *error) {
    sparql_t *graph = store;
    const ir_status_t status = put_in_requests(graph, picks, count, error);
    if (status == IR_ERR_REFUSED) {
        return reject(graph, count, error);
    }
    return status == IR_OK ? IR_OUTCOME_OK : IR_OUTCOME_RETRY;
}

/* ---- init and ready ---- */

/* Inserts N-Triples lines by updates of bounded size. */
static ir_status_t insert_lines(sparql_t *graph, ir_view_t lines, ir_view_t name,
                                ir_error_t *error) {
    ir_status_t status = IR_OK;
    while (lines.size > 0 && status == IR_OK) {
        ir_buffer_clear(&graph->body);
        ir_buffer_append_text(&graph->body, "INSERT DATA {\n");
        open_graph(&graph->body, name);
        for (size_t n = 0;
             lines.size > 0 && n < UPDATE_LINES_MAX && graph->body.size < UPDATE_BYTES_MAX; n++) {
            const char *stop = memchr(lines.data, '\n', lines.size);
            const size_t size = stop != NULL ? (size_t)(stop - lines.data) + 1 : lines.size;
            ir_buffer_append(&graph->body, lines.data, size);
            lines = ir_view(lines.data + size, lines.size - size);
        }
        status = send_insert(graph, name, error);
    }
    return status;
}

static ir_status_t sparql_init(void *store, ir_view_t registry, const char *name,
                               ir_error_t *error) {
    sparql_t *graph = store;
    ir_status_t status = send_graph(graph, "PUT", ir_view_text(name), registry, error);
    if (status == IR_OK || graph->uri.strategy != IR_SPARQL_UPDATE) {
        return status;
    }
    /* A server that only takes updates. Virtuoso has both, and fails at some literals in updates.
     */
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body, "CLEAR SILENT GRAPH <%s>", name);
    status = update(graph, ir_buffer_view(&graph->body), error);
    return status == IR_OK ? insert_lines(graph, registry, ir_view_text(name), error) : status;
}

#define ACCEPT_JSON "application/sparql-results+json"

static ir_status_t not_sparql(const sparql_t *graph, ir_error_t *error) {
    char text[DETAIL_SIZE];
    shorten(ir_http_answer(graph->http), text);
    return ir_error_set(error, IR_ERR_PROTOCOL,
                        "%s does not answer as a SPARQL server does; check the graph store's URI "
                        "(query=/PATH says where queries go): %s",
                        graph->uri.query, text);
}

static ir_status_t sparql_ready(void *store, ir_error_t *error) {
    sparql_t *graph = store;
    ir_buffer_clear(&graph->body);
    ir_buffer_append_text(&graph->body, "ASK { ?s ?p ?o }");
    const ir_status_t status = ask(graph, &graph->body, ACCEPT_JSON, NULL, NULL, error);
    if (status != IR_OK) {
        return status;
    }
    return ir_sparql_is_answer(ir_http_answer(graph->http)) ? IR_OK : not_sparql(graph, error);
}

/* ---- asking ---- */

/* Where our statements are: `pattern` in the default graph, in the one that stands for it, or in
 * the named ones below base_iri that are not the registry's. */
static void append_where(const sparql_t *graph, ir_buffer_t *out, const char *pattern) {
    if (graph->uri.graph != NULL && graph->format.naming == IR_GRAPH_DEFAULT) {
        ir_buffer_append_format(out, "{ GRAPH <%s> { %s } }", graph->uri.graph, pattern);
        return;
    }
    ir_buffer_append_text(out, "{ ");
    if (graph->uri.graph == NULL) {
        ir_buffer_append_format(out, "{ %s } UNION ", pattern);
    }
    ir_buffer_append_format(out,
                            "{ GRAPH ?g { %s } FILTER(STRSTARTS(STR(?g), \"%sgraph/\") && "
                            "?g != <%s>) } }",
                            pattern, graph->format.base_iri, graph->registry_graph);
}

static ir_status_t ask_number(sparql_t *graph, const char *what, const char *pattern,
                              uint64_t *number, ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body, "SELECT (COUNT(%s) AS ?n) WHERE ", what);
    append_where(graph, &graph->body, pattern);
    const ir_status_t status = ask(graph, &graph->body, ACCEPT_JSON, NULL, NULL, error);
    if (status != IR_OK) {
        return status;
    }
    return ir_sparql_number(ir_http_answer(graph->http), "n", number) == IR_OK
               ? IR_OK
               : not_sparql(graph, error);
}

static ir_status_t sparql_count(void *store, uint64_t *observations, uint64_t *triples,
                                ir_error_t *error) {
    uint64_t n_observations = 0;
    uint64_t n_triples = 0;
    ir_status_t status =
        ask_number(store, "DISTINCT ?o", "?o a " NAME_OBSERVATION, &n_observations, error);
    if (status == IR_OK) {
        status = ask_number(store, "*", "?s ?p ?o", &n_triples, error);
    }
    if (status == IR_OK) {
        *observations = n_observations;
        *triples = n_triples;
    }
    return status;
}

/* A stream of CSV, one column, with a head line. */
static ir_status_t select_lines(sparql_t *graph, const ir_buffer_t *query, const char *accept,
                                ir_each_line_fn each, void *context, ir_error_t *error) {
    ir_line_stream_t stream = {.each = each, .context = context, .error = error};
    ir_buffer_init(&stream.rest);
    ir_status_t status = ask(graph, query, accept, ir_line_stream_take, &stream, error);
    if (status == IR_OK) {
        status = ir_line_stream_end(&stream);
    }
    ir_line_stream_free(&stream);
    return status;
}

typedef struct id_walk {
    ir_each_id_fn each;
    void *context;
    ir_error_t *error;
} id_walk_t;

static ir_status_t walk_line(void *context, ir_view_t line) {
    const id_walk_t *walk = context;
    const ir_view_t cell = ir_sparql_cell(line);
    const size_t prefix = strlen(SUBJECT);
    ir_id_t id;
    if (cell.size > prefix && memcmp(cell.data, SUBJECT, prefix) == 0 &&
        ir_id_parse(ir_view(cell.data + prefix, cell.size - prefix), &id)) {
        return walk->each(walk->context, &id);
    }
    return IR_OK; /* the head, or an observation that somebody else put there */
}

static ir_status_t sparql_each_id(void *store, ir_each_id_fn each, void *context,
                                  ir_error_t *error) {
    sparql_t *graph = store;
    id_walk_t walk = {each, context, error};
    ir_buffer_clear(&graph->body);
    ir_buffer_append_text(&graph->body, "SELECT ?o WHERE ");
    append_where(graph, &graph->body, "?o a " NAME_OBSERVATION);
    return select_lines(graph, &graph->body, "text/csv", walk_line, &walk, error);
}

/* ---- export ---- */

static ir_status_t export_dataset(sparql_t *graph, ir_each_line_fn each, void *context,
                                  ir_error_t *error) {
    ir_line_stream_t stream = {.each = each, .context = context, .error = error};
    ir_buffer_init(&stream.rest);
    const ir_http_request_t request = {.method = "GET",
                                       .url = graph->uri.store,
                                       .accept = "application/n-quads",
                                       .take = ir_line_stream_take,
                                       .context = &stream,
                                       .stalls_only = true};
    ir_status_t status = call(graph, &request, error);
    if (status == IR_OK) {
        status = ir_line_stream_end(&stream);
    }
    ir_line_stream_free(&stream);
    return status;
}

typedef struct graph_export {
    ir_each_line_fn each;
    void *context;
    ir_view_t name; /* of the graph, or empty */
    ir_buffer_t line;
    ir_buffer_t graphs; /* the graphs' names, each with a NUL */
    uint64_t lines;
} graph_export_t;

static ir_status_t export_triple(void *context, ir_view_t line) {
    graph_export_t *export = context;
    while (line.size > 0 && strchr(" .\t", line.data[line.size - 1]) != NULL) {
        line.size--;
    }
    if (line.size == 0 || line.data[0] == '#') {
        return IR_OK;
    }
    ir_buffer_clear(&export->line);
    ir_buffer_append_view(&export->line, line);
    if (export->name.size > 0) {
        ir_buffer_append_format(&export->line, " <%.*s>", IR_VIEW_ARG(export->name));
    }
    ir_buffer_append_text(&export->line, " .");
    return ir_buffer_ok(&export->line)
               ? export->each(export->context, ir_buffer_view(&export->line))
               : IR_ERR_MEMORY;
}

static ir_status_t export_graph(sparql_t *graph, graph_export_t *export, ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    ir_buffer_append_text(&graph->body, "CONSTRUCT { ?s ?p ?o } WHERE { ");
    open_graph(&graph->body, export->name);
    ir_buffer_append_text(&graph->body, export->name.size > 0 ? "?s ?p ?o } }" : "?s ?p ?o }");
    return select_lines(graph, &graph->body, "application/n-triples", export_triple, export, error);
}

static ir_status_t note_graph(void *context, ir_view_t line) {
    graph_export_t *export = context;
    if (export->lines++ > 0) { /* the head */
        ir_buffer_append_view(&export->graphs, ir_sparql_cell(line));
        ir_buffer_append_char(&export->graphs, '\0');
    }
    return ir_buffer_ok(&export->graphs) ? IR_OK : IR_ERR_MEMORY;
}

static ir_status_t list_graphs(sparql_t *graph, graph_export_t *export, ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body,
                            "SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o } "
                            "FILTER(STRSTARTS(STR(?g), \"%sgraph/\")",
                            graph->format.base_iri);
    if (graph->uri.graph != NULL) {
        ir_buffer_append_format(&graph->body, " || ?g = <%s>", graph->uri.graph);
    }
    ir_buffer_append_text(&graph->body, ") }");
    return select_lines(graph, &graph->body, "text/csv", note_graph, export, error);
}

/* For servers that do not give a whole dataset: graph by graph. */
static ir_status_t export_graphs(sparql_t *graph, ir_each_line_fn each, void *context,
                                 ir_error_t *error) {
    graph_export_t export = {.each = each, .context = context};
    ir_status_t status = list_graphs(graph, &export, error);
    if (status == IR_OK && graph->uri.graph == NULL) {
        status = export_graph(graph, &export, error);
    }
    for (size_t at = 0; at < export.graphs.size && status == IR_OK; at += export.name.size + 1) {
        export.name = ir_view_text(export.graphs.data + at);
        status = export_graph(graph, &export, error);
    }
    ir_buffer_free(&export.line);
    ir_buffer_free(&export.graphs);
    return status;
}

static ir_status_t sparql_export(void *store, ir_each_line_fn each, void *context,
                                 ir_error_t *error) {
    sparql_t *graph = store;
    return graph->uri.strategy == IR_SPARQL_QUADS ? export_dataset(graph, each, context, error)
                                                  : export_graphs(graph, each, context, error);
}

static const char *const schemes[] = {"sparql+http://", "sparql+https://", NULL};

const ir_graph_backend_t ir_graph_sparql = {.schemes = schemes,
                                            .open = sparql_open,
                                            .close = sparql_close,
                                            .init = sparql_init,
                                            .ready = sparql_ready,
                                            .put = sparql_put,
                                            .count = sparql_count,
                                            .each_id = sparql_each_id,
                                            .export = sparql_export};
