#include "tests/fuzz/pack.h"

#include <math.h>
#include <stdlib.h>

#define NOW_NS INT64_C(1400000000000000000)

static void check_refusals(const ir_senml_pack_t *pack) {
    for (size_t i = 0; i < pack->n_refusals; i++) {
        const ir_refusal_t *refusal = &pack->refusals[i];
        const bool whole = refusal->record < 0;
        if (refusal->reason == IR_REASON_NONE ||
            (i <= IR_REFUSALS_LISTED && refusal->detail[0] == '\0') ||
            (whole && (pack->n_refusals != 1 || pack->n_records != 0)) ||
            (i > 0 && refusal->record <= pack->refusals[i - 1].record)) {
            abort();
        }
    }
}

static void check_pack(const ir_senml_pack_t *pack) {
    if (pack->n_records + pack->n_refusals == 0) {
        abort();
    }
    for (size_t i = 0; i < pack->n_records; i++) {
        const ir_senml_record_t *record = &pack->records[i];
        if (record->name.size == 0 || record->name.size > IR_NAME_SIZE_MAX ||
            record->unit.size > IR_UNIT_SIZE_MAX || record->time_ns % 1000 != 0 ||
            (i > 0 && record->position <= pack->records[i - 1].position) ||
            (record->value.kind == IR_VALUE_NUMBER && !isfinite(record->value.number))) {
            abort();
        }
    }
    check_refusals(pack);
}

void fuzz_pack(ir_media_t media, const uint8_t *data, size_t size) {
    fuzz_watch(FUZZ_PACK_FIXED, FUZZ_PACK_FACTOR, size);
    ir_arena_t *arena = ir_arena_new(4096);
    ir_senml_pack_t pack;
    const ir_senml_clock_t clock = {.arrival_ns = NOW_NS};
    if (arena != NULL && ir_senml_decode(media, fuzz_view(data, size), clock,
                                         &ir_senml_limits_default, arena, &pack) == IR_OK) {
        check_pack(&pack);
    }
    ir_arena_free(arena);
    fuzz_unwatch();
}
