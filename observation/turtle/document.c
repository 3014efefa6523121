#include "observation/turtle/document.h"

#include <stdarg.h>
#include <uuid/uuid.h>

/* The UUID namespace for naming blank nodes: the name is a UUIDv5 of the path to the node. */
#define NODE_NAMESPACE "0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a04"
#define NODE_PREFIX IR_TURTLE_BASE "registry/node/"

/* Up to this many statements of a subject, a linear search is faster than the table. */
#define FEW 16

/* ---- faults ---- */

static uint64_t place_of(ir_origin_t at) {
    return (uint64_t)at.file << 32 | at.line;
}

/* Whether this fault was already reported: several sensors may find it in a shared node. */
static bool is_told(ir_turtle_t *turtle, const char *text) {
    if (ir_name_table_find(&turtle->told, ir_view_text(text)) != NULL) {
        return true;
    }
    const ir_view_t kept = ir_arena_copy(turtle->arena, ir_view_text(text));
    if (kept.data != NULL) {
        (void)ir_name_table_add(&turtle->told, kept, turtle); /* if memory is exhausted, the fault
                                                               * may be reported again */
    }
    return false;
}

static ir_status_t tell(ir_turtle_t *turtle, ir_origin_t at, const char *format,
                        va_list arguments) {
    ir_error_t fault;
    char text[sizeof fault.text];
    vsnprintf(text, sizeof text, format, arguments);
    ir_error_set(&fault, IR_ERR_SYNTAX, "%s:%u: %s", turtle->files[at.file].path, at.line, text);
    if (!is_told(turtle, fault.text)) {
        ir_fault_list_add(turtle->faults, place_of(at), &fault);
    }
    return IR_ERR_SYNTAX;
}

ir_status_t ir_turtle_fault(ir_turtle_t *turtle, ir_origin_t at, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const ir_status_t status = tell(turtle, at, format, arguments);
    va_end(arguments);
    return status;
}

/* Returns the IRI's last segment, which every spelling of the IRI contains, with or without a
 * prefix. */
static ir_view_t local_name(ir_view_t iri) {
    size_t begin = iri.size;
    while (begin > 0 && strchr("/#:", iri.data[begin - 1]) == NULL) {
        begin--;
    }
    return ir_view(iri.data + begin, iri.size - begin);
}

bool ir_turtle_lost(const ir_turtle_t *turtle, ir_view_t name) {
    return turtle->all_lost ||
           (turtle->lost.size > 0 &&
            memmem(turtle->lost.data, turtle->lost.size, name.data, name.size) != NULL);
}

ir_status_t ir_turtle_lack(ir_turtle_t *turtle, const ir_node_t *node, ir_origin_t at,
                           const char *format, ...) {
    if (node->faulty || node->unknown || ir_turtle_lost(turtle, local_name(node->text))) {
        return IR_ERR_SYNTAX;
    }
    va_list arguments;
    va_start(arguments, format);
    const ir_status_t status = tell(turtle, at, format, arguments);
    va_end(arguments);
    return status;
}

void ir_turtle_unreadable(ir_turtle_t *turtle, const ir_error_t *error) {
    turtle->all_lost = true;
    ir_fault_list_add(turtle->faults, place_of((ir_origin_t){turtle->n_files, 0}), error);
}

/* ---- nodes ---- */

