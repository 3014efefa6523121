/* The body of a message on its way through the worker: it is decoded, resolved with a registry, and
 * written in every format. SenML that is published again must be a pack that our own decoder
 * accepts. */
#include "annotation/formats/format.h"
#include "observation/analysis.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define REGISTRY "tests/data/annotate/lake.ttl"
#define BASE "https://example.org/"
#define NOW_NS INT64_C(1400000000000000000)
#define FIXED ((size_t)1024 * 1024) /* a batch has two arenas of 256 KiB */
#define FACTOR 600                  /* beside decoding: 300 bytes for an observation or a refusal */
#define WRITTEN_FACTOR 8192         /* an observation of ten bytes becomes 3 KB of N-Quads */

static const ir_format_options_t options = {
    .base_iri = BASE, .detail = IR_DETAIL_FULL, .naming = IR_GRAPH_DAY};

static void check_senml(const ir_buffer_t *out, const ir_message_t *message) {
    ir_senml_limits_t limits = ir_senml_limits_default;
    limits.bytes = SIZE_MAX;
    limits.future_ns = INT64_MAX / 2;
    ir_senml_pack_t pack;
    ir_arena_t *arena = ir_arena_new(4096);
    const ir_senml_clock_t clock = {.arrival_ns = NOW_NS};
    if (arena != NULL &&
        ir_senml_decode(IR_MEDIA_SENML_JSON, ir_buffer_view(out), clock, &limits, arena, &pack) ==
            IR_OK &&
        (pack.n_refusals != 0 || pack.n_records != message->n_observations)) {
        abort();
    }
    ir_arena_free(arena);
}

static void write_all(const ir_batch_t *batch, const ir_message_t *message) {
    size_t count = 0;
    const ir_format_t *const *formats = ir_formats(&count);
    const ir_format_item_t item = {.batch = batch, .message = message};
    for (size_t i = 0; i < count && !ir_format_item_empty(&item); i++) {
        ir_buffer_t out;
        ir_buffer_init(&out);
        if (formats[i]->head != NULL) {
            formats[i]->head(&out, &options);
        }
        formats[i]->item(&out, &item, &options, true);
        if (formats[i]->tail != NULL) {
            formats[i]->tail(&out, &options);
        }
        if (strcmp(formats[i]->name, "senml") == 0 && ir_buffer_ok(&out)) {
            check_senml(&out, message);
        }
        ir_buffer_free(&out);
    }
}

static void check_message(const ir_batch_t *batch, const ir_message_t *message) {
    if ((message->n_observations + message->n_refusals == 0) != (message->body.size == 0) ||
        message->n_refusals > IR_REFUSALS_LISTED + 1 ||
        (message->refused && message->n_observations > 0)) {
        abort();
    }
    for (uint32_t i = 0; i < message->n_observations; i++) {
        if (batch->observations[message->first_observation + i].sensor == NULL) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ir_registry_t *registry;
    ir_error_t error;
    if (registry == NULL && ir_registry_load(REGISTRY, &registry, NULL, &error) != IR_OK) {
        abort(); /* missing if not run in the root of the source tree */
    }
    const ir_analysis_t analysis = {.limits = ir_senml_limits_default,
                                    .accept_unregistered = true,
                                    .base_iri = BASE,
                                    .infer_mote = true};
    const ir_batch_input_t input = {.body = fuzz_view(data, size), .arrival_ns = NOW_NS};
    const size_t expanded = fuzz_expanded_size(data, size, analysis.limits.bytes);
    fuzz_watch(FIXED, FACTOR, expanded);
    ir_batch_t *batch = ir_batch_new(registry);
    const bool added = batch != NULL && ir_batch_add(batch, &analysis, &input) == IR_OK;
    fuzz_unwatch();
    if (added) {
        check_message(batch, &batch->messages[0]);
        fuzz_watch(FIXED, WRITTEN_FACTOR, expanded);
        write_all(batch, &batch->messages[0]);
        fuzz_unwatch();
    }
    ir_batch_free(batch);
    return 0;
}
