/* The graphs of the registry's files. A new version of one is loaded into a separate graph,
 * counted, and then transferred by the server: first it adds new statements, then it deletes old
 * ones. So readers always find a complete registry, and nothing is cleared. (TDB2 never finishes
 * clearing decimals that an older program wrote in a form other than the canonical one.) */
#include "store/graph/sparql/results.h"
#include "store/graph/sparql/sparql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XSD_DECIMAL "http://www.w3.org/2001/XMLSchema#decimal"
#define DECIMAL_END "\"^^<" XSD_DECIMAL ">"
#define SCALES_MAX 16     /* more digits than a decimal that TDB2 stores as a value can have */
#define NS_PER_BYTE 10000 /* additional time per byte of N-Triples: 10 s per MB */
#define REPAIR_BYTES ((size_t)4 * 1024 * 1024) /* an update is parsed as a whole */

typedef struct load {
    ir_sparql_t *server; /* updates and queries are written into its member `body` */
    const char *graph;   /* name of the file's graph */
    char *staging;       /* name of a temporary graph that no reader uses */
} load_t;

/* The content of a graph as numbers that are the same on every server. Not simply the number of
 * statements: servers differ in whether literals with equal values are one statement, and in
 * whether they keep a literal's type. */
typedef struct counts {
    uint64_t pairs; /* distinct pairs of subject and predicate */
    uint64_t iris;  /* statements whose object is an IRI */
} counts_t;

/* ---- counting ---- */

static int compare_lines(const void *a, const void *b) {
    const ir_view_t *left = a;
    const ir_view_t *right = b;
    const size_t size = left->size < right->size ? left->size : right->size;
    const int order = memcmp(left->data, right->data, size);
    return order != 0 ? order : (left->size > right->size) - (left->size < right->size);
}

/* Returns the size of a line up to the blank before its object. */
static size_t pair_size(ir_view_t line) {
    const char *first = memchr(line.data, ' ', line.size);
    const char *second =
        first != NULL ? memchr(first + 1, ' ', line.size - (size_t)(first + 1 - line.data)) : NULL;
    return second != NULL ? (size_t)(second + 1 - line.data) : line.size;
}

static size_t split_lines(ir_view_t text, ir_view_t *lines) {
    size_t count = 0;
    while (text.size > 0) {
        const char *stop = memchr(text.data, '\n', text.size);
        const size_t size = stop != NULL ? (size_t)(stop - text.data) : text.size;
        if (size > 0) {
            lines[count++] = ir_view(text.data, size);
        }
        const size_t step = size + (stop != NULL);
        text = ir_view(text.data + step, text.size - step);
    }
    return count;
}

static ir_status_t count_lines(ir_view_t text, counts_t *counts, ir_error_t *error) {
    size_t most = 1;
    for (size_t i = 0; i < text.size; i++) {
        most += text.data[i] == '\n';
    }
    ir_view_t *lines = malloc(most * sizeof *lines);
    if (lines == NULL) {
        return ir_sparql_no_memory(error);
    }
    const size_t count = split_lines(text, lines);
    qsort(lines, count, sizeof *lines, compare_lines);
    *counts = (counts_t){0, 0};
    for (size_t i = 0; i < count; i++) {
        const size_t size = pair_size(lines[i]);
        const bool same_pair = i > 0 && lines[i - 1].size >= size &&
                               memcmp(lines[i - 1].data, lines[i].data, size) == 0;
        const bool same_line = i > 0 && ir_view_equal(lines[i - 1], lines[i]);
        counts->pairs += !same_pair;
        counts->iris += !same_line && size < lines[i].size && lines[i].data[size] == '<';
    }
    free(lines);
    return IR_OK;
}

static ir_status_t count_graph(load_t *load, const char *graph, counts_t *counts,
                               ir_error_t *error) {
    ir_buffer_clear(&load->server->body);
    ir_buffer_append_format(&load->server->body,
                            "SELECT (COUNT(*) AS ?n) WHERE { SELECT DISTINCT ?s ?p WHERE "
                            "{ GRAPH <%s> { ?s ?p ?o } } }",
                            graph);
    const ir_status_t status = ir_sparql_ask_number(load->server, &counts->pairs, error);
    if (status != IR_OK) {
        return status;
    }
    ir_buffer_clear(&load->server->body);
    ir_buffer_append_format(
        &load->server->body,
        "SELECT (COUNT(*) AS ?n) WHERE { GRAPH <%s> { ?s ?p ?o } FILTER(isIRI(?o)) }", graph);
    return ir_sparql_ask_number(load->server, &counts->iris, error);
}

