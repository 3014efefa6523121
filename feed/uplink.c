#include "feed/uplink.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define KEY_SIZE 128
#define STEP 10

/* ---- JSON ---- */

/* Returns the value at a path, or NULL. Keys may contain dots, so the longest key that matches is
 * used. */
static const json_t *find(const json_t *value, const char *path) {
    char key[KEY_SIZE];
    if (*path == '\0') {
        return value;
    }
    for (size_t size = strlen(path); size > 0; size--) {
        if ((path[size] != '\0' && path[size] != '.') || size >= sizeof key) {
            continue;
        }
        memcpy(key, path, size);
        key[size] = '\0';
        char *end = NULL;
        const unsigned long place = strtoul(key, &end, 10);
        const json_t *inner = json_is_array(value) && *end == '\0' ? json_array_get(value, place)
                                                                   : json_object_get(value, key);
        if (inner != NULL) {
            return find(inner, path + size + (path[size] == '.'));
        }
    }
    return NULL;
}

static const char *find_text(const json_t *message, const char *path) {
    return json_string_value(find(message, path));
}

/* ---- device ---- */

/* Finds the id of the device. The mote's column names a known path by its last part; any other name
 * is itself a path. */
static const char *find_id(const ir_uplink_kind_t *kind, const json_t *message,
                           const char *column) {
    for (size_t i = 0; i < sizeof kind->ids / sizeof kind->ids[0] && kind->ids[i] != NULL; i++) {
        const char *dot = strrchr(kind->ids[i], '.');
        if (strcmp(dot != NULL ? dot + 1 : kind->ids[i], column) == 0) {
            return find_text(message, kind->ids[i]);
        }
    }
    return find_text(message, column);
}

static bool take_mote(const ir_reading_context_t *context, const json_t *message,
                      ir_reading_t *reading) {
    const ir_row_origin_t from = context->position->mote_from;
    const char *id =
        from.column ? find_id(context->position->format->uplink, message, from.text) : from.text;
    if (id == NULL) {
        ir_report_unusable(context->report, "the uplink has no '%s'", from.text);
        return false;
    }
    return ir_reading_set_mote(context, ir_view_text(id), reading);
}

static bool take_time(const ir_reading_context_t *context, const json_t *message,
                      ir_reading_t *reading) {
    const ir_uplink_kind_t *kind = context->position->format->uplink;
    int64_t time_ns = 0;
    for (size_t i = 0; i < sizeof kind->times / sizeof kind->times[0]; i++) {
        const char *text = kind->times[i] != NULL ? find_text(message, kind->times[i]) : NULL;
        if (text != NULL && ir_clock_parse(ir_view_text(text), &time_ns)) {
            return ir_reading_set_time(context, time_ns, reading);
        }
    }
    ir_report_unusable(context->report, "the uplink has no time of reception");
    return false;
}

/* The counter starts again when a device rejoins the network. The servers omit it when it is
 * zero. */
static uint64_t note_frame(const ir_reading_context_t *context, const json_t *message,
                           ir_track_t *track, ir_view_t mote) {
    const json_t *value = find(message, context->position->format->uplink->frame);
    const int64_t frame = value != NULL ? json_integer_value(value) : 0;
    const int64_t missed =
        track->frame >= 0 && frame > track->frame + 1 ? frame - track->frame - 1 : 0;
    if (missed > 0) {
        ir_report_remark(context->report, "%lld uplinks of %.*s are missing before frame %lld",
                         (long long)missed, IR_VIEW_ARG(mote), (long long)frame);
    }
    track->frame = frame;
    return (uint64_t)missed;
}

/* Reports the first case, the tenth, the hundredth and so on. */
static void note_encoded(const ir_reading_context_t *context, ir_track_t *track, ir_view_t mote) {
    uint64_t step = 1;
    track->encoded++;
    while (step * STEP <= track->encoded) {
        step *= STEP;
    }
    if (track->encoded == step) {
        ir_report_remark(context->report, "payloads of %.*s not decoded by the network: %llu",
                         IR_VIEW_ARG(mote), (unsigned long long)track->encoded);
    }
}

/* ---- values ---- */

static void take_values(const ir_reading_context_t *context, const json_t *payload,
                        ir_reading_t *reading) {
    const ir_position_t *position = context->position;
    for (size_t i = 0; i < position->n_values; i++) {
        const ir_position_value_t *rule = &position->values[i];
        const json_t *value = find(payload, rule->column);
        const char *text = json_string_value(value);
        double number = 0;
        if (json_is_number(value)) {
            number = json_number_value(value);
        } else if (text != NULL && ir_position_misses(position, ir_view_text(text))) {
            continue;
        } else if (text == NULL ||
                   !ir_notation_read(ir_view_text(text), position->notation, &number)) {
            if (value != NULL && !json_is_null(value)) {
                ir_report_unusable(context->report, "'%s' is not a number", rule->column);
            }
            continue;
        }
        if (!ir_position_misses_number(position, number)) {
            ir_reading_add(context, rule, ir_view(NULL, 0), number, reading);
        }
    }
}

static ir_uplink_result_t read_message(const ir_reading_context_t *context, const json_t *message,
                                       ir_reading_t *reading, uint64_t *missed) {
    const ir_uplink_kind_t *kind = context->position->format->uplink;
    if (find(message, kind->event) == NULL || !take_mote(context, message, reading)) {
        return IR_UPLINK_NOTHING;
    }
    ir_track_t *track = ir_tracks_of(context->tracks, reading->mote);
    if (track == NULL) {
        context->report->out_of_memory = !ir_tracks_full(context->tracks);
        ir_report_unusable(context->report, "more than %d devices in one file", IR_TRACKS_MAX);
        return IR_UPLINK_NOTHING;
    }
    *missed = note_frame(context, message, track, reading->mote);
    const json_t *payload = find(message, kind->payload);
    if (!json_is_object(payload) || json_object_size(payload) == 0) {
        note_encoded(context, track, reading->mote);
        return IR_UPLINK_ENCODED;
    }
    if (!take_time(context, message, reading)) {
        return IR_UPLINK_NOTHING;
    }
    take_values(context, payload, reading);
    return reading->n_values > 0 ? IR_UPLINK_READ : IR_UPLINK_NOTHING;
}

ir_uplink_result_t ir_uplink_read(const ir_reading_context_t *context, ir_view_t line,
                                  ir_reading_t *reading, uint64_t *missed) {
    json_error_t error;
    *missed = 0;
    reading->n_values = 0;
    json_t *message = json_loadb(line.size > 0 ? line.data : "", line.size, 0, &error);
    if (message == NULL) {
        context->report->out_of_memory = json_error_code(&error) == json_error_out_of_memory;
        ir_report_unusable(context->report, "no JSON: %s", error.text);
        return IR_UPLINK_NOTHING;
    }
    const ir_uplink_result_t result = read_message(context, message, reading, missed);
    json_decref(message);
    return result;
}
