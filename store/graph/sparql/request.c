#include "common/messages.h"
#include "store/graph/sparql/sparql.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DETAIL_SIZE 150

ir_status_t ir_sparql_no_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
}

/* ---- the meaning of an answer ---- */

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

/* Whether the answer is about the statements, not about the server. Virtuoso answers 500 for bad
 * data, too, with an SQL state 37000 (syntax) or 22… (data), or RDF… from its parsers. */
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

static ir_status_t judge(const ir_sparql_t *graph, const char *url, int code, ir_error_t *error) {
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
        return ir_error_set(error, IR_ERR_AUTH, IR_TEXT_GRAPH_REFUSES, size, url, code, text);
    case 404:
        return ir_error_set(error, IR_ERR_NOT_FOUND, IR_TEXT_NO_DATASET, size, url);
    case 405:
        return ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_OTHER_STRATEGY, size, url);
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
    return ir_error_set(error, IR_ERR_CONNECT, "%.*s cannot accept it now (%d): %s", size, url,
                        code, text);
}

ir_status_t ir_sparql_no_answer(const ir_sparql_t *graph, ir_error_t *error) {
    char text[DETAIL_SIZE];
    shorten(ir_http_answer(graph->http), text);
    return ir_error_set(error, IR_ERR_PROTOCOL,
                        "%s does not answer as a SPARQL server does; check the graph store's URI "
                        "(query=/PATH says where queries go): %s",
                        graph->uri.query, text);
}

/* ---- requests ---- */

ir_status_t ir_sparql_call(ir_sparql_t *graph, const ir_http_request_t *request,
                           ir_error_t *error) {
    int code = 0;
    graph->code = 0;
    const ir_status_t status = ir_http_client_call(graph->http, request, &code, error);
    graph->code = status == IR_OK ? code : 0;
    return status == IR_OK ? judge(graph, request->url, code, error) : status;
}

static bool is_known(const ir_sparql_t *graph, const ir_sparql_shape_t *shape) {
    for (size_t i = 0; i < graph->n_shapes; i++) {
        const ir_sparql_shape_t *known = &graph->shapes[i];
        if (known->code == shape->code && strcmp(known->media_type, shape->media_type) == 0 &&
            strcmp(known->beginning, shape->beginning) == 0) {
            return true;
        }
    }
    return false;
}

static void take_beginning(ir_view_t body, ir_sparql_shape_t *shape) {
    size_t size = 0;
    for (size_t i = 0; i < body.size && size + 1 < sizeof shape->beginning; i++) {
        if (!isdigit((unsigned char)body.data[i])) {
            shape->beginning[size++] = body.data[i];
        }
    }
    shape->beginning[size] = '\0';
}

/* An answer of unknown form may come from a proxy in front of the server. */
static void look_at_shape(ir_sparql_t *graph) {
    ir_sparql_shape_t shape = {.code = graph->code};
    snprintf(shape.media_type, sizeof shape.media_type, "%.*s",
             IR_VIEW_ARG(ir_http_media_type(graph->http)));
    take_beginning(ir_http_answer(graph->http), &shape);
    if (is_known(graph, &shape)) {
        return;
    }
    if (graph->learning && graph->n_shapes < IR_SPARQL_SHAPES_MAX) {
        graph->shapes[graph->n_shapes++] = shape;
    } else {
        graph->odd = true;
    }
}

static ir_status_t write_to(ir_sparql_t *graph, const ir_http_request_t *request,
                            ir_error_t *error) {
    const ir_status_t status = ir_sparql_call(graph, request, error);
    if (status == IR_OK) {
        look_at_shape(graph);
    }
    return status;
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

ir_status_t ir_sparql_ask(ir_sparql_t *graph, const ir_buffer_t *query, const char *accept,
                          ir_http_take_fn take, void *context, ir_error_t *error) {
    ir_buffer_t form;
    ir_buffer_init(&form);
    ir_buffer_append_text(&form, "query=");
    append_escaped(&form, ir_buffer_view(query));
    /* as a form: Virtuoso hangs when a bare query is posted */
    const ir_http_request_t request = {.method = "POST",
                                       .url = graph->uri.query,
                                       .content_type = "application/x-www-form-urlencoded",
                                       .accept = accept,
                                       .body = ir_buffer_view(&form),
                                       .take = take,
                                       .context = context,
                                       .stalls_only = take != NULL};
    const ir_status_t status = ir_buffer_ok(&form) && ir_buffer_ok(query)
                                   ? ir_sparql_call(graph, &request, error)
                                   : ir_sparql_no_memory(error);
    ir_buffer_free(&form);
    return status;
}

ir_status_t ir_sparql_update(ir_sparql_t *graph, ir_view_t text, ir_error_t *error) {
    const ir_http_request_t request = {.method = "POST",
                                       .url = graph->uri.update,
                                       .content_type = "application/sparql-update",
                                       .accept = "*/*",
                                       .body = text};
    return write_to(graph, &request, error);
}

ir_status_t ir_sparql_send_graph(ir_sparql_t *graph, const char *method, ir_view_t name,
                                 ir_view_t body, ir_error_t *error) {
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
        return ir_sparql_no_memory(error);
    }
    const ir_http_request_t request = {.method = method,
                                       .url = graph->url.data,
                                       .content_type = "application/n-triples",
                                       .accept = "*/*",
                                       .body = body};
    return write_to(graph, &request, error);
}

ir_status_t ir_sparql_send_quads(ir_sparql_t *graph, ir_view_t body, ir_error_t *error) {
    const ir_http_request_t request = {.method = "POST",
                                       .url = graph->uri.store,
                                       .content_type = "application/n-quads",
                                       .accept = "*/*",
                                       .body = body};
    return write_to(graph, &request, error);
}

void ir_sparql_open_graph(ir_buffer_t *out, ir_view_t name) {
    if (name.size > 0) {
        ir_buffer_append_text(out, "GRAPH <");
        ir_buffer_append_view(out, name);
        ir_buffer_append_text(out, "> {\n");
    }
}

ir_status_t ir_sparql_send_insert(ir_sparql_t *graph, ir_view_t name, ir_error_t *error) {
    ir_buffer_append_text(&graph->body, name.size > 0 ? "} }\n" : "}\n");
    return ir_buffer_ok(&graph->body) ? ir_sparql_update(graph, ir_buffer_view(&graph->body), error)
                                      : ir_sparql_no_memory(error);
}