static ir_status_t count_statements(load_t *load, const char *graph, uint64_t *count,
                                    ir_error_t *error) {
    ir_buffer_clear(&load->server->body);
    ir_buffer_append_format(&load->server->body,
                            "SELECT (COUNT(*) AS ?n) WHERE { GRAPH <%s> { ?s ?p ?o } }", graph);
    return ir_sparql_ask_number(load->server, count, error);
}

/* Checks that a graph holds what was sent. */
static ir_status_t check(load_t *load, const char *graph, const counts_t *sent, ir_error_t *error) {
    counts_t found = {0, 0};
    const ir_status_t status = count_graph(load, graph, &found, error);
    if (status != IR_OK || (found.pairs == sent->pairs && found.iris == sent->iris)) {
        return status;
    }
    return ir_error_set(error, IR_ERR_PROTOCOL,
                        "the graph server does not contain the registry that it was sent: %" PRIu64
                        " properties and %" PRIu64 " links in <%s> instead of %" PRIu64
                        " and %" PRIu64 "; run it once more, and look at the server's log",
                        found.pairs, found.iris, graph, sent->pairs, sent->iris);
}

/* ---- switching ---- */

static ir_status_t update(load_t *load, ir_error_t *error) {
    return ir_buffer_ok(&load->server->body)
               ? ir_sparql_update(load->server, ir_buffer_view(&load->server->body), error)
               : ir_sparql_no_memory(error);
}

static ir_status_t empty_staging(load_t *load, ir_error_t *error) {
    ir_buffer_clear(&load->server->body);
    ir_buffer_append_format(&load->server->body,
                            "DELETE { GRAPH <%s> { ?s ?p ?o } } WHERE { GRAPH <%s> { ?s ?p ?o } }",
                            load->staging, load->staging);
    return update(load, error);
}

static void append_insert(load_t *load) {
    ir_buffer_append_format(&load->server->body,
                            "INSERT { GRAPH <%s> { ?s ?p ?o } } WHERE { GRAPH <%s> { ?s ?p ?o } }",
                            load->graph, load->staging);
}

static ir_status_t switch_over(load_t *load, ir_error_t *error) {
    ir_buffer_clear(&load->server->body);
    append_insert(load);
    ir_buffer_append_format(&load->server->body,
                            " ;\nDELETE { GRAPH <%s> { ?s ?p ?o } } WHERE { GRAPH <%s> "
                            "{ ?s ?p ?o } FILTER NOT EXISTS { GRAPH <%s> { ?s ?p ?o } } }",
                            load->graph, load->graph, load->staging);
    return update(load, error);
}

/* ---- decimals that TDB2 does not return in the form in which it stores them ---- */

typedef struct repair {
    load_t *load;
    ir_buffer_t updates; /* DELETE DATA … of all non-canonical forms, each with a NUL */
    size_t begin;        /* start of the last update */
    bool open;
} repair_t;

static void close_update(repair_t *repair) {
    if (repair->open) {
        ir_buffer_append_text(&repair->updates, "} }");
        ir_buffer_append_char(&repair->updates, '\0');
        repair->open = false;
    }
}

static void append_form(repair_t *repair, ir_view_t head, ir_view_t digits, int zeros) {
    if (!repair->open) {
        repair->begin = repair->updates.size;
        ir_buffer_append_format(&repair->updates, "DELETE DATA { GRAPH <%s> {\n",
                                repair->load->graph);
        repair->open = true;
    }
    ir_buffer_append_view(&repair->updates, head);
    ir_buffer_append_view(&repair->updates, digits);
    for (int i = 0; i < zeros; i++) {
        ir_buffer_append_char(&repair->updates, '0');
    }
    ir_buffer_append_text(&repair->updates, DECIMAL_END " .\n");
}

/* Collects the same value with other numbers of zeros: 34.50, 34.500 and so on; for 34.0 also
 * 34. */
