/* Turtle files in memory: their statements in order, each with its file and line. Inside
 * observation/: the registry is built from them. */
#ifndef IR_OBSERVATION_TURTLE_DOCUMENT_H
#define IR_OBSERVATION_TURTLE_DOCUMENT_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/fault_list.h"
#include "common/name_table.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Relative IRIs of a file are relative to this one; blank nodes get IRIs below it. */
#define IR_TURTLE_BASE "https://intelligent-river.example/id/"

/* What is written with a prefix that is not declared gets an IRI below this one. */
#define IR_TURTLE_UNDECLARED "urn:undeclared:"

#define IR_TURTLE_SIZE_MAX ((size_t)2048 * 1024 * 1024)
#define IR_TURTLE_DEPTH_MAX 100 /* of [ ] and ( ) inside each other */
#define IR_TURTLE_FILES_MAX 1000

#define IR_NODE_MEANINGS 5

typedef enum ir_node_kind { IR_NODE_IRI, IR_NODE_BLANK, IR_NODE_LITERAL } ir_node_kind_t;

typedef struct ir_fact ir_fact_t;

/* Where something stands. */
typedef struct ir_origin {
    unsigned file; /* index into the files */
    unsigned line; /* 0: nowhere in particular */
} ir_origin_t;

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
    unsigned file;                    /* that names it first */
    bool unknown;                     /* its IRI, or that of its datatype, is a reported fault */
    bool faulty;                      /* a fault of what it says was told; it may lack more */
    int term;                         /* for the registry builder: its known term */
    unsigned roles;                   /* likewise: what it was found to be */
    void *meanings[IR_NODE_MEANINGS]; /* likewise: what was built from it */
} ir_node_t;

struct ir_fact {
    ir_node_t *subject, *predicate, *object;
    ir_origin_t at;          /* of the object; of the file's statement when derived */
    ir_fact_t *next;         /* in the files */
    ir_fact_t *next_of_same; /* of the same subject */
};

/* Where a node is described first, for faults; its line is 0 when it is not. */
static inline ir_origin_t ir_node_at(const ir_node_t *node) {
    return node->first != NULL ? node->first->at : (ir_origin_t){node->file, 0};
}

typedef struct ir_turtle_file {
    const char *path;
    const char *name; /* of the file without folder and ".ttl" */
} ir_turtle_file_t;

typedef struct ir_turtle {
    ir_turtle_file_t *files;
    unsigned n_files; /* the last one is being read, or was read last */
    ir_arena_t *arena;
    ir_name_table_t nodes;      /* by kind and text */
    ir_name_table_t statements; /* by their nodes and file: those of subjects that have many */
    ir_fact_t *first, *last;
    ir_fault_list_t *faults; /* reported faults, by file and line */
    ir_name_table_t told;    /* their texts */
    ir_buffer_t lost;        /* what could not be read of the files, as far as it is known */
    bool all_lost;           /* more than `lost` has */
} ir_turtle_t;

/* Starts empty, in `arena`; its faults go to `faults`, which outlives the reading and building.
 * False when memory is out. The caller frees with ir_turtle_free. */
bool ir_turtle_init(ir_turtle_t *turtle, ir_arena_t *arena, ir_fault_list_t *faults);

/* Reads one more file; `path` is copied. Faults in its text are reported, and reading continues
 * after them: IR_OK. A file that cannot be read at all is an error: IR_ERR_NOT_FOUND, IR_ERR_IO,
 * IR_ERR_RANGE; IR_ERR_SYNTAX when another file has the same name. */
ir_status_t ir_turtle_read(ir_turtle_t *turtle, const char *path, ir_error_t *error);

/* Tells such an error as a fault. */
void ir_turtle_unreadable(ir_turtle_t *turtle, const ir_error_t *error);

/* Frees the indexes; nodes and statements live on in the arena and can still be walked. */
void ir_turtle_free(ir_turtle_t *turtle);

/* A new node that nothing points to yet; NULL when memory is exhausted. */
ir_node_t *ir_turtle_node(ir_turtle_t *turtle, ir_node_kind_t kind, ir_view_t text);

/* The node of an IRI, or of a blank node's label with "_:" before it, made when it is not there;
 * NULL when memory is out. */
ir_node_t *ir_turtle_intern(ir_turtle_t *turtle, ir_node_kind_t kind, ir_view_t key);

/* The node of an IRI; NULL when the file does not name it. */
ir_node_t *ir_turtle_find(const ir_turtle_t *turtle, const char *iri);

/* The same, made when it is not there; NULL when memory is out. */
ir_node_t *ir_turtle_make(ir_turtle_t *turtle, const char *iri);

/* Adds a statement unless its file has it. False when memory is out. */
bool ir_turtle_add(ir_turtle_t *turtle, ir_node_t *subject, ir_node_t *predicate, ir_node_t *object,
                   ir_origin_t at);

/* Puts a statement behind the others of its subject; ir_turtle_add has done so. Whoever takes a
 * statement out of its chain does not add it again. */
void ir_fact_chain(ir_fact_t *fact);

/* All statements of one file as N-Triples into a malloc'd buffer that the caller frees. */
ir_status_t ir_turtle_ntriples(const ir_turtle_t *turtle, unsigned file, char **text, size_t *size,
                               ir_error_t *error);

/* Tells a fault, "PATH:LINE: " and the text, once however often it is found. Returns
 * IR_ERR_SYNTAX. */
ir_status_t ir_turtle_fault(ir_turtle_t *turtle, ir_origin_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for something that `node` lacks. It is not told when a fault that was told may be why:
 * one of the node's own, or a text that could not be read and names it. */
ir_status_t ir_turtle_lack(ir_turtle_t *turtle, const ir_node_t *node, ir_origin_t at,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Whether a text that could not be read has this name in it. */
bool ir_turtle_lost(const ir_turtle_t *turtle, ir_view_t name);

/* A node as people would write it, cut to a bearable length: "<mote/a>", "ir:limits", "\"text\"",
 * "[ ]". */
typedef struct ir_shown {
    char text[112];
} ir_shown_t;
ir_shown_t ir_node_show(const ir_node_t *node);

/* Another place, for a fault at `from`: "line 12" in the same file, else "FILE:12". */
ir_shown_t ir_origin_show(const ir_turtle_t *turtle, ir_origin_t at, ir_origin_t from);

#endif
