#include "loadgen/source/replay.h"

#include "common/arena.h"
#include "common/clock.h"
#include "observation/senml/senml.h"
#include "observation/unit.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#define HEADER "station,parameter,time_utc,value,unit,qualifier"
#define FIELDS 6
#define LINE_SIZE 1024
#define ROWS_MAX 50000000u
#define NAMES_MAX 4096
#define FIRST_CAPACITY 4096
#define ARENA_CHUNK 4096
#define FILE_BUFFER (128 * 1024)
/* A larger number without a fraction might be an integer that is too large for a JSON reader. */
#define VALUE_MAX 1e15
#define ABSOLUTE_FROM_NS (INT64_C(268435456) * IR_SECOND_NS)
#define DAY_NS (86400 * IR_SECOND_NS)
#define MICROSECOND_NS 1000

enum { STATION, PARAMETER, TIME, VALUE, UNIT };

typedef struct ir_names {
    const char *texts[NAMES_MAX];
    unsigned count;
} ir_names_t;

/* A unit of the file and its conversion to SenML. */
typedef struct ir_exchange_unit {
    const char *text;
    const ir_unit_t *from, *to;
} ir_exchange_unit_t;

#define UNITS_MAX 64

struct ir_replay {
    ir_arena_t *arena;
    ir_replay_row_t *rows;
    size_t n_rows, capacity;
    ir_names_t stations, parameters;
    ir_exchange_unit_t units[UNITS_MAX];
    unsigned n_units;
    int64_t step_ns;
};

typedef struct ir_reader {
    gzFile file;
    const char *path;
    unsigned line;
    int64_t now_ns;
    ir_error_t *error;
} ir_reader_t;

#define REFUSE(reader, status, format, ...)                                                        \
    ir_error_set((reader)->error, status, "%s:%u: " format, (reader)->path, (reader)->line,        \
                 __VA_ARGS__)

static ir_status_t no_memory(const ir_reader_t *reader) {
    return REFUSE(reader, IR_ERR_MEMORY, "%s", "out of memory for the replay data");
}

/* ---- lines ---- */

static ir_status_t read_fault(const ir_reader_t *reader) {
    int code = Z_OK;
    const char *text = gzerror(reader->file, &code);
    return REFUSE(reader, IR_ERR_IO, "cannot read on: %s",
                  code == Z_ERRNO ? strerror(errno) : text);
}

/* Reads one line into `line`, without its line end. IR_ERR_NOT_FOUND after the last. */
static ir_status_t read_line(ir_reader_t *reader, char line[static LINE_SIZE]) {
    reader->line++;
    if (gzgets(reader->file, line, LINE_SIZE) == NULL) {
        int code = Z_OK;
        (void)gzerror(reader->file, &code);
        return code == Z_OK || code == Z_STREAM_END ? IR_ERR_NOT_FOUND : read_fault(reader);
    }
    size_t size = strlen(line);
    if ((size == 0 || line[size - 1] != '\n') && !gzeof(reader->file)) {
        return REFUSE(reader, IR_ERR_RANGE, "the line is longer than %d bytes, or contains a NUL",
                      LINE_SIZE - 2);
    }
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r')) {
        line[--size] = '\0';
    }
    return IR_OK;
}

static ir_status_t split(const ir_reader_t *reader, char *line, char *fields[static FIELDS]) {
    unsigned count = 0;
    for (char *at = line; at != NULL; count++) {
        char *comma = strchr(at, ',');
        if (count < FIELDS) {
            fields[count] = at;
        }
        if (comma != NULL) {
            *comma++ = '\0';
        }
        at = comma;
    }
    return count == FIELDS
               ? IR_OK
               : REFUSE(reader, IR_ERR_SYNTAX, "%u fields, not %d (" HEADER ")", count, FIELDS);
}

/* ---- fields ---- */

static bool is_name(const char *text) {
    if (!isalnum((unsigned char)text[0]) || strlen(text) > IR_NAME_SIZE_MAX / 2) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("-:._", *at) == NULL) {
            return false;
        }
    }
    return true;
}

/* Returns the number of a name, which may be new. Searches backwards, because rows of one station
 * are usually adjacent. */
static ir_status_t intern(const ir_reader_t *reader, ir_replay_t *replay, ir_names_t *names,
                          const char *text, unsigned *number) {
    for (unsigned i = names->count; i-- > 0;) {
        if (strcmp(names->texts[i], text) == 0) {
            *number = i;
            return IR_OK;
        }
    }
    if (!is_name(text)) {
        return REFUSE(reader, IR_ERR_SYNTAX,
                      "'%s' is not a valid SenML name: use letters, digits and - : . _, at most %d "
                      "characters",
                      text, IR_NAME_SIZE_MAX / 2);
    }
    if (names->count == NAMES_MAX) {
        return REFUSE(reader, IR_ERR_RANGE, "more than %d stations or parameters", NAMES_MAX);
    }
    const ir_view_t copy = ir_arena_copy(replay->arena, ir_view_text(text));
    if (copy.data == NULL) {
        return no_memory(reader);
    }
    *number = names->count;
    names->texts[names->count++] = copy.data;
    return IR_OK;
}