static ir_status_t note_forms(void *context, ir_view_t line) {
    repair_t *repair = context;
    const char *stop = memmem(line.data, line.size, DECIMAL_END, strlen(DECIMAL_END));
    const char *quote = stop != NULL ? memrchr(line.data, '"', (size_t)(stop - line.data)) : NULL;
    if (quote == NULL) {
        return IR_OK;
    }
    const ir_view_t head = ir_view(line.data, (size_t)(quote + 1 - line.data));
    const ir_view_t digits = ir_view(quote + 1, (size_t)(stop - quote - 1));
    if (memchr(digits.data, '.', digits.size) == NULL) {
        return IR_OK; /* not in TDB2's form */
    }
    if (digits.size > 2 && memcmp(stop - 2, ".0", 2) == 0) {
        append_form(repair, head, ir_view(digits.data, digits.size - 2), 0);
    }
    for (int zeros = 1; zeros <= SCALES_MAX; zeros++) {
        append_form(repair, head, digits, zeros);
    }
    if (repair->updates.size - repair->begin >= REPAIR_BYTES) {
        close_update(repair);
    }
    return ir_buffer_ok(&repair->updates) ? IR_OK : IR_ERR_MEMORY;
}

/* Each update deletes the other forms of decimals. The server may delete the canonical form
 * together with them, so the update also adds the registry again. */
static ir_status_t send_repairs(const repair_t *repair, ir_error_t *error) {
    load_t *load = repair->load;
    ir_status_t status = IR_OK;
    for (size_t at = 0; at < repair->updates.size && status == IR_OK;) {
        const ir_view_t one = ir_view_text(repair->updates.data + at);
        ir_buffer_clear(&load->server->body);
        ir_buffer_append_view(&load->server->body, one);
        ir_buffer_append_text(&load->server->body, " ;\n");
        append_insert(load);
        status = update(load, error);
        at += one.size + 1;
    }
    return status;
}

static ir_status_t delete_other_forms(load_t *load, ir_error_t *error) {
    repair_t repair = {.load = load};
    ir_buffer_init(&repair.updates);
    ir_buffer_clear(&load->server->body);
    ir_buffer_append_format(&load->server->body,
                            "CONSTRUCT { ?s ?p ?o } WHERE { GRAPH <%s> { ?s ?p ?o } "
                            "FILTER(isLiteral(?o) && datatype(?o) = <" XSD_DECIMAL ">) }",
                            load->graph);
    ir_status_t status =
        ir_sparql_select_lines(load->server, "application/n-triples", note_forms, &repair, error);
    close_update(&repair);
    if (status == IR_OK) {
        status = ir_buffer_ok(&repair.updates) ? send_repairs(&repair, error)
                                               : ir_sparql_no_memory(error);
    }
    ir_buffer_free(&repair.updates);
    return status;
}

/* Whether the registry's graph contains statements that the new version lacks. */
static ir_status_t find_leftovers(load_t *load, bool *left, ir_error_t *error) {
    uint64_t is = 0;
    uint64_t wanted = 0;
    ir_status_t status = count_statements(load, load->staging, &wanted, error);
    if (status == IR_OK) {
        status = count_statements(load, load->graph, &is, error);
    }
    *left = is != wanted;
    return status;
}

static ir_status_t take_over(load_t *load, ir_error_t *error) {
    bool left = false;
    ir_status_t status = switch_over(load, error);
    if (status == IR_OK) {
        status = find_leftovers(load, &left, error);
    }
    if (status == IR_OK && left) {
        status = delete_other_forms(load, error);
        if (status == IR_OK) {
            status = find_leftovers(load, &left, error);
        }
        if (status == IR_OK && left) {
            status = ir_error_set(
                error, IR_ERR_PROTOCOL,
                "the graph server does not delete statements of an older registry; <%s> contains "
                "them in addition to the new ones; delete them by hand, or load a new dataset",
                load->graph);
        }
    }
    return status;
}

/* ---- loading ---- */

/* Inserts N-Triples lines with updates of limited size. */
static ir_status_t insert_lines(ir_sparql_t *graph, ir_view_t lines, ir_view_t name,
                                ir_error_t *error) {
    ir_status_t status = IR_OK;
    while (lines.size > 0 && status == IR_OK) {
        ir_buffer_clear(&graph->body);
        ir_buffer_append_text(&graph->body, "INSERT DATA {\n");
        ir_sparql_open_graph(&graph->body, name);
        for (size_t n = 0; lines.size > 0 && n < IR_SPARQL_UPDATE_LINES_MAX &&
                           graph->body.size < IR_SPARQL_UPDATE_BYTES_MAX;
             n++) {
            const char *stop = memchr(lines.data, '\n', lines.size);
            const size_t size = stop != NULL ? (size_t)(stop - lines.data) + 1 : lines.size;
            ir_buffer_append(&graph->body, lines.data, size);
            lines = ir_view(lines.data + size, lines.size - size);
        }
        status = ir_sparql_send_insert(graph, name, error);
    }
    return status;
}

