/* Finds the pack in a message's body, tolerating what clients send by default:
 *
 *   gzip          recognized by its first two bytes, with which no pack begins; content_encoding is
 * ignored, because not every protocol has it content type  if it is unspecific, the first byte
 * decides (ir_media_of) nothing       an empty body gives no records and no refusals: in MQTT it
 * clears a retained topic
 *
 * Raw ids and raw documents use the bytes as sent. Any thread. */
#ifndef IR_OBSERVATION_BODY_H
#define IR_OBSERVATION_BODY_H

#include "observation/senml/senml.h"

/* Like ir_senml_decode; limits->bytes also bounds the expansion of gzip. */
ir_status_t ir_body_decode(ir_view_t content_type, ir_view_t body, ir_senml_clock_t clock,
                           const ir_senml_limits_t *limits, ir_arena_t *arena,
                           ir_senml_pack_t *pack);

#endif
