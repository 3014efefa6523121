/* SenML in JSON and CBOR; what is resolved must hold what the header promises. */
#include "observation/senml.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>

#define NOW_NS INT64_C(1400000000000000000)

static void check_pack(const ir_senml_pack_t *pack) {
    if (pack->n_records + pack->n_refusals == 0) {
        abort();
    }
    for (size_t i = 0; i < pack->n_records; i++) {
        const ir_senml_record_t *record = &pack->records[i];
        if (record->name.size == 0 || record->name.size > IR_NAME_SIZE_MAX ||
            record->unit.size > IR_UNIT_SIZE_MAX ||
            (record->value.kind == IR_VALUE_NUMBER && !isfinite(record->value.number))) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const ir_media_t media[] = {IR_MEDIA_SENML_JSON, IR_MEDIA_SENML_CBOR};
    for (int i = 0; i < 2; i++) {
        ir_arena_t *arena = ir_arena_new(4096);
        ir_senml_pack_t pack;
        const ir_senml_clock_t clock = {.arrival_ns = NOW_NS};
        if (arena != NULL && ir_senml_decode(media[i], ir_view((const char *)data, size), clock,
                                             &ir_senml_limits_default, arena, &pack) == IR_OK) {
            check_pack(&pack);
        }
        ir_arena_free(arena);
    }
    return 0;
}
