/* OGC SensorThings API (18-088, section 8.2.8): Observation entities with their Datastream and
 * FeatureOfInterest inline, as the "value" array of a collection. */
#include "annotation/formats/document.h"
#include "annotation/formats/formats.h"
#include "common/clock.h"

#define OBSERVATION_TYPE "http://www.opengis.net/def/observationType/OGC-OM/2.0/"

static void append_name(ir_buffer_t *out, const char *before, const char *text) {
    ir_buffer_append_text(out, before);
    ir_buffer_append_json_string(out, ir_view_text(text));
}

/* The standard requires a name for everything; without a label the id serves as the name. */
static const char *name_of(const char *label, const char *id) {
    return label[0] != '\0' ? label : id;
}

static const char *observation_type(const ir_value_t *value) {
    switch (value->kind) {
    case IR_VALUE_NUMBER:
        return OBSERVATION_TYPE "OM_Measurement";
    case IR_VALUE_BOOL:
        return OBSERVATION_TYPE "OM_TruthObservation";
    default:
        return OBSERVATION_TYPE "OM_Observation";
    }
}

static void append_unit(ir_buffer_t *out, const ir_sensor_t *sensor) {
    if (sensor->unit == NULL) {
        ir_buffer_append_text(out, ",\"unitOfMeasurement\":{\"name\":null,\"symbol\":null,"
                                   "\"definition\":null}");
        return;
    }
    append_name(out, ",\"unitOfMeasurement\":{\"name\":", sensor->unit->label);
    append_name(out, ",\"symbol\":", sensor->unit->ucum);
    append_name(out, ",\"definition\":", sensor->unit_iri != NULL ? sensor->unit_iri : "");
    ir_buffer_append_char(out, '}');
}

static void append_datastream(ir_buffer_t *out, const ir_observation_t *observation) {
    const ir_sensor_t *sensor = observation->sensor;
    append_name(out, ",\"Datastream\":{\"@iot.id\":", sensor->name);
    append_name(out, ",\"name\":", name_of(sensor->label, sensor->name));
    append_name(out, ",\"observationType\":", observation_type(&observation->value));
    append_unit(out, sensor);
    append_name(out, ",\"ObservedProperty\":{\"name\":",
                name_of(sensor->property->label, sensor->property->key));
    append_name(out, ",\"definition\":", sensor->property->iri);
    append_name(out, "},\"Sensor\":{\"@iot.id\":", sensor->iri);
    append_name(out, ",\"name\":", name_of(sensor->label, sensor->name));
    append_name(out, "},\"Thing\":{\"@iot.id\":", sensor->mote->id);
    append_name(out, ",\"name\":", name_of(sensor->mote->label, sensor->mote->id));
    ir_buffer_append_text(out, "}}");
}

static void append_quality(ir_buffer_t *out, const ir_observation_t *observation) {
    ir_buffer_append_text(out, ",\"resultQuality\":{\"scheme\":\"QARTOD\",\"flag\":");
    ir_buffer_append_uint(out, observation->aggregate);
    append_name(out, ",\"meaning\":", ir_flag_text(observation->aggregate));
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        ir_buffer_append_text(out, ",\"");
        ir_buffer_append_text(out, ir_test_text((ir_test_t)test));
        ir_buffer_append(out, "\":", 2);
        ir_buffer_append_uint(out, observation->flags[test]);
    }
    ir_buffer_append_char(out, '}');
}

static void append_parameters(ir_buffer_t *out, const ir_observation_t *observation,
                              const ir_id_t *raw_id) {
    char id[IR_ID_TEXT_SIZE];
    append_name(out, ",\"parameters\":{\"rawMessage\":", ir_id_format(raw_id, id));
    ir_buffer_append_text(out, ",\"sourceValue\":");
    ir_document_append_value(out, &observation->source_value);
    ir_buffer_append_text(out, ",\"sourceUnit\":");
    ir_buffer_append_json_string(out, observation->source_unit);
    ir_buffer_append_char(out, '}');
}

static void append_feature(ir_buffer_t *out, const ir_feature_t *feature, const ir_mote_t *mote) {
    append_name(out, ",\"FeatureOfInterest\":{\"@iot.id\":", feature->iri);
    append_name(out, ",\"name\":", name_of(feature->label, feature->iri));
    if (mote->has_place) {
        ir_buffer_append_text(out, ",\"encodingType\":\"application/geo+json\",\"feature\":{"
                                   "\"type\":\"Point\",\"coordinates\":[");
        ir_buffer_append_double(out, mote->longitude);
        ir_buffer_append_char(out, ',');
        ir_buffer_append_double(out, mote->latitude);
        ir_buffer_append_text(out, "]}");
    }
    ir_buffer_append_char(out, '}');
}

static void write_entity(ir_buffer_t *out, const ir_observation_t *observation,
                         const ir_id_t *raw_id) {
    char id[IR_ID_TEXT_SIZE];
    char time[IR_TIME_SIZE];
    ir_clock_format(observation->time_ns, time);
    append_name(out, "{\"@iot.id\":", ir_id_format(&observation->id, id));
    append_name(out, ",\"phenomenonTime\":", time);
    append_name(out, ",\"resultTime\":", time);
    ir_buffer_append_text(out, ",\"result\":");
    ir_document_append_value(out, &observation->value);
    append_quality(out, observation);
    append_parameters(out, observation, raw_id);
    append_datastream(out, observation);
    append_feature(out, observation->sensor->feature, observation->sensor->mote);
    ir_buffer_append_char(out, '}');
}

static void head(ir_buffer_t *out, const ir_format_options_t *options) {
    (void)options;
    ir_buffer_append_text(out, "{\"value\":[\n");
}

static void tail(ir_buffer_t *out, const ir_format_options_t *options) {
    (void)options;
    ir_buffer_append_text(out, "\n]}\n");
}

static void item_entities(ir_buffer_t *out, const ir_format_item_t *item,
                          const ir_format_options_t *options, bool first) {
    (void)options;
    ir_format_each(out, item, first, ",\n", write_entity);
}

const ir_format_t ir_format_sensorthings = {.name = "sensorthings",
                                            .content_type = "application/json",
                                            .has_quality = true,
                                            .head = head,
                                            .tail = tail,
                                            .item = item_entities};
