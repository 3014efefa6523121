#include "observation/registry/build.h"

static ir_status_t out_of_memory(const ir_builder_t *builder) {
    return ir_error_set(builder->error, IR_ERR_MEMORY,
                        "%s: out of memory while building the registry",
                        builder->turtle->files[0].path);
}

void *ir_builder_alloc(const ir_builder_t *builder, size_t size) {
    void *made = ir_arena_alloc(builder->registry->arena, size);
    if (made == NULL) {
        out_of_memory(builder);
        return NULL;
    }
    return memset(made, 0, size);
}

static ir_node_t *term_node(const ir_builder_t *builder, ir_registry_term_t term) {
    ir_node_t *node = ir_turtle_make(builder->turtle, ir_registry_terms[term].iri);
    if (node != NULL) {
        node->term = (int)term;
    }
    return node;
}

static ir_status_t add(const ir_builder_t *builder, ir_node_t *subject,
                       ir_registry_term_t predicate, ir_node_t *object, ir_origin_t at) {
    ir_node_t *node = term_node(builder, predicate);
    return node != NULL && ir_turtle_add(builder->turtle, subject, node, object, at)
               ? IR_OK
               : out_of_memory(builder);
}

ir_status_t ir_builder_type(const ir_builder_t *builder, ir_node_t *subject,
                            ir_registry_term_t class) {
    ir_node_t *node = term_node(builder, class);
    return node != NULL ? add(builder, subject, IR_REGISTRY_TERM_TYPE, node, ir_node_at(subject))
                        : out_of_memory(builder);
}

ir_status_t ir_builder_name(const ir_builder_t *builder, ir_name_table_t *names, ir_view_t name,
                            void *value) {
    return ir_name_table_add(names, name, value) ? IR_OK : out_of_memory(builder);
}

/* ---- kinds of nodes ---- */

static const struct {
    ir_registry_term_t term, inverse;
} inverses[] = {
    {IR_REGISTRY_TERM_HOSTS, IR_REGISTRY_TERM_IS_HOSTED_BY},
    {IR_REGISTRY_TERM_IS_HOSTED_BY, IR_REGISTRY_TERM_HOSTS},
    {IR_REGISTRY_TERM_OBSERVES, IR_REGISTRY_TERM_IS_OBSERVED_BY},
    {IR_REGISTRY_TERM_IS_OBSERVED_BY, IR_REGISTRY_TERM_OBSERVES},
};

static ir_status_t close_inverses(const ir_builder_t *builder) {
    for (const ir_fact_t *s = builder->turtle->first; s != NULL; s = s->next) {
        for (size_t i = 0; i < sizeof inverses / sizeof inverses[0]; i++) {
            ir_status_t status = IR_OK;
            ir_node_t *object = NULL;
            if (s->predicate->term == (int)inverses[i].term) {
                status = ir_fact_node(builder, s, "an IRI", &object);
                s->subject->faulty = s->subject->faulty || status != IR_OK;
            }
            if (object != NULL) {
                status = add(builder, object, inverses[i].inverse, s->subject, s->at);
            }
            if (status == IR_ERR_MEMORY) {
                return status;
            }
        }
    }
    return IR_OK;
}

/* A mote or property may have tens of thousands of sensors, and each sensor reads all statements
 * about its mote and property. So statements that only repeat a sensor's own statement in the other
 * direction are removed from the lists of the mote and the property. */
static void shorten_chains(const ir_turtle_t *turtle) {
    for (ir_fact_t *s = turtle->first; s != NULL; s = s->next) {
        s->subject->first = s->subject->last = NULL;
    }
    for (ir_fact_t *s = turtle->first; s != NULL; s = s->next) {
        s->next_of_same = NULL;
        if (s->predicate->term != IR_REGISTRY_TERM_HOSTS &&
            s->predicate->term != IR_REGISTRY_TERM_IS_OBSERVED_BY) {
            ir_fact_chain(s);
        }
    }
}

