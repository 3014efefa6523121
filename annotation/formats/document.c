#include "annotation/formats/document.h"

#include "annotation/formats/formats.h"
#include "annotation/quality/reasons.h"
#include "common/base64.h"
#include "common/clock.h"

static void append_key(ir_buffer_t *out, const char *key) {
    ir_buffer_append(out, ",\"", 2);
    ir_buffer_append_text(out, key);
    ir_buffer_append(out, "\":", 2);
}

static void append_member(ir_buffer_t *out, const char *key, const char *text) {
    append_key(out, key);
    ir_buffer_append_json_string(out, ir_view_text(text));
}

static void append_id(ir_buffer_t *out, const ir_id_t *id) {
    char text[IR_ID_TEXT_SIZE];
    ir_buffer_append_char(out, '"');
    ir_buffer_append(out, ir_id_format(id, text), IR_ID_TEXT_SIZE - 1);
    ir_buffer_append_char(out, '"');
}

void ir_document_append_value(ir_buffer_t *out, const ir_value_t *value) {
    switch (value->kind) {
    case IR_VALUE_NUMBER:
        ir_buffer_append_double(out, value->number);
        break;
    case IR_VALUE_STRING:
        ir_buffer_append_json_string(out, value->bytes);
        break;
    case IR_VALUE_BOOL:
        ir_buffer_append_text(out, value->boolean ? "true" : "false");
        break;
    case IR_VALUE_DATA:
        ir_buffer_append_char(out, '"');
        ir_base64_append(out, value->bytes, true);
        ir_buffer_append_char(out, '"');
        break;
    case IR_VALUE_NONE:
        ir_buffer_append_text(out, "null");
        break;
    }
}

static void append_source(ir_buffer_t *out, const ir_observation_t *observation) {
    append_key(out, "source");
    ir_buffer_append_text(out, "{\"value\":");
    ir_document_append_value(out, &observation->source_value);
    if (observation->source_unit.size > 0) {
        append_key(out, "unit");
        ir_buffer_append_json_string(out, observation->source_unit);
    }
    if (observation->has_sum) {
        append_key(out, "sum");
        ir_buffer_append_double(out, observation->sum);
    }
    ir_buffer_append_char(out, '}');
}

static void append_flags(ir_buffer_t *out, const ir_observation_t *observation) {
    append_key(out, "flags");
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        ir_buffer_append_text(out, test == 0 ? "{\"" : ",\"");
        ir_buffer_append_text(out, ir_test_text((ir_test_t)test));
        ir_buffer_append(out, "\":", 2);
        ir_buffer_append_uint(out, observation->flags[test]);
    }
    ir_buffer_append_char(out, '}');
    append_key(out, "aggregate");
    ir_buffer_append_uint(out, observation->aggregate);
    append_member(out, "quality", ir_flag_text(observation->aggregate));
    if (ir_flag_is_bad(observation->aggregate)) {
        append_key(out, "reasons");
        ir_buffer_append_char(out, '"');
        ir_reasons_append(out, observation);
        ir_buffer_append_char(out, '"');
    }
}

static void append_sensor(ir_buffer_t *out, const ir_sensor_t *sensor) {
    append_member(out, "mote", sensor->mote->id);
    append_member(out, "sensor", sensor->name);
    append_member(out, "sensor_iri", sensor->iri);
    append_member(out, "property", sensor->property->key);
    append_member(out, "property_iri", sensor->property->iri);
    append_member(out, "feature", sensor->feature->iri);
    if (sensor->procedure_iri != NULL) {
        append_member(out, "procedure", sensor->procedure_iri);
    }
}

void ir_document_append(ir_buffer_t *out, const ir_observation_t *observation,
                        const ir_id_t *raw_id) {
    const ir_sensor_t *sensor = observation->sensor;
    char time[IR_TIME_SIZE];
    ir_clock_format(observation->time_ns, time);
    ir_buffer_append_text(out, "{\"id\":");
    append_id(out, &observation->id);
    append_key(out, "raw");
    append_id(out, raw_id);
    append_sensor(out, sensor);
    append_member(out, "time", time);
    append_key(out, "value");
    ir_document_append_value(out, &observation->value);
    if (sensor->unit != NULL) {
        append_member(out, "unit", sensor->unit->ucum);
    }
    if (sensor->unit_iri != NULL) {
        append_member(out, "unit_iri", sensor->unit_iri);
    }
    append_source(out, observation);
    append_flags(out, observation);
    append_key(out, "late");
    ir_buffer_append_text(out, observation->late ? "true" : "false");
    append_key(out, "record");
    ir_buffer_append_int(out, observation->record);
    ir_buffer_append_char(out, '}');
}

static void write_line(ir_buffer_t *out, const ir_observation_t *observation,
                       const ir_id_t *raw_id) {
    ir_document_append(out, observation, raw_id);
    ir_buffer_append_char(out, '\n');
}

static void item_lines(ir_buffer_t *out, const ir_format_item_t *item,
                       const ir_format_options_t *options, bool first) {
    (void)options;
    ir_format_each(out, item, first, "", write_line);
}

const ir_format_t ir_format_json = {.name = "json",
                                    .content_type = "application/x-ndjson",
                                    .has_quality = true,
                                    .item = item_lines};
