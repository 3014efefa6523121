/* The processed document of one observation as JSON: what the "json" format, the documents' export
 * and docs/formats.md call a document. */
#ifndef IR_ANNOTATION_DOCUMENT_H
#define IR_ANNOTATION_DOCUMENT_H

#include "common/buffer.h"
#include "observation/batch.h"

/* Appends one object without a newline: ids, mote, sensor, property, feature, time, value and unit
 * as registered, source value and unit, every flag by test, aggregate. `raw_id` is of the message
 * that carried it; of the sensor, mote, property and feature ids, names, keys, IRIs and units are
 * read. */
void ir_document_append(ir_buffer_t *out, const ir_observation_t *observation,
                        const ir_id_t *raw_id);

/* Appends a value as JSON: a number, string, true or false, data as base64url, or null. */
void ir_document_append_value(ir_buffer_t *out, const ir_value_t *value);

#endif
