/* Parses the answer of ir-ingest to a request with several packs, one per line
 * (docs/reference/openapi.yaml). It accepts all packs, or accepts none and names the ones at fault.
 */
#ifndef IR_SEND_REPLY_H
#define IR_SEND_REPLY_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_reply ir_reply_t;

/* NULL if it is not such an answer, or when out of memory. */
ir_reply_t *ir_reply_parse(ir_view_t body);
void ir_reply_free(ir_reply_t *reply);

/* Whether it has a raw id for each of the request's `count` packs, which means that all were
 * accepted. The ids themselves are not checked, because those of relative packs depend on the
 * arrival. False for NULL.
 * */
bool ir_reply_takes(const ir_reply_t *reply, size_t count);

/* Whether any part of this pack is refused; then `why` gets the first reason, truncated to `size`.
 * An answer lists only some of the reasons. In an answer for a single pack they have no line
 * number: use IR_REPLY_WHOLE. False for NULL. */
#define IR_REPLY_WHOLE SIZE_MAX
bool ir_reply_refuses(const ir_reply_t *reply, size_t place, char *why, size_t size);

/* Whether an answer may contain such reasons, so that parsing it is worthwhile. */
bool ir_reply_mentions_refusals(ir_view_t body);

#endif