ir_node_t *ir_turtle_node(ir_turtle_t *turtle, ir_node_kind_t kind, ir_view_t text) {
    ir_node_t *node = ir_arena_alloc(turtle->arena, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    *node = (ir_node_t){.kind = kind,
                        .text = ir_arena_copy(turtle->arena, text),
                        .file = turtle->n_files > 0 ? turtle->n_files - 1 : 0};
    return node->text.data != NULL ? node : NULL;
}

ir_node_t *ir_turtle_intern(ir_turtle_t *turtle, ir_node_kind_t kind, ir_view_t key) {
    ir_node_t *node = ir_name_table_find(&turtle->nodes, key);
    if (node != NULL || (node = ir_turtle_node(turtle, kind, key)) == NULL) {
        return node;
    }
    node->iri = kind == IR_NODE_IRI ? node->text.data : NULL;
    return ir_name_table_add(&turtle->nodes, node->text, node) ? node : NULL;
}

ir_node_t *ir_turtle_find(const ir_turtle_t *turtle, const char *iri) {
    return ir_name_table_find(&turtle->nodes, ir_view_text(iri));
}

ir_node_t *ir_turtle_make(ir_turtle_t *turtle, const char *iri) {
    return ir_turtle_intern(turtle, IR_NODE_IRI, ir_view_text(iri));
}

/* ---- names for blank nodes ---- */

static bool name_node(ir_turtle_t *turtle, ir_node_t *node, ir_view_t way) {
    uuid_t namespace_id;
    uuid_t id;
    char text[sizeof NODE_PREFIX + UUID_STR_LEN] = NODE_PREFIX;
    uuid_parse(NODE_NAMESPACE, namespace_id);
    uuid_generate_sha1(id, namespace_id, way.data, way.size);
    uuid_unparse_lower(id, text + strlen(NODE_PREFIX));
    node->iri = ir_arena_copy(turtle->arena, ir_view_text(text)).data;
    return node->iri != NULL;
}

/* Appends the path to an object: its subject, the predicate, and the index of this blank node among
 * the predicate's objects. */
static bool name_object(ir_turtle_t *turtle, const ir_node_t *subject, const ir_node_t *predicate,
                        ir_node_t *object) {
    uint64_t before = 0;
    for (const ir_fact_t *s = subject->first; s != NULL; s = s->next_of_same) {
        before += s->predicate == predicate && s->object->kind == IR_NODE_BLANK;
    }
    ir_buffer_t way;
    ir_buffer_init(&way);
    ir_buffer_append_text(&way, subject->iri);
    ir_buffer_append_char(&way, '\n');
    ir_buffer_append_view(&way, predicate->text);
    ir_buffer_append_char(&way, '\n');
    ir_buffer_append_uint(&way, before);
    const bool named = ir_buffer_ok(&way) && name_node(turtle, object, ir_buffer_view(&way));
    ir_buffer_free(&way);
    return named;
}

/* ---- statements ---- */

void ir_fact_chain(ir_fact_t *fact) {
    ir_node_t *subject = fact->subject;
    if (subject->last != NULL) {
        subject->last->next_of_same = fact;
    } else {
        subject->first = fact;
    }
    subject->last = fact;
}

static void append(ir_turtle_t *turtle, ir_fact_t *fact) {
    if (turtle->last != NULL) {
        turtle->last->next = fact;
    } else {
        turtle->first = fact;
    }
    turtle->last = fact;
    fact->subject->n_facts++;
    ir_fact_chain(fact);
}

/* The first members make a statement unique: subject, predicate, object and file. */
static ir_view_t key_of(const ir_fact_t *fact) {
    return ir_view((const char *)fact, offsetof(ir_fact_t, at.line));
}

/* The statements of a subject are searched linearly if they are few, through the table if many. */
static bool is_there(const ir_turtle_t *turtle, const ir_fact_t *fact) {
    if (fact->subject->n_facts > FEW) {
        return ir_name_table_find(&turtle->statements, key_of(fact)) != NULL;
    }
    for (const ir_fact_t *s = fact->subject->first; s != NULL; s = s->next_of_same) {
        if (s->predicate == fact->predicate && s->object == fact->object &&
            s->at.file == fact->at.file) {
            return true;
        }
    }
    return false;
}

/* Once the subject has many statements, adds them to the table: first all of them, then each new
 * one. */
static bool index_fact(ir_turtle_t *turtle, ir_fact_t *fact) {
    const ir_node_t *subject = fact->subject;
    if (subject->n_facts <= FEW) {
        return true;
    }
    ir_fact_t *s = subject->n_facts == FEW + 1 ? subject->first : fact;
    for (; s != NULL; s = s->next_of_same) {
        if (!ir_name_table_add(&turtle->statements, key_of(s), s)) {
            return false;
        }
    }
    return true;
}

bool ir_turtle_add(ir_turtle_t *turtle, ir_node_t *subject, ir_node_t *predicate, ir_node_t *object,
                   ir_origin_t at) {
    if (is_there(turtle, &(ir_fact_t){subject, predicate, object, at, NULL, NULL})) {
        return true;
    }
    if ((subject->iri == NULL && !name_node(turtle, subject, subject->text)) ||
        (object->kind == IR_NODE_BLANK && object->iri == NULL &&
         !name_object(turtle, subject, predicate, object))) {
        return false;
    }
    ir_fact_t *statement = ir_arena_alloc(turtle->arena, sizeof *statement);
    if (statement == NULL) {
        return false;
    }
    *statement = (ir_fact_t){subject, predicate, object, at, NULL, NULL};
    append(turtle, statement);
    return index_fact(turtle, statement);
}

bool ir_turtle_init(ir_turtle_t *turtle, ir_arena_t *arena, ir_fault_list_t *faults) {
    *turtle = (ir_turtle_t){.arena = arena, .faults = faults};
    ir_buffer_init(&turtle->lost);
    turtle->files = ir_arena_alloc(arena, IR_TURTLE_FILES_MAX * sizeof *turtle->files);
    return turtle->files != NULL;
}

void ir_turtle_free(ir_turtle_t *turtle) {
    ir_name_table_free(&turtle->nodes);
    ir_name_table_free(&turtle->statements);
    ir_name_table_free(&turtle->told);
    ir_buffer_free(&turtle->lost);
}
