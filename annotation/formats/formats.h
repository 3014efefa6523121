/* Declares the formats, one file each. format.c puts them into its table. */
#ifndef IR_ANNOTATION_FORMATS_FORMATS_H
#define IR_ANNOTATION_FORMATS_FORMATS_H

#include "annotation/formats/format.h"

extern const ir_format_t ir_format_ntriples, ir_format_nquads; /* triples.c */
extern const ir_format_t ir_format_turtle;
extern const ir_format_t ir_format_jsonld;
extern const ir_format_t ir_format_sensorthings;
extern const ir_format_t ir_format_senml; /* resolved.c */
extern const ir_format_t ir_format_csv;
extern const ir_format_t ir_format_json; /* document.c */

/* Calls `write` for every accepted observation of the item, or for the revised one. Puts
 * `separator` between two observations and, unless this is the first item, before the first one. */
typedef void (*ir_format_write_fn)(ir_buffer_t *out, const ir_observation_t *observation,
                                   const ir_id_t *raw_id);
void ir_format_each(ir_buffer_t *out, const ir_format_item_t *item, bool first,
                    const char *separator, ir_format_write_fn write);

#endif