static void note_members(ir_node_t *cell) {
    ir_node_t *item = NULL;
    for (size_t i = 0; i < IR_CLIMATOLOGY_MAX && ir_list_next(&cell, &item); i++) {
        item->roles |= IR_ROLE_MEMBER;
    }
}

static void note_type(const ir_fact_t *statement) {
    if (statement->object->term == IR_REGISTRY_TERM_SENSOR) {
        statement->subject->roles |= IR_ROLE_SENSOR;
    } else if (statement->object->term == IR_REGISTRY_TERM_LIMITS_CLASS) {
        statement->subject->roles |= IR_ROLE_LIMITS;
    }
}

static void note_roles(const ir_turtle_t *turtle) {
    for (const ir_fact_t *s = turtle->first; s != NULL; s = s->next) {
        switch (s->predicate->term) {
        case IR_REGISTRY_TERM_TYPE:
            note_type(s);
            break;
        case IR_REGISTRY_TERM_MOTE_ID:
            s->subject->roles |= IR_ROLE_MOTE;
            break;
        case IR_REGISTRY_TERM_SENML_NAME:
            s->subject->roles |= IR_ROLE_SENSOR;
            break;
        case IR_REGISTRY_TERM_OBSERVES:
            s->object->roles |= IR_ROLE_PROPERTY;
            break;
        case IR_REGISTRY_TERM_LIMITS:
            s->object->roles |= IR_ROLE_LIMITS;
            break;
        case IR_REGISTRY_TERM_CLIMATOLOGY:
            note_members(s->object);
            break;
        default:
            break;
        }
    }
}

/* ---- checks that our terms are known, and are used on the right kind of node ---- */

static bool is_ours(const ir_node_t *node) {
    const size_t size = strlen(IR_ONTOLOGY);
    return node->kind == IR_NODE_IRI && node->text.size > size &&
           memcmp(node->text.data, IR_ONTOLOGY, size) == 0;
}

/* Reports a misspelt term. Without the intended term, its subject or object may seem to lack a
 * statement, so both are marked as faulty. */
static ir_status_t unknown_term(const ir_builder_t *builder, const ir_fact_t *statement,
                                const ir_node_t *node) {
    statement->subject->faulty = statement->object->faulty = true;
    const size_t size = strlen(IR_ONTOLOGY);
    const char *like =
        ir_registry_term_like(ir_view(node->text.data + size, node->text.size - size));
    return ir_fact_fault(
        builder, statement, "%s is not a term of the registry%s%s%s", ir_node_show(node).text,
        like != NULL ? "; did you mean ir:" : " (docs/reference/registry.md lists them)",
        like != NULL ? like : "", like != NULL ? "?" : "");
}

static ir_status_t check_term(const ir_builder_t *builder, const ir_fact_t *statement) {
    const ir_registry_term_info_t *info = &ir_registry_terms[statement->predicate->term];
    if (is_ours(statement->predicate) && info->roles == 0) {
        return unknown_term(builder, statement, statement->predicate);
    }
    if (statement->predicate->term == IR_REGISTRY_TERM_TYPE && is_ours(statement->object) &&
        statement->object->term != IR_REGISTRY_TERM_LIMITS_CLASS &&
        statement->object->term != IR_REGISTRY_TERM_MEMBER_CLASS) {
        return unknown_term(builder, statement, statement->object);
    }
    return IR_OK;
}

/* A node without a known kind may be the result of another fault, which is already reported. */
static ir_status_t check_place(const ir_builder_t *builder, const ir_fact_t *statement) {
    const ir_registry_term_info_t *info = &ir_registry_terms[statement->predicate->term];
    ir_node_t *subject = statement->subject;
    if (info->roles == 0 || (subject->roles & info->roles)) {
        return IR_OK;
    }
    static const char format[] = "%s belongs to %s, and %s is not one";
    const ir_shown_t term = ir_node_show(statement->predicate);
    const ir_shown_t shown = ir_node_show(subject);
    if (subject->roles != 0) {
        return ir_turtle_fault(builder->turtle, statement->at, format, term.text, info->belongs,
                               shown.text);
    }
    ir_turtle_lack(builder->turtle, subject, statement->at, format, term.text, info->belongs,
                   shown.text);
    subject->faulty = true;
    return IR_ERR_SYNTAX;
}

