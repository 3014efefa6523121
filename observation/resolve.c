#include "observation/resolve.h"

#include <math.h>
#include <string.h>

static const char *join(ir_resolution_t *resolution, const char *first, const char *second,
                        ir_view_t third) {
    const size_t sizes[] = {strlen(first), strlen(second)};
    char *text = ir_arena_alloc(resolution->arena, sizes[0] + sizes[1] + third.size + 1);
    if (text == NULL) {
        resolution->out_of_memory = true;
        return "";
    }
    memcpy(text, first, sizes[0]);
    memcpy(text + sizes[0], second, sizes[1]);
    if (third.size > 0) {
        memcpy(text + sizes[0] + sizes[1], third.data, third.size);
    }
    text[sizes[0] + sizes[1] + third.size] = '\0';
    return text;
}

static void *make(ir_resolution_t *resolution, size_t size) {
    void *made = ir_arena_alloc(resolution->arena, size);
    if (made == NULL) {
        resolution->out_of_memory = true;
        return NULL;
    }
    return memset(made, 0, size);
}

/* ---- the mote ---- */

static const ir_mote_t *make_mote(ir_resolution_t *resolution) {
    ir_mote_t *mote = make(resolution, sizeof *mote);
    if (mote != NULL) {
        mote->id = join(resolution, "", "", resolution->mote_id);
        mote->label = mote->id;
        mote->iri = join(resolution, resolution->strangers_iri, "mote/", resolution->mote_id);
    }
    return mote;
}

bool ir_resolve_mote(ir_resolution_t *resolution, ir_refusal_t *refusal) {
    const ir_view_t id = resolution->mote_id;
    resolution->mote = ir_registry_mote(resolution->registry, id);
    if (resolution->mote == NULL && resolution->strangers_iri != NULL) {
        resolution->mote = make_mote(resolution);
    } else if (resolution->mote == NULL) {
        ir_refusal_set(refusal, IR_REASON_UNKNOWN_MOTE, -1, "mote '%.*s' is not in the registry",
                       id.size > 80 ? 80 : (int)id.size, id.data);
    }
    return resolution->mote != NULL && !resolution->out_of_memory;
}

/* ---- the sensor ---- */

static ir_view_t last_segment(ir_view_t name) {
    size_t begin = name.size;
    while (begin > 0 && name.data[begin - 1] != '/') {
        begin--;
    }
    return begin < name.size ? ir_view(name.data + begin, name.size - begin) : name;
}

/* Makes generic terms for an unregistered sensor. */
static const ir_sensor_t *make_sensor(ir_resolution_t *resolution,
                                      const ir_senml_record_t *record) {
    const char *base = resolution->strangers_iri;
    const ir_view_t segment = last_segment(record->name);
    ir_sensor_t *sensor = make(resolution, sizeof *sensor);
    ir_property_t *property = make(resolution, sizeof *property);
    ir_feature_t *feature = make(resolution, sizeof *feature);
    if (resolution->out_of_memory) {
        return NULL;
    }
    property->key = join(resolution, "", "", segment);
    property->label = property->key;
    property->iri = join(resolution, base, "property/", segment);
    feature->iri = join(resolution, base, "feature/", resolution->mote_id);
    feature->label = resolution->mote->id;
    sensor->name = join(resolution, "", "", record->name);
    sensor->label = sensor->name;
    sensor->iri = join(resolution, base, "sensor/", record->name);
    sensor->mote = resolution->mote;
    sensor->property = property;
    sensor->feature = feature;
    sensor->unit = ir_unit_find(record->unit);
    if (sensor->unit != NULL) {
        sensor->unit_iri = join(resolution, IR_QUDT_UNIT, "", ir_view_text(sensor->unit->qudt));
    }
    return resolution->out_of_memory ? NULL : sensor;
}

static const ir_sensor_t *find_sensor(ir_resolution_t *resolution, const ir_senml_record_t *record,
                                      ir_refusal_t *refusal) {
    const ir_view_t name = record->name;
    const ir_sensor_t *sensor = ir_registry_sensor(resolution->registry, name);
    if (sensor == NULL && resolution->mote != NULL && resolution->strangers_iri != NULL) {
        return make_sensor(resolution, record);
    }
    if (sensor == NULL) {
        ir_refusal_set(refusal, IR_REASON_UNKNOWN_SENSOR, record->position,
                       "sensor '%.*s' is not in the registry",
                       name.size > 100 ? 100 : (int)name.size, name.data);
    } else if (sensor->mote != resolution->mote) {
        ir_refusal_set(refusal, IR_REASON_FOREIGN_SENSOR, record->position,
                       "sensor '%.60s' belongs to mote '%.40s'", sensor->name, sensor->mote->id);
        sensor = NULL;
    }
    return sensor;
}

/* ---- the value ---- */

static const char *const kind_texts[] = {
    [IR_VALUE_NONE] = "only a sum", [IR_VALUE_NUMBER] = "a number", [IR_VALUE_STRING] = "a string",
    [IR_VALUE_BOOL] = "a boolean",  [IR_VALUE_DATA] = "data",
};

static bool convert_number(const ir_senml_record_t *record, const ir_sensor_t *sensor,
                           double *number, ir_refusal_t *refusal) {
    const ir_view_t unit = record->unit;
    /* A record without a unit has its sensor's registered unit. */
    if (unit.size == 0 || sensor->unit == NULL) {
        return true;
    }
    /* Units that are not in the table have only a text, and convert only to themselves. */
    const bool same = ir_view_equal(unit, ir_view_text(sensor->unit->senml));
    const ir_unit_t *from = same ? sensor->unit : ir_unit_find(unit);
    if (from == NULL || !ir_unit_converts(from, sensor->unit)) {
        ir_refusal_set(
            refusal, IR_REASON_UNIT, record->position,
            from == NULL
                ? "unit '%.*s' is not known; sensor '%.60s' is in '%.20s' (%.40s)"
                : "unit '%.*s' does not convert to that of sensor '%.60s', '%.20s' (%.40s)",
            (int)unit.size, unit.data, sensor->name, sensor->unit->senml, sensor->unit->label);
        return false;
    }
    *number = ir_unit_convert(record->value.number, from, sensor->unit);
    if (!isfinite(*number)) {
        ir_refusal_set(refusal, IR_REASON_OUT_OF_RANGE, record->position,
                       "%.17g %.*s in %s does not fit", record->value.number, (int)unit.size,
                       unit.data, sensor->unit->label);
        return false;
    }
    return true;
}

bool ir_resolve_record(ir_resolution_t *resolution, const ir_senml_record_t *record,
                       ir_resolved_t *resolved, ir_refusal_t *refusal) {
    const ir_sensor_t *sensor = find_sensor(resolution, record, refusal);
    if (sensor == NULL) {
        return false;
    }
    *resolved = (ir_resolved_t){.sensor = sensor, .value = record->value};
    if (ir_sensor_misses(sensor, &record->value)) {
        resolved->value = (ir_value_t){.kind = IR_VALUE_NONE};
        return true;
    }
    const bool is_number = record->value.kind == IR_VALUE_NUMBER;
    if (record->value.kind == IR_VALUE_NONE ||
        (sensor->registered && is_number != (sensor->unit != NULL))) {
        ir_refusal_set(refusal, IR_REASON_VALUE_TYPE, record->position,
                       "%s for sensor '%.60s', which has %s", kind_texts[record->value.kind],
                       sensor->name,
                       sensor->unit != NULL ? "numbers" : "values other than numbers");
        return false;
    }
    return !is_number || convert_number(record, sensor, &resolved->value.number, refusal);
}
