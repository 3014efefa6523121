/* SenML in JSON. */
#include "tests/fuzz/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_pack(IR_MEDIA_SENML_JSON, data, size);
    return 0;
}
