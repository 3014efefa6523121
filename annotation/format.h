/* The formats in which processed observations are written. Each is one const table of functions.
 * All writers append to a buffer, allocate nothing else, and may be called by any thread. */
#ifndef IR_ANNOTATION_FORMAT_H
#define IR_ANNOTATION_FORMAT_H

#include "common/buffer.h"
#include "common/status.h"
#include "observation/batch.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_graph_detail {
    IR_DETAIL_LEAN, /* at most 9 triples an observation: what SOSA queries expect */
    IR_DETAIL_FULL  /* result node with unit, typed time instant, provenance, flag of every test */
} ir_graph_detail_t;

typedef enum ir_graph_naming {
    IR_GRAPH_DEFAULT, /* the default graph */
    IR_GRAPH_DAY,     /* base_iri "graph/day/2011-05-01" */
    IR_GRAPH_MOTE     /* base_iri "graph/mote/MOTE" */
} ir_graph_naming_t;

typedef struct ir_format_options {
    const char *base_iri; /* for time instants, results and graphs; ends in '/' or '#' */
    ir_graph_detail_t detail;
    ir_graph_naming_t naming; /* nquads only */
} ir_format_options_t;

/* Ends in '/' or '#' and has no character that an IRI must not have (RFC 3987). */
bool ir_base_iri_valid(const char *iri);

/* One message's worth of observations: a message, or one revision. */
typedef struct ir_format_item {
    const ir_batch_t *batch;
    const ir_message_t *message;
    const ir_revision_t *revision; /* not NULL: write this revised observation instead */
} ir_format_item_t;

/* Whether nothing of it was accepted. */
bool ir_format_item_empty(const ir_format_item_t *item);

typedef struct ir_format {
    const char *name; /* as in --format, FORMATS and the routing key FORMAT.MOTE */
    const char *content_type;
    bool has_quality; /* whether flags show: only then revisions are published in it */
    /* Before the first and after the last item of a file or stream; NULL: nothing. A message to
     * the exchange is one file: head, one item, tail. */
    void (*head)(ir_buffer_t *out, const ir_format_options_t *options);
    void (*tail)(ir_buffer_t *out, const ir_format_options_t *options);
    /* Appends the accepted observations of the item. `first` is true for the first item after the
     * head (for separators). Not for an item that is empty (ir_format_item_empty). */
    void (*item)(ir_buffer_t *out, const ir_format_item_t *item, const ir_format_options_t *options,
                 bool first);
} ir_format_t;

/* ntriples nquads turtle jsonld sensorthings senml csv json; NULL when unknown. */
const ir_format_t *ir_format_find(ir_view_t name);
const ir_format_t *const *ir_formats(size_t *count);

/* The most formats that one program publishes or expects at once. */
#define IR_FORMATS_MAX 8

/* The formats of a list like "jsonld,senml", in its order and without repeats; an empty list (or
 * NULL) gives none. IR_ERR_USAGE names one that is unknown, or says that only separators are there.
 */
ir_status_t ir_formats_parse(const char *list, const ir_format_t *found[static IR_FORMATS_MAX],
                             size_t *count, ir_error_t *error);

/* The graph's IRI for an observation under options->naming, appended without brackets; nothing for
 * the default graph. */
void ir_graph_name(ir_buffer_t *out, const ir_observation_t *observation,
                   const ir_format_options_t *options);

/* The triples of one observation (raw_id is its message's), as N-Triples, or as N-Quads when naming
 * is not the default and `quads` is set. `previous` as in statements.h: what stands just before it
 * in the same output, or NULL. */
void ir_triples_observation(ir_buffer_t *out, const ir_observation_t *observation,
                            const ir_observation_t *previous, const ir_id_t *raw_id,
                            const ir_format_options_t *options, bool quads);
void ir_triples_revision(ir_buffer_t *out, const ir_revision_t *revision,
                         const ir_format_options_t *options, bool quads);

#endif
