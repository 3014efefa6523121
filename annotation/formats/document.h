/* The processed document of one observation as JSON. The "json" format and the export of the
 * document store both write it; docs/reference/formats.md describes it. */
#ifndef IR_ANNOTATION_FORMATS_DOCUMENT_H
#define IR_ANNOTATION_FORMATS_DOCUMENT_H

#include "common/buffer.h"
#include "observation/batch.h"

/* Appends one JSON object without a newline: ids, mote, sensor, property, feature, time, value and
 * unit as registered, source value and unit, the flag of every test, the aggregate flag, and the
 * reasons if it is suspect or fail. `raw_id` is the id of the message that carried the observation.
 * Of the sensor, mote, property and feature it uses ids, names, keys, IRIs and units. */
void ir_document_append(ir_buffer_t *out, const ir_observation_t *observation,
                        const ir_id_t *raw_id);

/* Appends a value as JSON: a number, string, true or false, data as base64url, or null. */
void ir_document_append_value(ir_buffer_t *out, const ir_value_t *value);

#endif
