/* The interface of a graph store: one const table of functions. They are required unless marked
 * otherwise. graph.h defines their contracts; `store` is the object that `open` made. */
#ifndef IR_STORE_GRAPH_BACKEND_H
#define IR_STORE_GRAPH_BACKEND_H

#include "common/proof.h"
#include "store/graph/graph.h"
#include "store/scheme.h"

/* One item to write: an observation or a revision. */
typedef struct ir_graph_pick {
    const ir_observation_t *observation; /* the observation; for a revision, the revised one */
    const ir_id_t *raw_id;               /* id of the observation's message */
    const ir_revision_t *revision;       /* or NULL */
    bool known; /* the document store already had the item, so the graph may have it, too */
} ir_graph_pick_t;

/* The graph of one of the registry's files. The index is a graph with one statement for each: its
 * own IRI, IR_GRAPH_HAS_PART, the graph's IRI. A store that has an index is set up. */
typedef struct ir_registry_graph {
    const char *index; /* IRIs: base_iri IR_GRAPH_REGISTRY, */
    const char *iri;   /* and "/NAME" behind it */
    const char *name;  /* name of the registry's file, percent-encoded where an IRI requires it */
} ir_registry_graph_t;

#define IR_GRAPH_REGISTRY "graph/registry"
#define IR_GRAPH_HAS_PART "http://purl.org/dc/terms/hasPart"

typedef struct ir_graph_backend {
    ir_scheme_t scheme;
    /* options->uris is this one URI. The options' texts are valid as long as the store. */
    ir_status_t (*open)(const ir_graph_options_t *options, void **store, ir_error_t *error);
    void (*close)(void *store);
    /* `registry` holds the statements of one of the registry's files as N-Triples. They replace the
     * content of its graph, which is entered in the index. */
    ir_status_t (*init)(void *store, ir_view_t registry, const ir_registry_graph_t *graph,
                        ir_error_t *error);
    ir_status_t (*ready)(void *store, ir_error_t *error);
    ir_status_t (*present)(void *store, ir_error_t *error); /* NULL: `put` notices */
    ir_status_t (*probe)(void *store, ir_error_t *error);   /* NULL: same as `ready` */
    /* REFUSED: the server refuses at least one of these and may have stored none of them; the
     * caller tries parts (common/proof.h). RETRY: answer->why holds the reason. */
    ir_outcome_t (*put)(void *store, const ir_graph_pick_t *picks, size_t count,
                        ir_answer_t *answer);
    /* Writes a certainly good statement where no reader looks. NULL: `put` never returns
     * REFUSED. */
    ir_status_t (*control)(void *store, ir_error_t *error);
    ir_status_t (*count)(void *store, uint64_t *observations, uint64_t *triples, ir_error_t *error);
    ir_status_t (*each_id)(void *store, ir_document_kind_t kind, ir_each_id_fn each, void *context,
                           ir_error_t *error);
    ir_status_t (*purge)(void *store, const ir_id_t *ids, size_t count,
                         ir_error_t *error); /* NULL: keeps nothing */
    ir_status_t (*retire)(void *store, ir_graph_retirement_t *retirement,
                          ir_error_t *error);               /* NULL: keeps nothing */
    ir_status_t (*compact)(void *store, ir_error_t *error); /* NULL: it never needs this */
    ir_status_t (*export)(void *store, ir_each_line_fn each, void *context, ir_error_t *error);
    /* NULL: keeps nothing. Called with one block after the other, then `loaded`. */
    ir_status_t (*load)(void *store, ir_view_t lines, ir_error_t *error);
    ir_status_t (*loaded)(void *store, ir_error_t *error); /* NULL: nothing is to be done */
} ir_graph_backend_t;

/* X(name): the backends, in the order of messages. Each defines ir_graph_NAME. */
#define IR_GRAPH_BACKENDS(X)                                                                       \
    X(sparql)                                                                                      \
    X(nquads)                                                                                      \
    X(null)

#define IR_GRAPH_BACKEND(name) extern const ir_graph_backend_t ir_graph_##name;
IR_GRAPH_BACKENDS(IR_GRAPH_BACKEND)
#undef IR_GRAPH_BACKEND

/* Whether a store at `place` that contains this observation may be used. IR_ERR_PROTOCOL when an
 * earlier release wrote it, whose ids have a different format. */
ir_status_t ir_graph_check_id(const ir_id_t *id, const char *place, ir_error_t *error);

/* The id that the pick's statements describe. */
static inline const ir_id_t *ir_graph_pick_id(const ir_graph_pick_t *pick) {
    return pick->revision != NULL ? &pick->revision->id : &pick->observation->id;
}

/* Appends the pick's statements. `previous` is the pick appended just before to the same graph and
 * buffer, or NULL. */
static inline void ir_graph_pick_append(ir_buffer_t *out, const ir_graph_pick_t *pick,
                                        const ir_graph_pick_t *previous,
                                        const ir_format_options_t *format, bool quads) {
    if (pick->revision != NULL) {
        ir_triples_revision(out, pick->revision, format, quads);
    } else {
        const bool follows = previous != NULL && previous->revision == NULL;
        ir_triples_observation(out, pick->observation, follows ? previous->observation : NULL,
                               pick->raw_id, format, quads);
    }
}

#endif
