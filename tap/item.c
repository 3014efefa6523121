#include "tap/item.h"

#include "common/clock.h"
#include "common/number.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- values ---- */

/* Cut between characters. */
static void put(char out[static IR_ITEM_TEXT], const char *text, size_t size) {
    if (size >= IR_ITEM_TEXT) {
        size = IR_ITEM_TEXT - 1;
        while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80) {
            size--;
        }
    }
    memcpy(out, text, size);
    out[size] = '\0';
}

static void put_json(char out[static IR_ITEM_TEXT], const json_t *value) {
    char number[IR_NUMBER_SIZE];
    if (json_is_string(value)) {
        put(out, json_string_value(value), json_string_length(value));
    } else if (json_is_number(value)) {
        put(out, number, ir_number_format(json_number_value(value), number));
    } else if (json_is_boolean(value)) {
        put(out, json_is_true(value) ? "true" : "false", json_is_true(value) ? 4 : 5);
    }
}

/* Returns the part after the last '/', '#' or ':'. */
static void put_segment(char out[static IR_ITEM_TEXT], const json_t *iri) {
    const char *text = json_string_value(iri);
    const char *begin = text;
    for (const char *c = text; c != NULL && *c != '\0'; c++) {
        begin = strchr("/#:", *c) != NULL ? c + 1 : begin;
    }
    if (begin != NULL) {
        put(out, begin, strlen(begin));
    }
}

/* ---- formats ---- */

static void read_document(const json_t *from, ir_item_t *item) {
    put_json(item->time, json_object_get(from, "time"));
    put_json(item->sensor, json_object_get(from, "sensor"));
    put_json(item->property, json_object_get(from, "property"));
    put_json(item->value, json_object_get(from, "value"));
    put_json(item->unit, json_object_get(from, "unit"));
    put_json(item->quality, json_object_get(from, "quality"));
    put_json(item->reasons, json_object_get(from, "reasons"));
}

static void read_jsonld(const json_t *from, ir_item_t *item) {
    put_json(item->time, json_object_get(from, "resultTime"));
    put_json(item->sensor, json_object_get(from, "madeBySensor"));
    put_segment(item->property, json_object_get(from, "observedProperty"));
    put_json(item->value, json_object_get(from, "hasSimpleResult"));
    put_segment(item->quality, json_object_get(from, "dqv:hasQualityAnnotation"));
    char *hyphen = strchr(item->quality, '-'); /* of ir:not-evaluated */
    if (hyphen != NULL) {
        *hyphen = '_';
    }
}

static void read_sensorthings(const json_t *from, ir_item_t *item) {
    const json_t *stream = json_object_get(from, "Datastream");
    put_json(item->time, json_object_get(from, "phenomenonTime"));
    put_json(item->sensor, json_object_get(stream, "@iot.id"));
    put_segment(item->property,
                json_object_get(json_object_get(stream, "ObservedProperty"), "definition"));
    put_json(item->value, json_object_get(from, "result"));
    put_json(item->unit, json_object_get(json_object_get(stream, "unitOfMeasurement"), "symbol"));
    put_json(item->quality, json_object_get(json_object_get(from, "resultQuality"), "meaning"));
}

static void read_senml(const json_t *from, ir_item_t *item) {
    static const char *const values[] = {"v", "vs", "vb", "vd"};
    char text[IR_TIME_SIZE];
    const double time_s = json_number_value(json_object_get(from, "t"));
    const size_t size = ir_clock_format((int64_t)(time_s * 1e6) * 1000, text);
    put(item->time, text, size);
    put_json(item->sensor, json_object_get(from, "n"));
    put_json(item->unit, json_object_get(from, "u"));
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        put_json(item->value, json_object_get(from, values[i]));
    }
}

static const struct {
    const char *name;
    const char *list; /* key of the array of items; "": the body itself is the array; NULL: one item
                       * per line */
    const char *must; /* a key that only observations have */
    void (*read)(const json_t *from, ir_item_t *item);
} formats[] = {
    {"json", NULL, "quality", read_document},
    {"jsonld", "@graph", "dqv:hasQualityAnnotation", read_jsonld},
    {"sensorthings", "value", "resultQuality", read_sensorthings},
    {"senml", "", "n", read_senml},
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

static size_t find_format(ir_view_t name) {
    size_t i = 0;
    while (i < N_FORMATS && !ir_view_equal(ir_view_text(formats[i].name), name)) {
        i++;
    }
    return i;
}

bool ir_item_readable(ir_view_t format) {
    return find_format(format) < N_FORMATS;
}

static void give(size_t format, const json_t *from, ir_item_fn each, void *context) {
    ir_item_t item = {.time = ""};
    if (json_object_get(from, formats[format].must) != NULL) {
        formats[format].read(from, &item);
        each(context, &item);
    }
}

static bool read_lines(size_t format, ir_view_t body, ir_item_fn each, void *context) {
    bool good = true;
    while (body.size > 0) {
        const char *end = memchr(body.data, '\n', body.size);
        const size_t size = end != NULL ? (size_t)(end - body.data) : body.size;
        json_t *item = json_loadb(body.data, size, 0, NULL);
        good = good && (item != NULL || size == 0);
        give(format, item, each, context);
        json_decref(item);
        body = ir_view(body.data + size + (end != NULL), body.size - size - (end != NULL));
    }
    return good;
}

bool ir_items_read(ir_view_t name, ir_view_t body, ir_item_fn each, void *context) {
    const size_t format = find_format(name);
    if (format == N_FORMATS) {
        return false;
    }
    if (formats[format].list == NULL) {
        return read_lines(format, body, each, context);
    }
    json_t *whole = json_loadb(body.data, body.size, 0, NULL);
    const json_t *list =
        formats[format].list[0] == '\0' ? whole : json_object_get(whole, formats[format].list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        give(format, json_array_get(list, i), each, context);
    }
    const bool good = json_is_array(list) || json_is_object(whole);
    json_decref(whole);
    return good;
}
