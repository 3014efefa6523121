/* Turns an observation into RDF statements. Every RDF syntax writes these statements, so all of
 * them give the same graph. */
#ifndef IR_ANNOTATION_FORMATS_RDF_STATEMENTS_H
#define IR_ANNOTATION_FORMATS_RDF_STATEMENTS_H

#include "annotation/formats/format.h"
#include "annotation/formats/rdf/vocabulary.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/number.h"

typedef enum ir_term_kind {
    IR_TERM_NAME,    /* `name` */
    IR_TERM_IRI,     /* `text` */
    IR_TERM_MINTED,  /* base_iri `segment` `text` */
    IR_TERM_ID,      /* urn:uuid:`text` */
    IR_TERM_LITERAL, /* `text` with the datatype `name` */
    IR_TERM_DATA     /* the bytes of `text` as base64; `name` is xsd:base64Binary */
} ir_term_kind_t;

typedef struct ir_term {
    ir_term_kind_t kind;
    ir_name_t name;
    const char *segment;
    ir_view_t text;
} ir_term_t;

typedef struct ir_statement {
    const ir_term_t *subject; /* all statements of one subject are adjacent */
    ir_name_t predicate;
    ir_term_t object;
} ir_statement_t;

#define IR_STATEMENTS_MAX 32

/* Filled again for each observation. Owns the texts that the observation does not own. Do not copy
 * it: it points into itself. */
typedef struct ir_statements {
    ir_statement_t items[IR_STATEMENTS_MAX];
    size_t count;
    ir_view_t base_iri;
    ir_term_t self, instant, result;
    char id[IR_ID_TEXT_SIZE], other_id[IR_ID_TEXT_SIZE], superseded_id[IR_ID_TEXT_SIZE];
    char time[IR_TIME_SIZE];
    char number[IR_NUMBER_SIZE], source_number[IR_NUMBER_SIZE], sum[IR_NUMBER_SIZE];
} ir_statements_t;

/* Makes the statements of one observation; the one with its type comes last. `previous` is the
 * observation just before it in the same output, or NULL. A time instant that both share is not
 * described again. */
void ir_statements_observation(ir_statements_t *statements, const ir_observation_t *observation,
                               const ir_observation_t *previous, const ir_id_t *raw_id,
                               const ir_format_options_t *options);

/* Makes the statements of one revision; the one with its type comes last. */
void ir_statements_revision(ir_statements_t *statements, const ir_revision_t *revision,
                            const ir_format_options_t *options);

/* Makes the statements of a format item: calls `write` once for every accepted observation, or for
 * the revision. `observation` is the described observation; `nth` counts the calls. */
typedef void (*ir_statements_write_fn)(ir_buffer_t *out, const ir_statements_t *statements,
                                       const ir_observation_t *observation,
                                       const ir_format_options_t *options, uint32_t nth);
void ir_statements_each(ir_buffer_t *out, const ir_format_item_t *item,
                        const ir_format_options_t *options, ir_statements_write_fn write);

/* Appends the term's IRI without brackets. Not for literals. */
void ir_term_append_iri(ir_buffer_t *out, const ir_term_t *term, ir_view_t base_iri);

/* Appends a term in the form that N-Triples and Turtle share. */
void ir_term_append(ir_buffer_t *out, const ir_term_t *term, ir_view_t base_iri);

#endif
