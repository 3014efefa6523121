/* Functions that the formats share. */
#ifndef IR_ANNOTATION_FORMATS_FORMATS_H
#define IR_ANNOTATION_FORMATS_FORMATS_H

#include "annotation/formats/format.h"

#define IR_FORMAT_DECLARE(name) extern const ir_format_t ir_format_##name;
IR_FORMATS(IR_FORMAT_DECLARE, )
#undef IR_FORMAT_DECLARE

/* Calls `write` for every accepted observation of the item, or for the revised one. Puts
 * `separator` between two observations and, unless this is the first item, before the first one. */
typedef void (*ir_format_write_fn)(ir_buffer_t *out, const ir_observation_t *observation,
                                   const ir_id_t *raw_id);
void ir_format_each(ir_buffer_t *out, const ir_format_item_t *item, bool first,
                    const char *separator, ir_format_write_fn write);

#endif