/* Chooses the SenML unit by the quantity; other quantities keep their unit. */
static const ir_unit_t *sent_as(const ir_unit_t *unit) {
    static const char *const preferred[] = {"Cel", "m", "m3/s", "S/m"};
    for (size_t i = 0; i < sizeof preferred / sizeof preferred[0]; i++) {
        const ir_unit_t *to = ir_unit_find(ir_view_text(preferred[i]));
        if (to != NULL && ir_unit_converts(unit, to)) {
            return to;
        }
    }
    return unit;
}

static ir_status_t find_unit(const ir_reader_t *reader, ir_replay_t *replay, const char *text,
                             const ir_exchange_unit_t **found) {
    for (unsigned i = 0; i < replay->n_units; i++) {
        if (strcmp(replay->units[i].text, text) == 0) {
            *found = &replay->units[i];
            return IR_OK;
        }
    }
    const ir_unit_t *unit = ir_unit_find(ir_view_text(text));
    if (unit == NULL || replay->n_units == UNITS_MAX) {
        return REFUSE(reader, IR_ERR_SYNTAX,
                      "unknown unit '%s'; observation/unit.c lists the known ones", text);
    }
    const ir_view_t copy = ir_arena_copy(replay->arena, ir_view_text(text));
    if (copy.data == NULL) {
        return no_memory(reader);
    }
    ir_exchange_unit_t *added = &replay->units[replay->n_units++];
    *added = (ir_exchange_unit_t){.text = copy.data, .from = unit, .to = sent_as(unit)};
    *found = added;
    return IR_OK;
}

static ir_status_t parse_value(const ir_reader_t *reader, const char *text, double *value) {
    /* strtod would also accept hexadecimal numbers, infinities and leading blanks. */
    const bool decimal = text[0] != '\0' && text[strspn(text, "+-.0123456789eE")] == '\0';
    char *end = NULL;
    const double parsed = decimal ? strtod(text, &end) : 0;
    if (!decimal || *end != '\0') {
        return REFUSE(reader, IR_ERR_SYNTAX, "'%s' is not a number", text);
    }
    if (!(fabs(parsed) < VALUE_MAX)) {
        return REFUSE(reader, IR_ERR_RANGE, "value %s is not below %g", text, VALUE_MAX);
    }
    *value = parsed;
    return IR_OK;
}

static ir_status_t parse_time(const ir_reader_t *reader, const char *text, int64_t *time_ns) {
    if (!ir_clock_parse(ir_view_text(text), time_ns)) {
        return REFUSE(reader, IR_ERR_SYNTAX, "'%s' is not a time such as 2011-05-01T04:00:00Z",
                      text);
    }
    if (*time_ns < ABSOLUTE_FROM_NS || *time_ns > reader->now_ns ||
        *time_ns % MICROSECOND_NS != 0) {
        return REFUSE(reader, IR_ERR_RANGE,
                      "time %s is before 1978-07-05, in the future, or finer than a microsecond",
                      text);
    }
    return IR_OK;
}

/* ---- rows ---- */

static ir_status_t append_row(const ir_reader_t *reader, ir_replay_t *replay,
                              const ir_replay_row_t *row) {
    if (replay->n_rows == replay->capacity) {
        if (replay->n_rows >= ROWS_MAX) {
            return REFUSE(reader, IR_ERR_RANGE, "more than %u rows", ROWS_MAX);
        }
        const size_t capacity = replay->capacity > 0 ? replay->capacity * 2 : FIRST_CAPACITY;
        ir_replay_row_t *grown = realloc(replay->rows, capacity * sizeof *grown);
        if (grown == NULL) {
            return no_memory(reader);
        }
        replay->rows = grown;
        replay->capacity = capacity;
    }
    replay->rows[replay->n_rows++] = *row;
    return IR_OK;
}

static ir_status_t take_row(const ir_reader_t *reader, ir_replay_t *replay, char *line) {
    char *fields[FIELDS] = {line, line, line, line, line, line};
    ir_replay_row_t row = {.line = reader->line};
    unsigned parameter = 0;
    const ir_exchange_unit_t *unit = NULL;
    ir_status_t status = split(reader, line, fields);
    if (status == IR_OK) {
        status = intern(reader, replay, &replay->stations, fields[STATION], &row.mote);
    }
    if (status == IR_OK) {
        status = intern(reader, replay, &replay->parameters, fields[PARAMETER], &parameter);
    }
    if (status == IR_OK) {
        status = parse_time(reader, fields[TIME], &row.time_ns);
    }
    if (status == IR_OK) {
        status = parse_value(reader, fields[VALUE], &row.value);
    }
    if (status == IR_OK) {
        status = find_unit(reader, replay, fields[UNIT], &unit);
    }
    if (status != IR_OK || unit == NULL) {
        return status;
    }
    row.station = replay->stations.texts[row.mote];
    row.parameter = replay->parameters.texts[parameter];
    row.unit = unit->to->senml;
    /* + 0.0 turns -0 into 0: as a JSON integer, -0 has no sign. */
    row.value = ir_unit_convert(row.value, unit->from, unit->to) + 0.0;
    return append_row(reader, replay, &row);
}