/* Uses the Graph Store Protocol; for servers without it, updates. Virtuoso has both, and fails on
 * some literals in updates. */
static ir_status_t add(ir_sparql_t *server, const char *graph, ir_view_t lines, ir_error_t *error) {
    const ir_view_t name = ir_view_text(graph);
    const ir_status_t status = ir_sparql_send_graph(server, "POST", name, lines, error);
    return status != IR_OK && server->uri.strategy == IR_SPARQL_UPDATE
               ? insert_lines(server, lines, name, error)
               : status;
}

static ir_status_t replace(load_t *load, ir_view_t lines, const counts_t *sent, ir_error_t *error) {
    ir_status_t status = empty_staging(load, error);
    if (status == IR_OK && lines.size > 0) {
        status = add(load->server, load->staging, lines, error);
    }
    if (status == IR_OK) {
        status = check(load, load->staging, sent, error);
    }
    if (status == IR_OK) {
        status = take_over(load, error);
    }
    if (status == IR_OK) {
        status = check(load, load->graph, sent, error);
    }
    return status == IR_OK ? empty_staging(load, error) : status;
}

/* The first version is loaded directly: readers cannot miss anything. */
static ir_status_t load_first(load_t *load, ir_view_t lines, const counts_t *sent,
                              ir_error_t *error) {
    const ir_status_t status =
        lines.size > 0 ? add(load->server, load->graph, lines, error) : IR_OK;
    return status == IR_OK ? check(load, load->graph, sent, error) : status;
}

/* ---- the index ---- */

/* Statements of an earlier release, which kept the whole registry in one graph. */
static ir_status_t count_old(load_t *load, const char *index, uint64_t *count, ir_error_t *error) {
    ir_buffer_clear(&load->server->body);
    ir_buffer_append_format(&load->server->body,
                            "SELECT (COUNT(*) AS ?n) WHERE { GRAPH <%s> { ?s ?p ?o } "
                            "FILTER(?p != <" IR_GRAPH_HAS_PART ">) }",
                            index);
    return ir_sparql_ask_number(load->server, count, error);
}

static ir_status_t enter(ir_sparql_t *server, char *staging, const ir_registry_graph_t *graph,
                         ir_error_t *error) {
    load_t load = {.server = server, .graph = graph->index, .staging = staging};
    ir_buffer_t entry;
    uint64_t old = 0;
    ir_status_t status = count_old(&load, graph->index, &old, error);
    if (status != IR_OK) {
        return status;
    }
    ir_buffer_init(&entry);
    ir_buffer_append_format(&entry, "<%s> <" IR_GRAPH_HAS_PART "> <%s> .\n", graph->index,
                            graph->iri);
    const counts_t counts = {1, 1};
    if (!ir_buffer_ok(&entry)) {
        status = ir_sparql_no_memory(error);
    } else if (old > 0) {
        status = replace(&load, ir_buffer_view(&entry), &counts, error);
    } else {
        status = insert_lines(server, ir_buffer_view(&entry), ir_view_text(graph->index), error);
    }
    ir_buffer_free(&entry);
    return status;
}

/* ---- the whole ---- */

ir_status_t ir_sparql_init(void *store, ir_view_t registry, const ir_registry_graph_t *graph,
                           ir_error_t *error) {
    load_t load = {.server = store, .graph = graph->iri};
    uint64_t before = 0;
    counts_t sent = {0, 0};
    if (asprintf(&load.staging, "%sregistry/next", load.server->format.base_iri) < 0) {
        return ir_sparql_no_memory(error);
    }
    ir_http_allow(load.server->http, (int64_t)registry.size * NS_PER_BYTE);
    ir_status_t status = ir_sparql_check_ids(store, error);
    if (status == IR_OK) {
        status = count_lines(registry, &sent, error);
    }
    if (status == IR_OK) {
        status = count_statements(&load, graph->iri, &before, error);
    }
    if (status == IR_OK) {
        status = before == 0 ? load_first(&load, registry, &sent, error)
                             : replace(&load, registry, &sent, error);
    }
    if (status == IR_OK) {
        status = enter(store, load.staging, graph, error);
    }
    ir_http_allow(load.server->http, 0);
    free(load.staging);
    return status;
}