/* ---- the whole ---- */

typedef ir_status_t (*build_fn)(const ir_builder_t *, const ir_fact_t *);

/* Skips a statement whose fault was reported. */
static ir_status_t each_statement(const ir_builder_t *builder, build_fn build) {
    ir_status_t status = IR_OK;
    for (const ir_fact_t *s = builder->turtle->first; s != NULL && status != IR_ERR_MEMORY;
         s = s->next) {
        status = build(builder, s);
    }
    return status == IR_ERR_MEMORY ? status : IR_OK;
}

/* A mote or sensor must be described in one file only. Otherwise, removing a file would leave half
 * of the description. */
static ir_status_t check_file(const ir_builder_t *builder, const ir_fact_t *statement) {
    const int term = statement->predicate->term;
    if (term != IR_REGISTRY_TERM_MOTE_ID && term != IR_REGISTRY_TERM_SENML_NAME) {
        return IR_OK;
    }
    const ir_fact_t *first = ir_fact_of(statement->subject, (ir_registry_term_t)term);
    return first->at.file == statement->at.file
               ? IR_OK
               : ir_fact_fault(builder, statement,
                               "%s of %s is given in two files, here and in %s; remove one",
                               ir_node_show(statement->predicate).text,
                               ir_node_show(statement->subject).text,
                               ir_origin_show(builder->turtle, first->at, statement->at).text);
}

static ir_status_t build_mote(const ir_builder_t *builder, const ir_fact_t *statement) {
    return statement->predicate->term == IR_REGISTRY_TERM_MOTE_ID
               ? ir_mote_build(builder, statement->subject)
               : IR_OK;
}

#define NUMBER(symbol, member, property, test, what) "ir:" property ", "
#define NUMBERS IR_LIMIT_NUMBERS(NUMBER)

static ir_status_t build_limits(const ir_builder_t *builder, const ir_fact_t *statement) {
    ir_node_t *node = statement->subject;
    ir_status_t status = IR_OK;
    if (statement->predicate->term == IR_REGISTRY_TERM_LIMITS) {
        status = ir_fact_node(builder, statement, "a node with limits", &node);
    }
    if (status != IR_OK || !(node->roles & IR_ROLE_LIMITS) ||
        node->meanings[IR_MEANING_LIMITS] != NULL) {
        return status;
    }
    ir_limits_t *limits = ir_builder_alloc(builder, sizeof *limits);
    if (limits == NULL) {
        return IR_ERR_MEMORY;
    }
    node->meanings[IR_MEANING_LIMITS] = limits;
    status = ir_limits_build(builder, node, limits);
    return status == IR_OK && !ir_limits_given(limits)
               ? ir_turtle_lack(builder->turtle, node, statement->at,
                                "%s gives no limits of any test: not ir:grossFail, " NUMBERS
                                "ir:flatLineSuspect, ir:flatLineFail or ir:climatology",
                                ir_node_show(node).text)
               : status;
}

static ir_status_t build_sensor(const ir_builder_t *builder, const ir_fact_t *statement) {
    return statement->subject->roles & IR_ROLE_SENSOR ? ir_sensor_build(builder, statement->subject)
                                                      : IR_OK;
}

ir_status_t ir_registry_build(ir_registry_t *registry, ir_error_t *error) {
    static const build_fn builds[] = {check_term, check_place,  check_file,
                                      build_mote, build_limits, build_sensor};
    const ir_builder_t builder = {&registry->turtle, registry, error};
    ir_registry_terms_note(&registry->turtle);
    ir_status_t status = close_inverses(&builder);
    shorten_chains(&registry->turtle);
    note_roles(&registry->turtle);
    for (size_t i = 0; i < sizeof builds / sizeof builds[0] && status == IR_OK; i++) {
        status = each_statement(&builder, builds[i]);
    }
    return status;
}
