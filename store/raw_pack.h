/* The pack in a stored raw message, decoded as the worker did. */
#ifndef IR_STORE_RAW_PACK_H
#define IR_STORE_RAW_PACK_H

#include "observation/senml.h"
#include "store/documents.h"

/* Takes all that a worker may have taken, whatever its limits were. What cannot be decoded has no
 * records. As ir_senml_decode. */
ir_status_t ir_raw_pack(const ir_raw_document_t *raw, ir_arena_t *arena, ir_senml_pack_t *pack);

/* Whether a message with this pack, the stored name and the stored arrival as its stamp has the
 * stored id: not when it counts from an arrival that nobody stamped. */
bool ir_raw_pack_follows(const ir_raw_document_t *raw, const ir_senml_pack_t *pack);

/* The id of what has neither a name nor a known arrival. */
ir_id_t ir_raw_plain_id(const ir_raw_document_t *raw);

#endif
