#include "observation/registry.h"
#include "observation/turtle.h"

#include "common/buffer.h"

#include <serd/serd.h>

/* ---- for people ---- */

static bool begins(ir_view_t text, const char *prefix) {
    const size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

static const struct {
    const char *prefix, *iri;
} prefixes[] = {
    {"ir:", IR_ONTOLOGY},
    {"<", IR_TURTLE_BASE},
    {"sosa:", "http://www.w3.org/ns/sosa/"},
    {"ssn:", "http://www.w3.org/ns/ssn/"},
    {"qudt:", "http://qudt.org/schema/qudt/"},
    {"unit:", IR_QUDT_UNIT},
    {"geo:", "http://www.w3.org/2003/01/geo/wgs84_pos#"},
    {"rdfs:", "http://www.w3.org/2000/01/rdf-schema#"},
};

static void show_iri(ir_view_t iri, ir_shown_t *shown) {
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (begins(iri, prefixes[i].iri)) {
            snprintf(shown->text, sizeof shown->text, "%s%.90s%s", prefixes[i].prefix,
                     iri.data + strlen(prefixes[i].iri), prefixes[i].prefix[0] == '<' ? ">" : "");
            return;
        }
    }
    snprintf(shown->text, sizeof shown->text, "<%.90s>", iri.data);
}

ir_shown_t ir_node_show(const ir_node_t *node) {
    ir_shown_t shown;
    switch (node->kind) {
    case IR_NODE_IRI:
        show_iri(node->text, &shown);
        break;
    case IR_NODE_BLANK:
        snprintf(shown.text, sizeof shown.text, "[ ]");
        break;
    default:
        snprintf(shown.text, sizeof shown.text, "\"%.60s\"", node->text.data);
    }
    return shown;
}

/* ---- N-Triples ---- */

static size_t take_bytes(const void *bytes, size_t size, void *context) {
    ir_buffer_append(context, bytes, size);
    return size;
}

static SerdNode serd_text(SerdType type, ir_view_t text) {
    return (SerdNode){(const uint8_t *)text.data, text.size, text.size, 0, type};
}

static SerdNode serd_node(const ir_node_t *node) {
    return node->kind == IR_NODE_LITERAL ? serd_text(SERD_LITERAL, node->text)
                                         : serd_text(SERD_URI, ir_view_text(node->iri));
}

static SerdStatus write_statement(SerdWriter *writer, const ir_fact_t *statement) {
    const SerdNode subject = serd_node(statement->subject);
    const SerdNode predicate = serd_node(statement->predicate);
    const SerdNode object = serd_node(statement->object);
    const SerdNode datatype = serd_text(SERD_URI, statement->object->datatype);
    const SerdNode language = serd_text(SERD_LITERAL, statement->object->language);
    return serd_writer_write_statement(writer, 0, NULL, &subject, &predicate, &object,
                                       datatype.n_bytes > 0 ? &datatype : NULL,
                                       language.n_bytes > 0 ? &language : NULL);
}

/* The status says it; serd would print it. */
static SerdStatus on_error(void *context, const SerdError *what) {
    (void)context;
    (void)what;
    return SERD_SUCCESS;
}

static SerdStatus write_all(const ir_turtle_t *turtle, ir_buffer_t *out) {
    SerdStatus result = SERD_ERR_INTERNAL;
    SerdEnv *environment = serd_env_new(NULL);
    SerdWriter *writer = environment != NULL ? serd_writer_new(SERD_NTRIPLES, (SerdStyle)0,
                                                               environment, NULL, take_bytes, out)
                                             : NULL;
    if (writer != NULL) {
        serd_writer_set_error_sink(writer, on_error, NULL);
        result = SERD_SUCCESS;
        for (const ir_fact_t *s = turtle->first; s != NULL && !result; s = s->next) {
            result = write_statement(writer, s);
        }
        result = result ? result : serd_writer_finish(writer);
    }
    serd_writer_free(writer);
    serd_env_free(environment);
    return result;
}

ir_status_t ir_turtle_ntriples(const ir_turtle_t *turtle, char **text, size_t *size,
                               ir_error_t *error) {
    ir_buffer_t out;
    ir_buffer_init(&out);
    const SerdStatus result = write_all(turtle, &out);
    if (result || !ir_buffer_reserve(&out, 1)) {
        ir_buffer_free(&out);
        return result
                   ? ir_error_set(error, IR_ERR_IO, "%s: cannot write it as N-Triples: %s",
                                  turtle->path, serd_strerror(result))
                   : ir_error_set(error, IR_ERR_MEMORY,
                                  "%s: out of memory while writing it as N-Triples", turtle->path);
    }
    *text = out.data;
    *size = out.size;
    return IR_OK;
}
