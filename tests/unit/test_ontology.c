/* The ontology describes every term of ours that the registry reads or the formats write, and no
 * other terms. */
#include "annotation/formats/rdf/vocabulary.h"
#include "observation/registry/registry.h"
#include "observation/registry/terms.h"
#include "observation/turtle/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ONTOLOGY "observation/ontology.ttl"

static bool is_ours(const char *iri) {
    return strncmp(iri, IR_ONTOLOGY, strlen(IR_ONTOLOGY)) == 0;
}

static bool is_used(ir_view_t iri) {
    for (int i = 0; i < IR_REGISTRY_TERM_COUNT; i++) {
        if (ir_view_equal(iri, ir_view_text(ir_registry_terms[i].iri))) {
            return true;
        }
    }
    for (int i = 0; i < IR_NAME_COUNT; i++) {
        if (ir_view_equal(iri, ir_names[i].iri)) {
            return true;
        }
    }
    /* the class of the flags, which no program reads or writes */
    return ir_view_equal(iri, ir_view_text(IR_ONTOLOGY "QualityFlag"));
}

static bool has(const ir_node_t *subject, const ir_node_t *predicate) {
    for (const ir_fact_t *fact = subject->first; fact != NULL; fact = fact->next_of_same) {
        if (fact->predicate == predicate) {
            return true;
        }
    }
    return false;
}

static void assert_described(const ir_turtle_t *turtle, ir_view_t iri) {
    const char *const wanted[] = {ir_registry_terms[IR_REGISTRY_TERM_TYPE].iri,
                                  ir_registry_terms[IR_REGISTRY_TERM_LABEL].iri};
    const ir_node_t *node = ir_name_table_find(&turtle->nodes, iri);
    for (size_t i = 0; i < 2; i++) {
        const ir_node_t *predicate = ir_turtle_find(turtle, wanted[i]);
        assert_non_null(predicate);
        if (node == NULL || !has(node, predicate)) {
            fail_msg(ONTOLOGY ": %.*s has no %s", IR_VIEW_ARG(iri), wanted[i]);
        }
    }
}

static void read_ontology(ir_turtle_t *turtle, ir_arena_t *arena) {
    ir_error_t error = {0};
    ir_fault_list_t faults = {0};
    if (!ir_turtle_init(turtle, arena, &faults) ||
        ir_turtle_read(turtle, ONTOLOGY, &error) != IR_OK ||
        ir_fault_list_conclude(&faults, ONTOLOGY, NULL, &error) != IR_OK) {
        fail_msg("%s", error.text);
    }
}

static void test_all_described(void **state) {
    (void)state;
    ir_arena_t *arena = ir_arena_new(65536);
    ir_turtle_t turtle;
    read_ontology(&turtle, arena);
    for (int i = 0; i < IR_REGISTRY_TERM_COUNT; i++) {
        if (is_ours(ir_registry_terms[i].iri)) {
            assert_described(&turtle, ir_view_text(ir_registry_terms[i].iri));
        }
    }
    for (int i = 0; i < IR_NAME_COUNT; i++) {
        if (is_ours(ir_names[i].iri.data)) {
            assert_described(&turtle, ir_names[i].iri);
        }
    }
    ir_turtle_free(&turtle);
    ir_arena_free(arena);
}

static void test_all_used(void **state) {
    (void)state;
    ir_arena_t *arena = ir_arena_new(65536);
    ir_turtle_t turtle;
    read_ontology(&turtle, arena);
    for (const ir_fact_t *fact = turtle.first; fact != NULL; fact = fact->next) {
        const ir_node_t *const nodes[] = {fact->subject, fact->predicate, fact->object};
        for (size_t i = 0; i < 3; i++) {
            if (nodes[i]->kind == IR_NODE_IRI && is_ours(nodes[i]->iri) &&
                !is_used(nodes[i]->text)) {
                fail_msg(ONTOLOGY ":%u: %s is used nowhere", fact->at.line, nodes[i]->iri);
            }
        }
    }
    ir_turtle_free(&turtle);
    ir_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_described),
        cmocka_unit_test(test_all_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
