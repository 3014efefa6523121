#include "feed/row_reader.h"

#include "feed/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TIME_TEXT_SIZE 128
#define SHOWN 60 /* bytes of a field in a message */

static ir_view_t field_of(const ir_fields_t *fields, size_t field) {
    return field < fields->count ? fields->all[field] : ir_view(NULL, 0);
}

/* Returns a field in UTF-8, valid until the next call. Reports text that is not in the file's
 * encoding. */
static bool text_of(ir_row_reader_t *reader, const ir_reading_context_t *context, ir_view_t field,
                    ir_view_t *text) {
    if (!ir_encoding_utf8(reader->encoding, field, &reader->text)) {
        context->report->out_of_memory = !ir_buffer_ok(&reader->text);
        ir_report_unusable(context->report,
                           "a field is not in the encoding %s; set encoding in the mapping",
                           context->position->encoding);
        return false;
    }
    *text = ir_buffer_view(&reader->text);
    return true;
}

static bool take_mote(ir_row_reader_t *reader, const ir_reading_context_t *context,
                      const ir_fields_t *fields, ir_reading_t *reading) {
    ir_view_t text = ir_view_text(context->position->mote_from.text);
    return (!context->position->mote_from.column ||
            text_of(reader, context, field_of(fields, reader->layout->mote), &text)) &&
           ir_reading_set_mote(context, text, reading);
}

/* ---- time ---- */

static ir_view_t time_text(const ir_row_reader_t *reader, const ir_fields_t *fields,
                           char joined[static TIME_TEXT_SIZE]) {
    const ir_view_t date = field_of(fields, reader->layout->time);
    if (reader->layout->time_of_day == IR_LAYOUT_NONE) {
        return date;
    }
    const ir_view_t time = field_of(fields, reader->layout->time_of_day);
    const int size =
        snprintf(joined, TIME_TEXT_SIZE, "%.*s %.*s", IR_VIEW_ARG(date), IR_VIEW_ARG(time));
    return ir_view(joined, size < TIME_TEXT_SIZE ? (size_t)size : TIME_TEXT_SIZE - 1);
}

static const ir_zone_t *zone_of(ir_row_reader_t *reader, const ir_reading_context_t *context,
                                const ir_fields_t *fields, ir_view_t *name) {
    const ir_row_origin_t from = context->position->zone_from;
    *name = from.column ? field_of(fields, reader->layout->zone) : ir_view_text(from.text);
    const ir_zone_t *zone = name->size > 0 ? ir_zones_find(reader->zones, *name) : NULL;
    if (zone == NULL) {
        context->report->out_of_memory = name->size > 0 && errno == ENOMEM;
        ir_report_unusable(context->report,
                           name->size > 0
                               ? "unknown time zone '%.*s'"
                               : "the time has no offset from UTC, and no zone is given; set "
                                 "zone in the mapping%.*s",
                           IR_VIEW_ARG(*name));
    }
    return zone;
}

static bool take_local_time(ir_row_reader_t *reader, const ir_reading_context_t *context,
                            const ir_fields_t *fields, const ir_track_t *track, int64_t wall_ns,
                            int64_t *time_ns) {
    ir_view_t name;
    const ir_zone_t *zone = zone_of(reader, context, fields, &name);
    if (zone == NULL) {
        return false;
    }
    switch (ir_track_instant(track, zone, wall_ns, time_ns)) {
    case IR_TRACK_NONE:
        ir_report_unusable(context->report,
                           "this time does not exist in %.*s: the clocks were set forward",
                           IR_VIEW_ARG(name));
        return false;
    case IR_TRACK_GUESSED:
        ir_report_remark(context->report,
                         "this time occurs twice in %.*s, and no earlier row shows which is meant: "
                         "using the first",
                         IR_VIEW_ARG(name));
        return true;
    case IR_TRACK_CERTAIN:
        break;
    }
    return true;
}

