/* A Turtle file in memory: its statements in order, each with its line. Inside observation/: the
 * registry is built from it. */
#ifndef IR_OBSERVATION_TURTLE_H
#define IR_OBSERVATION_TURTLE_H

#include "common/arena.h"
#include "common/status.h"
#include "common/view.h"
#include "observation/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Relative IRIs of a file are relative to this one; blank nodes get IRIs below it. */
#define IR_TURTLE_BASE "https://intelligent-river.example/id/"

#define IR_TURTLE_SIZE_MAX ((size_t)2048 * 1024 * 1024)
#define IR_TURTLE_DEPTH_MAX 100 /* of [ ] and ( ) inside each other */

#define IR_NODE_MEANINGS 5

typedef enum ir_node_kind { IR_NODE_IRI, IR_NODE_BLANK, IR_NODE_LITERAL } ir_node_kind_t;

typedef struct ir_fact ir_fact_t;

/* IRIs and blank nodes are there once each, so that they compare as pointers; literals are not. */
typedef struct ir_node {
    ir_node_kind_t kind;
    ir_view_t text;                   /* the IRI, the blank node's label, or the literal's text */
    ir_view_t datatype;               /* of a literal: its IRI, or empty */
    ir_view_t language;               /* of a literal, or empty */
    const char *iri;                  /* of an IRI or blank node: what it is called in N-Triples */
    ir_fact_t *first, *last;          /* those it is the subject of */
    unsigned n_facts;                 /* how many they are */
    unsigned depth;                   /* of nesting, of a blank node */
    int word;                         /* for the builder of the registry: which known term it is */
    unsigned roles;                   /* likewise: what it was found to be */
    void *meanings[IR_NODE_MEANINGS]; /* likewise: what was built from it */
} ir_node_t;

struct ir_fact {
    ir_node_t *subject, *predicate, *object;
    unsigned line;           /* of the object; of the file's statement when derived */
    ir_fact_t *next;         /* in the file */
    ir_fact_t *next_of_same; /* of the same subject */
};

/* Where a node is described first, for faults; 0 when it is not. */
static inline unsigned ir_node_line(const ir_node_t *node) {
    return node->first != NULL ? node->first->line : 0;
}

typedef struct ir_turtle {
    const char *path;
    ir_arena_t *arena;
    ir_table_t nodes;      /* by kind and text */
    ir_table_t statements; /* by their three nodes: those of subjects that have many */
    ir_fact_t *first, *last;
} ir_turtle_t;

/* Reads `path` into `arena`. `error` names file, line and what is wrong. After any result the
 * caller frees with ir_turtle_free. */
ir_status_t ir_turtle_read(ir_turtle_t *turtle, const char *path, ir_arena_t *arena,
                           ir_error_t *error);

/* Frees the indexes; nodes and statements live on in the arena and can still be walked. */
void ir_turtle_free(ir_turtle_t *turtle);

/* A new node that nothing points to yet; NULL when memory is out. */
ir_node_t *ir_turtle_node(ir_turtle_t *turtle, ir_node_kind_t kind, ir_view_t text);

/* The node of an IRI, or of a blank node's label with "_:" before it, made when it is not there;
 * NULL when memory is out. */
ir_node_t *ir_turtle_intern(ir_turtle_t *turtle, ir_node_kind_t kind, ir_view_t key);

/* The node of an IRI; NULL when the file does not name it. */
ir_node_t *ir_turtle_find(const ir_turtle_t *turtle, const char *iri);

/* The same, made when it is not there; NULL when memory is out. */
ir_node_t *ir_turtle_make(ir_turtle_t *turtle, const char *iri);

/* Adds a statement unless it is there. False when memory is out. */
bool ir_turtle_add(ir_turtle_t *turtle, ir_node_t *subject, ir_node_t *predicate, ir_node_t *object,
                   unsigned line);

/* Puts a statement behind the others of its subject; ir_turtle_add has done so. Whoever takes a
 * statement out of its chain does not add it again. */
void ir_fact_chain(ir_fact_t *fact);

/* All statements as N-Triples into a malloc'd buffer that the caller frees. */
ir_status_t ir_turtle_ntriples(const ir_turtle_t *turtle, char **text, size_t *size,
                               ir_error_t *error);

/* Fills `error` with "PATH:LINE: " and the text; returns IR_ERR_SYNTAX. */
ir_status_t ir_turtle_fault(const ir_turtle_t *turtle, unsigned line, ir_error_t *error,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A node as people would write it, cut to a bearable length: "<mote/a>", "ir:limits", "\"text\"",
 * "[ ]". */
typedef struct ir_shown {
    char text[112];
} ir_shown_t;
ir_shown_t ir_node_show(const ir_node_t *node);

#endif
