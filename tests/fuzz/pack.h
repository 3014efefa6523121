/* Checks a SenML pack in JSON or CBOR: the resolved records must keep the promises of senml.h. */
#ifndef IR_TESTS_FUZZ_PACK_H
#define IR_TESTS_FUZZ_PACK_H

#include "observation/senml/senml.h"
#include "tests/fuzz/fuzz.h"

#include <stddef.h>

/* Memory limit for decoding a body. For each record the decoder reserves space for a record and a
 * refusal, together 368 bytes, before it knows which of them it needs; a CBOR record may be one
 * byte. A JSON value of two bytes takes 80 bytes in the parser. */
#define FUZZ_PACK_FIXED ((size_t)256 * 1024)
#define FUZZ_PACK_FACTOR 400

void fuzz_pack(ir_media_t media, const uint8_t *data, size_t size);

#endif