static ir_status_t read_rows(ir_reader_t *reader, ir_replay_t *replay) {
    char line[LINE_SIZE];
    ir_status_t status = read_line(reader, line);
    if (status == IR_ERR_NOT_FOUND || (status == IR_OK && strcmp(line, HEADER) != 0)) {
        return REFUSE(reader, IR_ERR_SYNTAX, "the first line is not %s", HEADER);
    }
    while (status == IR_OK) {
        status = read_line(reader, line);
        if (status == IR_OK) {
            status = take_row(reader, replay, line);
        }
    }
    if (status == IR_ERR_NOT_FOUND) {
        status = replay->n_rows > 0 ? IR_OK
                                    : REFUSE(reader, IR_ERR_SYNTAX, "%s", "the file has no rows");
    }
    return status;
}

/* ---- order ---- */

static int compare_rows(const void *left, const void *right) {
    const ir_replay_row_t *a = left;
    const ir_replay_row_t *b = right;
    if (a->time_ns != b->time_ns) {
        return a->time_ns < b->time_ns ? -1 : 1;
    }
    if (a->mote != b->mote) {
        return a->mote < b->mote ? -1 : 1;
    }
    return (a->line > b->line) - (a->line < b->line);
}

static bool is_repeat(const ir_replay_row_t *row, const ir_replay_row_t *earlier) {
    return row->parameter == earlier->parameter && row->value == earlier->value;
}

/* The stores would keep a repeated observation only once, but this program would count it twice. */
static ir_status_t find_repeats(ir_reader_t *reader, const ir_replay_t *replay) {
    size_t first = 0;
    for (size_t i = 1; i < replay->n_rows; i++) {
        const ir_replay_row_t *row = &replay->rows[i];
        if (row->mote != replay->rows[first].mote || row->time_ns != replay->rows[first].time_ns) {
            first = i;
        }
        for (size_t j = first; j < i; j++) {
            if (is_repeat(row, &replay->rows[j])) {
                reader->line = row->line;
                return REFUSE(reader, IR_ERR_SYNTAX, "the same observation as in line %u",
                              replay->rows[j].line);
            }
        }
    }
    return IR_OK;
}

static ir_status_t measure_step(const ir_reader_t *reader, ir_replay_t *replay) {
    int64_t *first = calloc(replay->stations.count, sizeof *first);
    if (first == NULL) {
        return no_memory(reader);
    }
    int64_t longest = 0;
    for (size_t i = 0; i < replay->n_rows; i++) {
        const ir_replay_row_t *row = &replay->rows[i];
        if (first[row->mote] == 0) {
            first[row->mote] = row->time_ns;
        }
        const int64_t span = row->time_ns - first[row->mote];
        longest = span > longest ? span : longest;
    }
    free(first);
    replay->step_ns = (longest / DAY_NS + 1) * DAY_NS;
    return IR_OK;
}

/* ---- the whole ---- */

static ir_status_t load(ir_reader_t *reader, ir_replay_t *replay) {
    ir_status_t status = read_rows(reader, replay);
    if (status != IR_OK || replay->rows == NULL) {
        return status;
    }
    qsort(replay->rows, replay->n_rows, sizeof replay->rows[0], compare_rows);
    status = find_repeats(reader, replay);
    return status == IR_OK ? measure_step(reader, replay) : status;
}

ir_status_t ir_replay_load(const char *path, ir_replay_t **replay, ir_error_t *error) {
    gzFile file = gzopen(path, "re");
    if (file == NULL) {
        return ir_error_set(error, errno == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                            "cannot open the replay data %s: %s", path, strerror(errno));
    }
    (void)gzbuffer(file, FILE_BUFFER);
    ir_reader_t reader = {.file = file, .path = path, .now_ns = ir_clock_now(), .error = error};
    ir_replay_t *made = calloc(1, sizeof *made);
    ir_status_t status = IR_OK;
    if (made == NULL || (made->arena = ir_arena_new(ARENA_CHUNK)) == NULL) {
        status = no_memory(&reader);
    } else {
        status = load(&reader, made);
    }
    if (gzclose_r(file) != Z_OK && status == IR_OK) {
        status = REFUSE(&reader, IR_ERR_IO, "%s", "the file ends in the middle of its data");
    }
    if (status == IR_OK) {
        *replay = made;
    } else {
        ir_replay_free(made);
    }
    return status;
}

void ir_replay_free(ir_replay_t *replay) {
    if (replay != NULL) {
        ir_arena_free(replay->arena);
        free(replay->rows);
        free(replay);
    }
}

const ir_replay_row_t *ir_replay_rows(const ir_replay_t *replay, size_t *count) {
    *count = replay->n_rows;
    return replay->rows;
}

unsigned ir_replay_motes(const ir_replay_t *replay) {
    return replay->stations.count;
}

int64_t ir_replay_step(const ir_replay_t *replay) {
    return replay->step_ns;
}

int64_t ir_replay_repeats(const ir_replay_t *replay) {
    return (replay->rows[0].time_ns - ABSOLUTE_FROM_NS) / replay->step_ns + 1;
}
