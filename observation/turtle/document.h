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

/* A name with an undeclared prefix gets an IRI below this one. */
#define IR_TURTLE_UNDECLARED "urn:undeclared:"

#define IR_TURTLE_SIZE_MAX ((size_t)2048 * 1024 * 1024)
#define IR_TURTLE_DEPTH_MAX 100 /* limit for the nesting of [ ] and ( ) */
#define IR_TURTLE_FILES_MAX 1000

#define IR_NODE_MEANINGS 5

typedef enum ir_node_kind { IR_NODE_IRI, IR_NODE_BLANK, IR_NODE_LITERAL } ir_node_kind_t;

typedef struct ir_fact ir_fact_t;

/* A place in the files. */
typedef struct ir_origin {
    unsigned file; /* index into the files */
    unsigned line; /* 0: no particular line */
} ir_origin_t;

/* An IRI or a blank node has only one node, so nodes compare as pointers; a literal may have
 * several. */
typedef struct ir_node {
    ir_node_kind_t kind;
    ir_view_t text;                   /* the IRI, the blank node's label, or the literal's text */
    ir_view_t datatype;               /* IRI of a literal's datatype, or empty */
    ir_view_t language;               /* language of a literal, or empty */
    const char *iri;                  /* the name of an IRI or blank node in N-Triples */
    ir_fact_t *first, *last;          /* statements with this subject */
    unsigned n_facts;                 /* their number */
    unsigned depth;                   /* a blank node's depth of nesting */
    unsigned file;                    /* the first file that names it */
    bool unknown;                     /* a fault in its IRI, or in the IRI of its datatype, was
                                       * reported */
    bool faulty;                      /* a fault in its statements was reported; other statements
                                       * may be missing */
    int term;                         /* for the registry builder: the known term */
    unsigned roles;                   /* for the registry builder: its kinds */
    void *meanings[IR_NODE_MEANINGS]; /* for the registry builder: the objects made from it */
} ir_node_t;

struct ir_fact {
    ir_node_t *subject, *predicate, *object;
    ir_origin_t at;          /* place of the object; for a derived statement, place of the original
                              * one */
    ir_fact_t *next;         /* the next statement in the files */
    ir_fact_t *next_of_same; /* the next statement of the same subject */
};

/* The place that first describes a node, for faults; line 0 if none does. */
static inline ir_origin_t ir_node_at(const ir_node_t *node) {
    return node->first != NULL ? node->first->at : (ir_origin_t){node->file, 0};
}

typedef struct ir_turtle_file {
    const char *path;
    const char *name; /* the file's name without folder and ".ttl" */
} ir_turtle_file_t;

typedef struct ir_turtle {
    ir_turtle_file_t *files;
    unsigned n_files; /* the last file is being read, or was read last */
    ir_arena_t *arena;
    ir_name_table_t nodes;      /* table of the nodes, by kind and text */
    ir_name_table_t statements; /* by nodes and file; only for subjects with many statements */
    ir_fact_t *first, *last;
    ir_fault_list_t *faults; /* reported faults, by file and line */
    ir_name_table_t told;    /* their texts */
    ir_buffer_t lost;        /* the parts of the files that could not be read, as far as known */
    bool all_lost;           /* there are more such parts than `lost` holds */
} ir_turtle_t;

/* Starts empty. Allocates in `arena`; adds faults to `faults`, which must outlive reading and
 * building. False when memory is exhausted. The caller frees it with ir_turtle_free. */
bool ir_turtle_init(ir_turtle_t *turtle, ir_arena_t *arena, ir_fault_list_t *faults);

/* Reads one more file; `path` is copied. Faults in its text are reported, and reading continues
 * after them: IR_OK. A file that cannot be read at all is an error: IR_ERR_NOT_FOUND, IR_ERR_IO,
 * IR_ERR_RANGE; IR_ERR_SYNTAX when another file has the same name. */
ir_status_t ir_turtle_read(ir_turtle_t *turtle, const char *path, ir_error_t *error);

/* Reports such an error as a fault. */
void ir_turtle_unreadable(ir_turtle_t *turtle, const ir_error_t *error);

/* Frees the indexes; nodes and statements live on in the arena and can still be walked. */
void ir_turtle_free(ir_turtle_t *turtle);

/* A new node that nothing points to yet; NULL when memory is exhausted. */
ir_node_t *ir_turtle_node(ir_turtle_t *turtle, ir_node_kind_t kind, ir_view_t text);

/* Returns the node of an IRI, or of a blank node's label with "_:" before it; creates it if
 * missing. NULL when memory is exhausted. */
ir_node_t *ir_turtle_intern(ir_turtle_t *turtle, ir_node_kind_t kind, ir_view_t key);

/* Returns the node of an IRI; NULL when no file names it. */
ir_node_t *ir_turtle_find(const ir_turtle_t *turtle, const char *iri);

/* Like ir_turtle_find, but creates a missing node; NULL when memory is exhausted. */
ir_node_t *ir_turtle_make(ir_turtle_t *turtle, const char *iri);

/* Adds a statement unless its file already has it. False when memory is exhausted. */
bool ir_turtle_add(ir_turtle_t *turtle, ir_node_t *subject, ir_node_t *predicate, ir_node_t *object,
                   ir_origin_t at);

/* Appends a statement to its subject's chain; ir_turtle_add already does this. A statement removed
 * from its chain must not be added again. */
void ir_fact_chain(ir_fact_t *fact);

/* Writes all statements of one file as N-Triples to a malloc'd buffer that the caller frees. */
ir_status_t ir_turtle_ntriples(const ir_turtle_t *turtle, unsigned file, char **text, size_t *size,
                               ir_error_t *error);

/* Reports a fault as "PATH:LINE: " and the text, only once even if it is found several times.
 * Returns IR_ERR_SYNTAX. */
ir_status_t ir_turtle_fault(ir_turtle_t *turtle, ir_origin_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports that `node` lacks something, unless a reported fault may be the cause: a fault of the
 * node itself, or a text that could not be read and that names the node. */
ir_status_t ir_turtle_lack(ir_turtle_t *turtle, const ir_node_t *node, ir_origin_t at,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Whether a text that could not be read contains this name. */
bool ir_turtle_lost(const ir_turtle_t *turtle, ir_view_t name);

/* Writes a node as people would write it, cut to a readable length: "<mote/a>", "ir:limits",
 * "\"text\"", "[ ]". */
typedef struct ir_shown {
    char text[112];
} ir_shown_t;
ir_shown_t ir_node_show(const ir_node_t *node);

/* Describes another place, for a fault at `from`: "line 12" in the same file, else "FILE:12". */
ir_shown_t ir_origin_show(const ir_turtle_t *turtle, ir_origin_t at, ir_origin_t from);

#endif
