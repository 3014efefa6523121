#include "observation/registry/registry.h"
#include "observation/turtle/document.h"

#include "common/buffer.h"
#include "observation/turtle/canonical.h"

#include <ctype.h>
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
    {"", IR_TURTLE_UNDECLARED},
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

ir_shown_t ir_origin_show(const ir_turtle_t *turtle, ir_origin_t at, ir_origin_t from) {
    ir_shown_t shown;
    if (at.file == from.file) {
        snprintf(shown.text, sizeof shown.text, "line %u", at.line);
    } else {
        snprintf(shown.text, sizeof shown.text, "%.90s:%u", turtle->files[at.file].path, at.line);
    }
    return shown;
}

/* ---- N-Triples ---- */

#define XSD_STRING ir_view_text("http://www.w3.org/2001/XMLSchema#string") /* is implied */
#define OUT_OF_MEMORY SERD_ERR_INTERNAL /* serd's writer does not use it */

static size_t take_bytes(const void *bytes, size_t size, void *context) {
    ir_buffer_append(context, bytes, size);
    return size;
}

static SerdNode serd_text(SerdType type, ir_view_t text) {
    return (SerdNode){(const uint8_t *)text.data, text.size, text.size, 0, type};
}

static SerdNode serd_node(const ir_node_t *node) {
    return serd_text(SERD_URI, ir_view_text(node->iri));
}

/* Writes a literal into `scratch`: the canonical text, then the language in lower case (RDF 1.1,
 * 3.3). Stores return literals in this form. */
static void append_literal(ir_buffer_t *scratch, const ir_node_t *node, size_t *text_size) {
    ir_buffer_clear(scratch);
    ir_canonical_append(scratch, node->text, node->datatype);
    *text_size = scratch->size;
    for (size_t i = 0; i < node->language.size; i++) {
        ir_buffer_append_char(scratch, (char)tolower((unsigned char)node->language.data[i]));
    }
}

static SerdStatus write_literal(SerdWriter *writer, const SerdNode *subject,
                                const SerdNode *predicate, const ir_node_t *node,
                                ir_buffer_t *scratch) {
    size_t size = 0;
    append_literal(scratch, node, &size);
    if (!ir_buffer_ok(scratch)) {
        return OUT_OF_MEMORY;
    }
    const bool typed = node->datatype.size > 0 && !ir_view_equal(node->datatype, XSD_STRING);
    const SerdNode object = serd_text(SERD_LITERAL, ir_view(size > 0 ? scratch->data : "", size));
    const SerdNode datatype = serd_text(SERD_URI, node->datatype);
    const SerdNode language =
        serd_text(SERD_LITERAL,
                  ir_view(scratch->size > size ? scratch->data + size : "", scratch->size - size));
    return serd_writer_write_statement(writer, 0, NULL, subject, predicate, &object,
                                       typed ? &datatype : NULL,
                                       node->language.size > 0 ? &language : NULL);
}

static SerdStatus write_statement(SerdWriter *writer, const ir_fact_t *statement,
                                  ir_buffer_t *scratch) {
    const SerdNode subject = serd_node(statement->subject);
    const SerdNode predicate = serd_node(statement->predicate);
    if (statement->object->kind == IR_NODE_LITERAL) {
        return write_literal(writer, &subject, &predicate, statement->object, scratch);
    }
    const SerdNode object = serd_node(statement->object);
    return serd_writer_write_statement(writer, 0, NULL, &subject, &predicate, &object, NULL, NULL);
}

/* The status reports the error, so serd must not print it. */
static SerdStatus on_error(void *context, const SerdError *what) {
    (void)context;
    (void)what;
    return SERD_SUCCESS;
}

static SerdStatus write_all(const ir_turtle_t *turtle, unsigned file, ir_buffer_t *out) {
    SerdStatus result = OUT_OF_MEMORY;
    ir_buffer_t scratch;
    ir_buffer_init(&scratch);
    SerdEnv *environment = serd_env_new(NULL);
    SerdWriter *writer = environment != NULL ? serd_writer_new(SERD_NTRIPLES, (SerdStyle)0,
                                                               environment, NULL, take_bytes, out)
                                             : NULL;
    if (writer != NULL) {
        serd_writer_set_error_sink(writer, on_error, NULL);
        result = SERD_SUCCESS;
        for (const ir_fact_t *s = turtle->first; s != NULL && !result; s = s->next) {
            result = s->at.file == file ? write_statement(writer, s, &scratch) : SERD_SUCCESS;
        }
        result = result ? result : serd_writer_finish(writer);
    }
    serd_writer_free(writer);
    serd_env_free(environment);
    ir_buffer_free(&scratch);
    return result;
}

ir_status_t ir_turtle_ntriples(const ir_turtle_t *turtle, unsigned file, char **text, size_t *size,
                               ir_error_t *error) {
    const char *path = turtle->files[file].path;
    ir_buffer_t out;
    ir_buffer_init(&out);
    const SerdStatus result = write_all(turtle, file, &out);
    if (result == OUT_OF_MEMORY || (!result && !ir_buffer_reserve(&out, 1))) {
        ir_buffer_free(&out);
        return ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory while writing it as N-Triples",
                            path);
    }
    if (result) {
        ir_buffer_free(&out);
        return ir_error_set(error, IR_ERR_IO, "%s: cannot write it as N-Triples: %s", path,
                            serd_strerror(result));
    }
    *text = out.data;
    *size = out.size;
    return IR_OK;
}
