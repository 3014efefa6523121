#include "store/graph/sparql/sparql.h"

#define IDS_MAX 200 /* maximum number of ids in one update */

static void append_subjects(ir_buffer_t *out, const char *base_iri, const ir_id_t *ids,
                            size_t count) {
    ir_buffer_append_text(out, "VALUES ?s {");
    for (size_t i = 0; i < count; i++) {
        char id[IR_ID_TEXT_SIZE];
        ir_id_format(&ids[i], id);
        ir_buffer_append_format(out, " <urn:uuid:%s> <%sresult/%s>", id, base_iri, id);
    }
    ir_buffer_append_text(out, " }");
}

static void append_removal(ir_sparql_t *server, const char *pattern, const ir_id_t *ids,
                           size_t count) {
    ir_buffer_t *out = &server->body;
    ir_buffer_append_format(out, "DELETE { %s } WHERE { ", pattern);
    append_subjects(out, server->format.base_iri, ids, count);
    ir_buffer_append_format(out, " %s }", pattern);
}

/* Removes statements from the graphs that ir_sparql_append_where covers. */
static ir_status_t remove_some(ir_sparql_t *server, const ir_id_t *ids, size_t count,
                               ir_error_t *error) {
    static const char pattern[] = "?s ?p ?o";
    const bool one = server->uri.graph != NULL && server->format.naming == IR_GRAPH_DEFAULT;
    ir_buffer_clear(&server->body);
    if (one) {
        ir_buffer_append_format(&server->body, "WITH <%s> ", server->uri.graph);
    }
    append_removal(server, one ? pattern : "GRAPH ?g { ?s ?p ?o }", ids, count);
    if (server->uri.graph == NULL) {
        ir_buffer_append_text(&server->body, " ;\n");
        append_removal(server, pattern, ids, count);
    }
    return ir_buffer_ok(&server->body)
               ? ir_sparql_update(server, ir_buffer_view(&server->body), error)
               : ir_sparql_no_memory(error);
}

ir_status_t ir_sparql_purge(void *store, const ir_id_t *ids, size_t count, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < count && status == IR_OK; i += IDS_MAX) {
        status = remove_some(store, &ids[i], count - i < IDS_MAX ? count - i : IDS_MAX, error);
    }
    return status;
}
