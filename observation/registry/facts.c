#include "observation/registry/facts.h"

#include <stdarg.h>
#include <stdio.h>

const ir_fact_t *ir_fact_of(const ir_node_t *subject, ir_registry_term_t term) {
    const ir_fact_t *statement = subject->first;
    while (statement != NULL && statement->predicate->term != (int)term) {
        statement = statement->next_of_same;
    }
    return statement;
}

static bool same_object(const ir_node_t *a, const ir_node_t *b) {
    return a == b || (a->kind == IR_NODE_LITERAL && b->kind == IR_NODE_LITERAL &&
                      ir_view_equal(a->text, b->text) && ir_view_equal(a->datatype, b->datatype));
}

ir_status_t ir_fact_single(const ir_builder_t *builder, const ir_node_t *subject,
                           ir_registry_term_t term, const ir_fact_t **found) {
    const ir_fact_t *first = ir_fact_of(subject, term);
    for (const ir_fact_t *s = first; s != NULL; s = s->next_of_same) {
        if (s->predicate == first->predicate && !same_object(s->object, first->object)) {
            return ir_fact_fault(builder, s, "%s of %s is given twice: %s (%s) and %s; remove one",
                                 ir_node_show(s->predicate).text, ir_node_show(subject).text,
                                 ir_node_show(first->object).text,
                                 ir_origin_show(builder->turtle, first->at, s->at).text,
                                 ir_node_show(s->object).text);
        }
    }
    *found = first;
    return IR_OK;
}

ir_shown_t ir_defined_show(const ir_builder_t *builder, const char *iri, ir_registry_term_t term,
                           ir_origin_t from) {
    ir_shown_t shown = {""};
    const ir_node_t *node = ir_turtle_find(builder->turtle, iri);
    const ir_fact_t *fact = node != NULL ? ir_fact_of(node, term) : NULL;
    if (fact != NULL) {
        snprintf(shown.text, sizeof shown.text, " (%.100s)",
                 ir_origin_show(builder->turtle, fact->at, from).text);
    }
    return shown;
}

bool ir_list_next(ir_node_t **cell, ir_node_t **item) {
    const ir_fact_t *first = ir_fact_of(*cell, IR_REGISTRY_TERM_FIRST);
    const ir_fact_t *rest = ir_fact_of(*cell, IR_REGISTRY_TERM_REST);
    if (first == NULL || rest == NULL) {
        return false;
    }
    *item = first->object;
    *cell = rest->object;
    return true;
}

/* Whether the object is an unknown term, or a list with one among its first items. */
static bool is_unknown(ir_node_t *object) {
    ir_node_t *cell = object;
    ir_node_t *item = NULL;
    bool unknown = object->unknown;
    for (unsigned i = 0; i < 2 && ir_list_next(&cell, &item); i++) {
        unknown = unknown || item->unknown;
    }
    return unknown;
}

ir_status_t ir_fact_fault(const ir_builder_t *builder, const ir_fact_t *statement,
                          const char *format, ...) {
    ir_error_t text;
    if (is_unknown(statement->object)) {
        return IR_ERR_SYNTAX;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text.text, sizeof text.text, format, arguments);
    va_end(arguments);
    return ir_turtle_fault(builder->turtle, statement->at, "%s", text.text);
}

ir_status_t ir_fact_must_be(const ir_builder_t *builder, const ir_fact_t *statement,
                            const char *what) {
    return ir_fact_fault(
        builder, statement, "%s of %s must be %s, not %s", ir_node_show(statement->predicate).text,
        ir_node_show(statement->subject).text, what, ir_node_show(statement->object).text);
}

ir_status_t ir_fact_node(const ir_builder_t *builder, const ir_fact_t *statement, const char *what,
                         ir_node_t **node) {
    if (statement->object->kind == IR_NODE_LITERAL) {
        return ir_fact_must_be(builder, statement, what);
    }
    *node = statement->object;
    return IR_OK;
}
