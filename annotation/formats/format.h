/* The output formats for processed observations. Each is one const table of functions. All writers
 * append to a buffer and allocate nothing else. Any thread. */
#ifndef IR_ANNOTATION_FORMATS_FORMAT_H
#define IR_ANNOTATION_FORMATS_FORMAT_H

#include "common/buffer.h"
#include "common/status.h"
#include "observation/batch.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_graph_detail {
    IR_DETAIL_LEAN, /* 9 triples per observation at most, and one for each suspect or failed test */
    IR_DETAIL_FULL  /* adds the result with its unit, a typed instant, provenance, and all flags */
} ir_graph_detail_t;

typedef enum ir_graph_naming {
    IR_GRAPH_DEFAULT, /* the default graph */
    IR_GRAPH_DAY,     /* base_iri "graph/day/2011-05-01" */
    IR_GRAPH_MOTE     /* base_iri "graph/mote/MOTE" */
} ir_graph_naming_t;

typedef struct ir_format_options {
    const char *base_iri; /* base of IRIs (instants, results, graphs); ends in '/' or '#' */
    ir_graph_detail_t detail;
    ir_graph_naming_t naming; /* nquads only */
} ir_format_options_t;

/* True when `iri` ends in '/' or '#' and contains no character that RFC 3987 forbids. */
bool ir_base_iri_valid(const char *iri);

/* What a format writes in one call: the observations of one message, or one revision. */
typedef struct ir_format_item {
    const ir_batch_t *batch;
    const ir_message_t *message;
    const ir_revision_t *revision; /* if not NULL, the format writes this revised observation
                                    * instead */
} ir_format_item_t;

/* True when no observation of the item was accepted. */
bool ir_format_item_empty(const ir_format_item_t *item);

typedef struct ir_format {
    const char *name; /* the name in --format, in FORMATS and in the routing key FORMAT.MOTE */
    const char *content_type;
    bool has_quality; /* the format shows flags; revisions are published only then */
    /* Written before the first and after the last item of a file or stream; NULL: nothing. A
     * message to the exchange counts as one file: head, one item, tail. */
    void (*head)(ir_buffer_t *out, const ir_format_options_t *options);
    void (*tail)(ir_buffer_t *out, const ir_format_options_t *options);
    /* Appends the accepted observations of the item. `first` is true for the first item after the
     * head; it decides about the separator. Do not call it for an empty item (see
     * ir_format_item_empty). */
    void (*item)(ir_buffer_t *out, const ir_format_item_t *item, const ir_format_options_t *options,
                 bool first);
} ir_format_t;

/* X(name): the formats, in the order of messages. Each defines ir_format_NAME, in a file of this
 * folder. */
#define IR_FORMATS(X, separator)                                                                   \
    X(ntriples)                                                                                    \
    separator X(nquads)                                                                            \
    separator X(turtle)                                                                            \
    separator X(jsonld)                                                                            \
    separator X(sensorthings)                                                                      \
    separator X(senml)                                                                             \
    separator X(csv)                                                                               \
    separator X(json)

/* "ntriples, nquads, …" */
#define IR_FORMAT_NAME(name) #name
#define IR_FORMAT_NAMES IR_FORMATS(IR_FORMAT_NAME, ", ")

/* Finds a format by its name. Returns NULL for any other name. */
const ir_format_t *ir_format_find(ir_view_t name);
const ir_format_t *const *ir_formats(size_t *count);

/* The largest number of formats that one program publishes or expects. */
#define IR_FORMAT_ONE(name) 1
enum { IR_FORMATS_MAX = IR_FORMATS(IR_FORMAT_ONE, +) };

/* Parses a list such as "jsonld,senml"; keeps its order and drops repeats. An empty list or NULL
 * gives no formats. IR_ERR_USAGE names an unknown format, or says that the list holds only
 * separators. */
ir_status_t ir_formats_parse(const char *list, const ir_format_t *found[static IR_FORMATS_MAX],
                             size_t *count, ir_error_t *error);

/* Appends the IRI of the graph for an observation according to options->naming, without brackets.
 * Appends nothing for the default graph. */
void ir_graph_name(ir_buffer_t *out, const ir_observation_t *observation,
                   const ir_format_options_t *options);

/* Appends the triples of one observation; raw_id is the id of its message. Writes N-Quads when
 * `quads` is set and naming is not the default, otherwise N-Triples. `previous` is the observation
 * just before it in the same output, or NULL (see statements.h). */
void ir_triples_observation(ir_buffer_t *out, const ir_observation_t *observation,
                            const ir_observation_t *previous, const ir_id_t *raw_id,
                            const ir_format_options_t *options, bool quads);
void ir_triples_revision(ir_buffer_t *out, const ir_revision_t *revision,
                         const ir_format_options_t *options, bool quads);

#endif
