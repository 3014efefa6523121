/* A SenML pack of either form: what is resolved must hold what senml.h promises. */
#ifndef IR_TESTS_FUZZ_PACK_H
#define IR_TESTS_FUZZ_PACK_H

#include "observation/senml/senml.h"
#include "tests/fuzz/fuzz.h"

#include <stddef.h>

/* What a body may cost to decode: a record and a refusal each have their place, together 368 bytes,
 * before it is known which it will be, and a record of CBOR may be one byte; a JSON value of two
 * bytes is 80 in the parser. */
#define FUZZ_PACK_FIXED ((size_t)256 * 1024)
#define FUZZ_PACK_FACTOR 400

void fuzz_pack(ir_media_t media, const uint8_t *data, size_t size);

#endif
