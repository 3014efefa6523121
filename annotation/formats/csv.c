/* CSV (RFC 4180) with a header line. Lines end in CR LF, as the RFC requires. */
#include "annotation/formats/formats.h"
#include "annotation/quality/reasons.h"
#include "common/base64.h"
#include "common/clock.h"

#include <string.h>

static void append_field(ir_buffer_t *out, ir_view_t text) {
    bool plain = true;
    for (size_t i = 0; i < text.size && plain; i++) {
        plain = text.data[i] != '\0' && strchr(",\"\r\n", text.data[i]) == NULL;
    }
    if (plain) {
        ir_buffer_append_view(out, text);
        return;
    }
    ir_buffer_append_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"') {
            ir_buffer_append_char(out, '"');
        }
        ir_buffer_append_char(out, text.data[i]);
    }
    ir_buffer_append_char(out, '"');
}

static void append_value(ir_buffer_t *out, const ir_value_t *value) {
    switch (value->kind) {
    case IR_VALUE_NUMBER:
        ir_buffer_append_double(out, value->number);
        break;
    case IR_VALUE_STRING:
        append_field(out, value->bytes);
        break;
    case IR_VALUE_BOOL:
        ir_buffer_append_text(out, value->boolean ? "true" : "false");
        break;
    case IR_VALUE_DATA:
        ir_base64_append(out, value->bytes, true);
        break;
    case IR_VALUE_NONE:
        break;
    }
}

static void write_row(ir_buffer_t *out, const ir_observation_t *observation,
                      const ir_id_t *raw_id) {
    const ir_sensor_t *sensor = observation->sensor;
    char time[IR_TIME_SIZE];
    char id[IR_ID_TEXT_SIZE];
    ir_buffer_append(out, time, ir_clock_format(observation->time_ns, time));
    const char *const names[] = {sensor->mote->id, sensor->name, sensor->property->key,
                                 sensor->feature->iri};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ir_buffer_append_char(out, ',');
        append_field(out, ir_view_text(names[i]));
    }
    ir_buffer_append_char(out, ',');
    append_value(out, &observation->value);
    ir_buffer_append_char(out, ',');
    append_field(out, ir_view_text(sensor->unit != NULL ? sensor->unit->ucum : ""));
    ir_buffer_append_char(out, ',');
    append_value(out, &observation->source_value);
    ir_buffer_append_char(out, ',');
    append_field(out, observation->source_unit);
    ir_buffer_append_char(out, ',');
    ir_buffer_append_uint(out, observation->aggregate);
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        ir_buffer_append_char(out, ',');
        ir_buffer_append_uint(out, observation->flags[test]);
    }
    ir_buffer_append_text(out, observation->late ? ",true," : ",false,");
    ir_buffer_append(out, ir_id_format(&observation->id, id), IR_ID_TEXT_SIZE - 1);
    ir_buffer_append_char(out, ',');
    ir_buffer_append(out, ir_id_format(raw_id, id), IR_ID_TEXT_SIZE - 1);
    ir_buffer_append_char(out, ',');
    ir_reasons_append(out, observation);
    ir_buffer_append(out, "\r\n", 2);
}

static void head(ir_buffer_t *out, const ir_format_options_t *options) {
    (void)options;
    ir_buffer_append_text(out, "time,mote,sensor,property,feature,value,unit,source_value,"
                               "source_unit,aggregate");
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        ir_buffer_append_char(out, ',');
        ir_buffer_append_text(out, ir_test_text((ir_test_t)test));
    }
    ir_buffer_append_text(out, ",late,id,raw,reasons\r\n");
}

static void item_rows(ir_buffer_t *out, const ir_format_item_t *item,
                      const ir_format_options_t *options, bool first) {
    (void)options;
    ir_format_each(out, item, first, "", write_row);
}

const ir_format_t ir_format_csv = {.name = "csv",
                                   .content_type = "text/csv; charset=utf-8; header=present",
                                   .has_quality = true,
                                   .head = head,
                                   .item = item_rows};
