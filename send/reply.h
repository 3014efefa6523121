/* What ir-ingest answers to a request that carried several packs, one a line
 * (docs/reference/openapi.yaml): that it has them, or which of them are why it took none. */
#ifndef IR_SEND_REPLY_H
#define IR_SEND_REPLY_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_reply ir_reply_t;

/* NULL when this is no such answer, or memory is out. */
ir_reply_t *ir_reply_parse(ir_view_t body);
void ir_reply_free(ir_reply_t *reply);

/* Whether it names a raw id for each of the request's `count` packs: all of them were taken. Which
 * ids is the gateway's to say, since those of relative packs come from the arrival. False for NULL.
 */
bool ir_reply_takes(const ir_reply_t *reply, size_t count);

/* Whether something of this pack is refused; then `why` gets the first reason, cut to `size`. An
 * answer lists some of them only; those of a request with a single pack have no line:
 * IR_REPLY_WHOLE. False for NULL. */
#define IR_REPLY_WHOLE SIZE_MAX
bool ir_reply_refuses(const ir_reply_t *reply, size_t place, char *why, size_t size);

/* Whether an answer is worth parsing for that. */
bool ir_reply_mentions_refusals(ir_view_t body);

#endif
