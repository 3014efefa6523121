/* The body of a message, as clients send it with their defaults: the pack in it, whatever stands
 * around that.
 *
 *   gzip          told from its first two bytes, with which no pack begins; the property
 *                 content_encoding adds nothing to that, and not every protocol has it
 *   content type  one that says nothing of SenML: the first byte tells (ir_media_of)
 *   nothing       no records and no refusals: by MQTT, an empty message clears a retained topic
 *
 * Raw ids and raw documents are of the bytes as they were sent. Any thread. */
#ifndef IR_OBSERVATION_BODY_H
#define IR_OBSERVATION_BODY_H

#include "observation/senml/senml.h"

/* As ir_senml_decode; what comes out of gzip is bounded by limits->bytes, too. */
ir_status_t ir_body_decode(ir_view_t content_type, ir_view_t body, ir_senml_clock_t clock,
                           const ir_senml_limits_t *limits, ir_arena_t *arena,
                           ir_senml_pack_t *pack);

#endif
