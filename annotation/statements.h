/* What an observation is in RDF: the one place that says it. Every RDF syntax writes these
 * statements, so all of them give the same graph. */
#ifndef IR_ANNOTATION_STATEMENTS_H
#define IR_ANNOTATION_STATEMENTS_H

#include "annotation/format.h"
#include "annotation/vocabulary.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/number.h"

typedef enum ir_term_kind {
    IR_TERM_NAME,    /* `name` */
    IR_TERM_IRI,     /* `text` */
    IR_TERM_MINTED,  /* base_iri `segment` `text` */
    IR_TERM_ID,      /* urn:uuid:`text` */
    IR_TERM_LITERAL, /* `text` with the datatype `name` */
    IR_TERM_DATA     /* the bytes of `text` as xsd:base64Binary, which `name` says */
} ir_term_kind_t;

typedef struct ir_term {
    ir_term_kind_t kind;
    ir_name_t name;
    const char *segment;
    ir_view_t text;
} ir_term_t;

typedef struct ir_statement {
    const ir_term_t *subject; /* statements with one subject stand together */
    ir_name_t predicate;
    ir_term_t object;
} ir_statement_t;

#define IR_STATEMENTS_MAX 32

/* Filled anew for each observation; owns the texts that are not the observation's. Points into
 * itself: not to be copied. */
typedef struct ir_statements {
    ir_statement_t items[IR_STATEMENTS_MAX];
    size_t count;
    ir_view_t base_iri;
    ir_term_t self, instant, result;
    char id[IR_ID_TEXT_SIZE], other_id[IR_ID_TEXT_SIZE], superseded_id[IR_ID_TEXT_SIZE];
    char time[IR_TIME_SIZE];
    char number[IR_NUMBER_SIZE], source_number[IR_NUMBER_SIZE], sum[IR_NUMBER_SIZE];
} ir_statements_t;

/* The statements of one observation; that of its type stands last. `previous` is the observation
 * that stands just before it in the same output, or NULL: an instant that both share is not
 * described again. */
void ir_statements_observation(ir_statements_t *statements, const ir_observation_t *observation,
                               const ir_observation_t *previous, const ir_id_t *raw_id,
                               const ir_format_options_t *options);

/* Of one revision; also with the type last. */
void ir_statements_revision(ir_statements_t *statements, const ir_revision_t *revision,
                            const ir_format_options_t *options);

/* Those of a format item: calls `write` once for every accepted observation, or for the revision.
 * `observation` is the one they are about, `nth` counts the calls. */
typedef void (*ir_statements_write_fn)(ir_buffer_t *out, const ir_statements_t *statements,
                                       const ir_observation_t *observation,
                                       const ir_format_options_t *options, uint32_t nth);
void ir_statements_each(ir_buffer_t *out, const ir_format_item_t *item,
                        const ir_format_options_t *options, ir_statements_write_fn write);

/* Appends a term's IRI without brackets; not for literals. */
void ir_term_append_iri(ir_buffer_t *out, const ir_term_t *term, ir_view_t base_iri);

/* Appends a term as N-Triples and Turtle both write it. */
void ir_term_append(ir_buffer_t *out, const ir_term_t *term, ir_view_t base_iri);

#endif
