/* Decodes the pack in a stored raw message, as the worker did. */
#ifndef IR_STORE_COMMAND_RAW_PACK_H
#define IR_STORE_COMMAND_RAW_PACK_H

#include "observation/senml/senml.h"
#include "store/documents/documents.h"

/* Accepts everything that a worker may have accepted, whatever its limits were. A message that
 * cannot be decoded has no records. Results as for ir_senml_decode. */
ir_status_t ir_raw_pack(const ir_raw_document_t *raw, ir_arena_t *arena, ir_senml_pack_t *pack);

/* Whether the stored id follows from this pack, the stored name, and the stored arrival taken as
 * the stamp. It does not if times are relative and the arrival was never stamped. */
bool ir_raw_pack_follows(const ir_raw_document_t *raw, const ir_senml_pack_t *pack);

/* The id of a message with neither a name nor a known arrival. */
ir_id_t ir_raw_plain_id(const ir_raw_document_t *raw);

#endif
