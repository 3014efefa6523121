#include "feed/pack.h"

#include "common/number.h"
#include "observation/senml/senml.h"
#include "observation/senml/writer.h"

#include <string.h>

bool ir_pack_joins(const ir_pack_draft_t *draft, const ir_reading_t *reading) {
    return draft->n_values > 0 && draft->pack.time_ns == reading->time_ns &&
           ir_view_equal(draft->pack.mote, reading->mote) &&
           draft->n_values + reading->n_values <= IR_PACK_RECORDS_MAX;
}

static bool has(const ir_pack_draft_t *draft, const ir_reading_value_t *value) {
    for (size_t i = 0; i < draft->n_values; i++) {
        if (draft->values[i].number == value->number &&
            ir_view_equal(draft->values[i].sensor, value->sensor)) {
            return true;
        }
    }
    return false;
}

void ir_pack_add(ir_pack_draft_t *draft, const ir_reading_t *reading) {
    draft->pack.mote = reading->mote;
    draft->pack.time_ns = reading->time_ns;
    for (size_t i = 0; i < reading->n_values; i++) {
        if (!has(draft, &reading->values[i])) {
            draft->values[draft->n_values++] = reading->values[i];
        }
    }
}

/* A pack with a secondary unit must state the SenML version that defines such units (RFC 9100). */
static unsigned version_of(const ir_pack_draft_t *draft) {
    for (size_t i = 0; i < draft->n_values; i++) {
        if (draft->values[i].unit != NULL && draft->values[i].unit->secondary) {
            return IR_SENML_VERSION;
        }
    }
    return 0;
}

static void write_record(const ir_pack_writer_t *writer, const ir_reading_value_t *value,
                         bool first, ir_buffer_t *out, ir_buffer_t *label) {
    char text[IR_NUMBER_SIZE];
    const size_t size = ir_number_format(value->number, text);
    ir_buffer_clear(label);
    writer->label(label, value->sensor.data, value->unit != NULL ? value->unit->senml : NULL);
    writer->record(out,
                   &(ir_pack_record_t){.label = ir_buffer_view(label),
                                       .text = ir_view(text, size),
                                       .value = value->number},
                   first);
}

static void write_body(const ir_pack_draft_t *draft, ir_buffer_t *out) {
    const ir_pack_writer_t *writer = ir_pack_writer(IR_PACK_JSON);
    ir_buffer_t label;
    ir_buffer_init(&label);
    writer->head(out,
                 &(ir_pack_head_t){.n_records = draft->n_values, .version = version_of(draft)});
    writer->time(out, draft->pack.time_ns);
    for (size_t i = 0; i < draft->n_values; i++) {
        write_record(writer, &draft->values[i], i == 0, out, &label);
    }
    writer->tail(out);
    out->failed = out->failed || label.failed;
    ir_buffer_free(&label);
}

bool ir_pack_finish(ir_pack_draft_t *draft, ir_arena_t *arena, ir_buffer_t *scratch) {
    ir_pack_t *pack = &draft->pack;
    ir_buffer_clear(scratch);
    write_body(draft, scratch);
    if (!ir_buffer_ok(scratch)) {
        return false;
    }
    pack->body = ir_arena_copy(arena, ir_buffer_view(scratch));
    draft->n_values = 0;
    return pack->body.data != NULL;
}