static bool take_time(ir_row_reader_t *reader, const ir_reading_context_t *context,
                      const ir_fields_t *fields, ir_reading_t *reading) {
    char joined[TIME_TEXT_SIZE];
    ir_timestamp_t timestamp;
    const ir_view_t text = time_text(reader, fields, joined);
    ir_track_t *track = ir_tracks_of(context->tracks, reading->mote);
    if (track == NULL) {
        context->report->out_of_memory = !ir_tracks_full(context->tracks);
        ir_report_unusable(context->report, "more than %d motes in one file", IR_TRACKS_MAX);
        return false;
    }
    if (!ir_timestamp_parse(text, context->position->time_format, &timestamp)) {
        char like[IR_TIMESTAMP_LIKE_SIZE];
        ir_report_unusable(context->report, "'%.*s' does not match time-format = %s%s",
                           (int)(text.size < SHOWN ? text.size : SHOWN),
                           text.size > 0 ? text.data : "", context->position->time_format,
                           ir_timestamp_like(text, like));
        return false;
    }
    int64_t time_ns = timestamp.time_ns;
    if (!timestamp.zoned &&
        !take_local_time(reader, context, fields, track, timestamp.time_ns, &time_ns)) {
        return false;
    }
    reading->before = *track;
    ir_track_note(track, timestamp.time_ns, time_ns);
    return ir_reading_set_time(context, time_ns, reading);
}

/* ---- values ---- */

/* Reads a field that is not an ASCII number: it may contain a thousands separator in the file's
 * encoding, or be one of the words for "missing". */
static bool take_text(ir_row_reader_t *reader, const ir_reading_context_t *context,
                      const ir_layout_value_t *value, ir_view_t field, double *number) {
    const ir_notation_t notation = context->position->notation;
    char like[IR_NOTATION_LIKE_SIZE];
    ir_view_t text;
    if (!text_of(reader, context, field, &text)) {
        return false;
    }
    if (ir_notation_read(text, notation, number)) {
        return true;
    }
    if (!ir_position_misses(context->position, text)) {
        ir_report_unusable(context->report, "column '%s': '%.*s' is not a number%s",
                           reader->layout->names[value->field],
                           (int)(text.size < SHOWN ? text.size : SHOWN), text.data,
                           ir_notation_like(text, notation, like));
    }
    return false;
}

static void take_value(ir_row_reader_t *reader, const ir_reading_context_t *context,
                       const ir_fields_t *fields, const ir_layout_value_t *value,
                       ir_reading_t *reading) {
    const ir_view_t field = field_of(fields, value->field);
    ir_view_t name = {NULL, 0};
    double number = 0;
    if (field.size == 0) {
        return;
    }
    if (!ir_notation_read(field, context->position->notation, &number) &&
        !take_text(reader, context, value, field, &number)) {
        return;
    }
    if (!ir_position_misses_number(context->position, number) &&
        (value->sensor == IR_LAYOUT_NONE ||
         text_of(reader, context, field_of(fields, value->sensor), &name))) {
        ir_reading_add(context, value->value, name, number, reading);
    }
}

/* Too few fields mean a truncated row; too many mean a different separator or decimal sign. */
static bool has_fields(const ir_row_reader_t *reader, const ir_reading_context_t *context,
                       const ir_fields_t *fields) {
    bool fits = fields->count >= reader->layout->n_needed;
    for (size_t i = reader->layout->n_names; i < fields->count && fits; i++) {
        fits = fields->all[i].size == 0;
    }
    if (!fits) {
        ir_report_unusable(context->report, "the row has %zu fields, the head %zu names",
                           fields->count, reader->layout->n_names);
    }
    return fits;
}

bool ir_row_read(ir_row_reader_t *reader, const ir_reading_context_t *context,
                 const ir_fields_t *fields, ir_reading_t *reading) {
    reading->n_values = 0;
    if (!has_fields(reader, context, fields) || !take_mote(reader, context, fields, reading) ||
        !take_time(reader, context, fields, reading)) {
        return false;
    }
    for (size_t i = 0; i < reader->layout->n_values; i++) {
        if (reader->layout->values[i].field != IR_LAYOUT_NONE) {
            take_value(reader, context, fields, &reader->layout->values[i], reading);
        }
    }
    return reading->n_values > 0;
}
