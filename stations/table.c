#include "stations/table.h"

#include "common/buffer.h"
#include "common/nearest.h"
#include "common/utf8.h"
#include "feed/fields.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#define SIZE_MAX_READ ((size_t)64 * 1024 * 1024)
#define CHUNK ((size_t)64 * 1024)
#define ZIP "PK\003\004" /* .xlsx and .ods begin with it */
#define BOM "\xEF\xBB\xBF"
#define NO_COLUMN IR_FIELDS_MAX
#define SHORTEST 3 /* letters of an abbreviation */

typedef struct header {
    ir_dialect_t dialect;
    size_t places[IR_COLUMN_COUNT]; /* NO_COLUMN: there is none */
    size_t count;
} header_t;

/* ---- the file ---- */

static ir_status_t read_all(FILE *file, const char *path, ir_buffer_t *text, ir_error_t *error) {
    size_t got = 1;
    while (got > 0 && text->size <= SIZE_MAX_READ) {
        if (!ir_buffer_reserve(text, CHUNK + 2)) {
            return ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory", path);
        }
        got = fread(text->data + text->size, 1, CHUNK, file);
        text->size += got;
    }
    if (ferror(file)) {
        return ir_error_set(error, IR_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    }
    if (text->size > SIZE_MAX_READ) {
        return ir_error_set(error, IR_ERR_RANGE, "%s: larger than %zu MiB", path,
                            SIZE_MAX_READ >> 20);
    }
    if (text->size > 0 && text->data[text->size - 1] != '\n') {
        ir_buffer_append_char(text, '\n');
    }
    return IR_OK;
}

/* ---- the header ---- */

/* The separator that is most frequent in the header. */
static char separator_of(const char *row, size_t size) {
    static const char separators[] = {',', ';', '\t'};
    size_t counts[sizeof separators] = {0};
    size_t best = 0;
    for (size_t i = 0; i < sizeof separators; i++) {
        for (size_t at = 0; at < size; at++) {
            counts[i] += row[at] == separators[i];
        }
        best = counts[i] > counts[best] ? i : best;
    }
    return separators[best];
}

static bool same_name(ir_view_t text, const char *name) {
    return text.size == strlen(name) && strncasecmp(text.data, name, text.size) == 0;
}

/* Whether a text of three letters or more is the beginning of a name: lat, long, prop. */
static bool abbreviates(ir_view_t text, const char *name) {
    return text.size >= SHORTEST && text.size < strlen(name) &&
           strncasecmp(text.data, name, text.size) == 0;
}

static void take_column(ir_stations_t *stations, header_t *header, ir_view_t name, size_t place,
                        unsigned line, const ir_teller_t *note) {
    ir_nearest_t nearest = ir_nearest(name);
    char like[IR_NEAREST_TEXT_SIZE];
    char text[200];
    for (size_t i = 0; i < IR_COLUMN_COUNT; i++) {
        if (same_name(name, ir_columns[i])) {
            if (header->places[i] != NO_COLUMN) {
                ir_stations_fault(stations, line, "column %s occurs twice", ir_columns[i]);
            }
            header->places[i] = place;
            return;
        }
        ir_nearest_try(&nearest, ir_columns[i]);
        if (abbreviates(name, ir_columns[i])) {
            nearest.name = ir_columns[i];
            nearest.distance = 0;
        }
    }
    if (nearest.name != NULL) {
        ir_stations_fault(stations, line, "unknown column '%.*s'%s", IR_VIEW_ARG(name),
                          ir_nearest_text(&nearest, "", like));
        return;
    }
    snprintf(text, sizeof text, "%.100s:%u: column '%.*s' is not used", stations->path, line,
             (int)(name.size < 60 ? name.size : 60), name.data);
    note->tell(note->context, text);
}

static void take_header(ir_stations_t *stations, header_t *header, const ir_fields_t *fields,
                        unsigned line, const ir_teller_t *note) {
    for (size_t i = 0; i < IR_COLUMN_COUNT; i++) {
        header->places[i] = NO_COLUMN;
    }
    header->count = fields->count;
    for (size_t place = 0; place < fields->count; place++) {
        take_column(stations, header, fields->all[place], place, line, note);
    }
    for (size_t i = 0; i < IR_COLUMNS_REQUIRED; i++) {
        if (header->places[i] == NO_COLUMN && stations->faults->count == 0) {
            ir_stations_fault(stations, line,
                              "column %s is missing; the first row names the columns: mote, "
                              "sensor, property, unit, and optionally latitude, longitude, low, "
                              "high, label, feature, interval, missing",
                              ir_columns[i]);
        }
    }
}

/* ---- rows ---- */

static void take_row(ir_stations_t *stations, const header_t *header, const ir_fields_t *fields,
                     unsigned line) {
    ir_station_row_t row = {.decimal_comma = header->dialect.separator != ',', .line = line};
    if (fields->count != header->count) {
        ir_stations_fault(stations, line, "the row has %zu fields, the header has %zu",
                          fields->count, header->count);
        return;
    }
    for (size_t i = 0; i < IR_COLUMN_COUNT; i++) {
        row.fields[i] =
            header->places[i] != NO_COLUMN ? fields->all[header->places[i]] : (ir_view_t){"", 0};
    }
    ir_stations_take(stations, &row);
}

static bool is_empty(const ir_fields_t *fields) {
    size_t size = 0;
    for (size_t i = 0; i < fields->count; i++) {
        size += fields->all[i].size;
    }
    return size == 0;
}

static void take_rows(ir_stations_t *stations, char *text, size_t size, const ir_teller_t *note) {
    static ir_fields_t fields;
    header_t header = {.dialect = {.quote = '"'}};
    unsigned line = 1;
    size_t lines = 0;
    size_t row = 0;
    for (size_t at = 0; at < size; at += row, line += (unsigned)lines) {
        if (header.count == 0) {
            header.dialect.separator = separator_of(text + at, strcspn(text + at, "\n"));
        }
        row = ir_fields_end(ir_view(text + at, size - at), &header.dialect, &lines);
        if (row == 0) {
            ir_stations_fault(stations, line, "a closing quote is missing");
            return;
        }
        if (!ir_utf8_valid(ir_view(text + at, row))) {
            ir_stations_fault(stations, line,
                              at == 0 && strncmp(text, ZIP, strlen(ZIP)) == 0
                                  ? "this is a spreadsheet; save it as CSV (UTF-8)"
                                  : "the row is not UTF-8; save the file as UTF-8");
            if (header.count == 0) {
                return; /* the other lines cannot be read either, or the file is not text */
            }
        } else if (!ir_fields_split(text + at, row, &header.dialect, &fields)) {
            ir_stations_fault(stations, line, "the row has more than %d fields", IR_FIELDS_MAX);
        } else if (!is_empty(&fields) && header.count == 0) {
            take_header(stations, &header, &fields, line, note);
            if (stations->faults->count > 0) {
                return; /* without the header, the rows have no meaning */
            }
        } else if (!is_empty(&fields)) {
            take_row(stations, &header, &fields, line);
        }
    }
    if (header.count == 0) {
        ir_stations_fault(stations, 1, "the file is empty");
    } else if (stations->sensors == NULL && stations->faults->count == 0) {
        ir_stations_fault(stations, line, "no row below the header describes a sensor");
    }
}

ir_status_t ir_stations_read(ir_stations_t *stations, const char *file, const ir_teller_t *note,
                             ir_error_t *error) {
    const bool standard = strcmp(file, "-") == 0;
    FILE *in = standard ? stdin : fopen(file, "re");
    if (in == NULL) {
        return ir_error_set(error, errno == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                            "%s: cannot be read: %s", file, strerror(errno));
    }
    ir_buffer_t text;
    ir_buffer_init(&text);
    ir_status_t status = read_all(in, stations->path, &text, error);
    if (status == IR_OK) {
        const size_t bom = text.size >= 3 && memcmp(text.data, BOM, 3) == 0 ? 3 : 0;
        ir_buffer_append_char(&text, '\0');
        take_rows(stations, text.data + bom, text.size - bom - 1, note);
    }
    ir_buffer_free(&text);
    if (!standard) {
        (void)fclose(in);
    }
    return status == IR_OK && stations->out_of_memory
               ? ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory", stations->path)
               : status;
}
