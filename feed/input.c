#include "feed/input.h"

#include "feed/cursor.h"
#include "feed/rows.h"
#include "feed/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STANDARD_INPUT "-"
#define ARENA_CHUNK (256 * 1024)
#define FIRST_CAPACITY 64

/* A mote's track after a row. */
typedef struct ir_note {
    ir_view_t mote;
    ir_track_t track;
} ir_note_t;

struct ir_input_tools {
    const ir_position_t *position;
    ir_report_t *report;
    ir_arena_t *arena;
    ir_rows_t *rows;
    ir_buffer_t scratch, description;
    ir_buffer_t row; /* a copy, which splitting changes */
    ir_row_reader_t row_reader;
    ir_fields_t fields;
    ir_reading_t reading;
    ir_pack_draft_t draft;
};

struct ir_input {
    const ir_position_t *position;
    char *path, *state; /* `state` NULL: nothing is kept */
    bool standard;
    bool looked;    /* the file was held against the cursor since the program began */
    uint64_t named; /* of its rows that cannot be used, those that were said */
    ir_cursor_t cursor;

    /* the last read */
    ir_tracks_t *tracks;
    ir_pack_t *packs;
    size_t n_packs, capacity;
    ir_note_t *notes;
    size_t n_notes, notes_capacity;
    ir_fingerprint_t fingerprint;
    int64_t size;       /* of the file then; -1: standard input */
    ir_row_place_t end; /* where reading goes on when all of it is confirmed */
    bool ended, open;   /* `open`: rows to come may join the last pack */

    /* the head in force */
    ir_row_place_t head;
    unsigned head_rows; /* of it that were read */
    char *mark;         /* the first field of its first row */
    ir_layout_t *layout;
};

/* ---- tools ---- */

void ir_input_tools_close(ir_input_tools_t *tools) {
    if (tools != NULL) {
        ir_arena_free(tools->arena);
        ir_rows_free(tools->rows);
        ir_buffer_free(&tools->scratch);
        ir_buffer_free(&tools->row);
        ir_buffer_free(&tools->description);
        ir_buffer_free(&tools->row_reader.text);
        ir_encoding_close(tools->row_reader.encoding);
        free(tools);
    }
}

ir_status_t ir_input_tools_open(const ir_position_t *position, ir_zones_t *zones,
                                ir_report_t *report, ir_input_tools_t **tools, ir_error_t *error) {
    ir_input_tools_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a position");
    }
    made->position = position;
    made->report = report;
    made->row_reader.zones = zones;
    made->arena = ir_arena_new(ARENA_CHUNK);
    made->rows = ir_rows_new();
    ir_position_describe(position, &made->description);
    ir_status_t status =
        made->arena != NULL && made->rows != NULL && ir_buffer_ok(&made->description)
            ? ir_encoding_open(position->encoding, &made->row_reader.encoding, error)
            : ir_error_set(error, IR_ERR_MEMORY, "out of memory for a position");
    if (status != IR_OK) {
        ir_input_tools_close(made);
        return status;
    }
    *tools = made;
    return IR_OK;
}

void ir_input_tools_reset(ir_input_tools_t *tools) {
    ir_arena_reset(tools->arena);
}

/* ---- life ---- */

static void drop_head(ir_input_t *input) {
    ir_layout_free(input->layout);
    free(input->mark);
    input->layout = NULL;
    input->mark = NULL;
    input->head_rows = 0;
}

void ir_input_close(ir_input_t *input) {
    if (input != NULL) {
        drop_head(input);
        ir_cursor_free(&input->cursor);
        ir_tracks_free(input->tracks);
        free(input->packs);
        free(input->notes);
        free(input->path);
        free(input->state);
        free(input);
    }
}

static ir_status_t out_of_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a file");
}

static ir_status_t load(ir_input_t *input, const char *folder, ir_error_t *error) {
    if (folder == NULL || input->standard) {
        return IR_OK;
    }
    input->state = ir_cursor_path(folder, input->position->name, input->path);
    return input->state != NULL ? ir_cursor_load(input->state, &input->cursor, error)
                                : out_of_memory(error);
}

ir_status_t ir_input_open(const ir_position_t *position, const char *path, const char *folder,
                          ir_input_t **input, ir_error_t *error) {
    ir_input_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return out_of_memory(error);
    }
    made->position = position;
    made->standard = strcmp(path, STANDARD_INPUT) == 0;
    made->path = strdup(path);
    made->tracks = ir_tracks_new();
    const bool whole = ir_cursor_init(&made->cursor) && made->path != NULL && made->tracks != NULL;
    made->end = made->head = made->cursor.at;
    const ir_status_t status = whole ? load(made, folder, error) : out_of_memory(error);
    if (status != IR_OK) {
        ir_input_close(made);
        return status;
    }
    *input = made;
    return IR_OK;
}

const char *ir_input_path(const ir_input_t *input) {
    return input->path;
}

bool ir_input_has_more(const ir_input_t *input) {
    struct stat status;
    if (input->standard) {
        return !input->ended;
    }
    return !input->looked || !input->cursor.whole ||
           (stat(input->path, &status) == 0 && status.st_size != input->cursor.size);
}

ir_pack_t *ir_input_packs(ir_input_t *input, size_t *count) {
    *count = input->n_packs;
    return input->packs;
}

bool ir_input_ended(const ir_input_t *input) {
    return input->ended;
}

const ir_layout_t *ir_input_layout(const ir_input_t *input) {
    return input->layout;
}

/* ---- packs ---- */

static bool push_note(ir_input_t *input, ir_view_t mote) {
    if (input->n_notes == input->notes_capacity) {
        const size_t capacity = input->n_notes > 0 ? 2 * input->n_notes : FIRST_CAPACITY;
        ir_note_t *notes = realloc(input->notes, capacity * sizeof *notes);
        if (notes == NULL) {
            return false;
        }
        input->notes = notes;
        input->notes_capacity = capacity;
    }
    const ir_track_t *track = ir_tracks_of(input->tracks, mote);
    if (track != NULL) {
        input->notes[input->n_notes++] = (ir_note_t){.mote = mote, .track = *track};
    }
    return true;
}

static void find_id(const ir_pack_t *pack, ir_id_t *id) {
    ir_id_raw(&(ir_raw_key_t){.kind = IR_RAW_ABSOLUTE,
                              .mote = pack->mote,
                              .body = pack->body,
                              .time_ns = pack->time_ns},
              id);
}

/* Whether it is the one that was confirmed before, with nothing added since. */
static bool is_last(const ir_input_t *input, const ir_pack_t *pack) {
    ir_id_t id;
    if (!input->cursor.has_last || input->n_packs > 0 ||
        pack->begin.offset != input->cursor.at.offset) {
        return false;
    }
    find_id(pack, &id);
    return ir_id_compare(&id, &input->cursor.last) == 0;
}

static ir_status_t push_draft(ir_input_t *input, ir_input_tools_t *tools, ir_error_t *error) {
    if (tools->draft.n_values == 0) {
        return IR_OK;
    }
    if (input->n_packs == input->capacity) {
        const size_t capacity = input->n_packs > 0 ? 2 * input->n_packs : FIRST_CAPACITY;
        ir_pack_t *packs = realloc(input->packs, capacity * sizeof *packs);
        if (packs == NULL) {
            return out_of_memory(error);
        }
        input->packs = packs;
        input->capacity = capacity;
    }
    if (!ir_pack_finish(&tools->draft, tools->arena, &tools->scratch)) {
        return out_of_memory(error);
    }
    ir_pack_t *pack = &input->packs[input->n_packs];
    *pack = tools->draft.pack;
    pack->settled = is_last(input, pack);
    input->n_packs++;
    return IR_OK;
}

/* `*full`: there are as many packs as were asked for, and the row was not taken. */
static ir_status_t add_reading(ir_input_t *input, ir_input_tools_t *tools, const ir_row_t *row,
                               size_t limit, bool *full, ir_error_t *error) {
    if (!ir_pack_joins(&tools->draft, &tools->reading)) {
        const ir_status_t status = push_draft(input, tools, error);
        *full = status == IR_OK && input->n_packs == limit;
        if (status != IR_OK || *full) {
            return status;
        }
        tools->draft.pack = (ir_pack_t){.input = input, .begin = row->begin, .head = input->head};
    }
    ir_pack_add(&tools->draft, &tools->reading);
    return IR_OK;
}

/* ---- heads ---- */

/* The first head of a file must fit. A later one (another site, another program of the logger) that
 * does not is reported, and its rows are passed over. */
static ir_status_t take_names(ir_input_t *input, ir_input_tools_t *tools, const ir_fields_t *names,
                              ir_error_t *error) {
    ir_error_t inner = {.status = IR_OK};
    const ir_status_t status =
        ir_layout_make(input->position, tools->row_reader.encoding, names, &input->layout, &inner);
    if (status == IR_OK || status == IR_ERR_MEMORY || input->head.offset == 0) {
        return status == IR_OK ? IR_OK : ir_error_set(error, status, "%s", inner.text);
    }
    ir_report_unusable(tools->report, "rows from here on are passed over: %s", inner.text);
    return IR_OK;
}

static ir_status_t take_head_row(ir_input_t *input, ir_input_tools_t *tools, ir_error_t *error) {
    const ir_view_t first = tools->fields.all[0];
    if (input->head_rows++ == 0) {
        const char *wanted = input->position->format->first;
        input->mark = strndup(first.size > 0 ? first.data : "", first.size);
        if (input->mark == NULL) {
            return out_of_memory(error);
        }
        if (wanted != NULL && strcmp(input->mark, wanted) != 0) {
            return ir_error_set(error, IR_ERR_SYNTAX, "does not begin with %s", wanted);
        }
    }
    return input->head_rows == input->position->name_row
               ? take_names(input, tools, &tools->fields, error)
               : IR_OK;
}

static bool begins_head(const ir_input_t *input, const ir_fields_t *fields) {
    return input->head_rows == input->position->head_rows && input->mark != NULL &&
           input->mark[0] != '\0' && ir_view_equal(fields->all[0], ir_view_text(input->mark));
}

/* ---- rows ---- */

static bool is_blank(const ir_fields_t *fields) {
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->all[i].size > 0) {
            return false;
        }
    }
    return true;
}

static bool copy_row(ir_buffer_t *copy, const ir_row_t *row) {
    ir_buffer_clear(copy);
    ir_buffer_append(copy, row->data, row->size);
    return ir_buffer_ok(copy);
}

/* Splits the row; false when it is none that counts. */
static bool split(const ir_input_t *input, ir_input_tools_t *tools, const ir_row_t *row) {
    const char comment = input->position->comment_char;
    if (comment != '\0' && row->size > 0 && row->data[0] == comment) {
        return false;
    }
    if (!copy_row(&tools->row, row) ||
        !ir_fields_split(tools->row.data, row->size, &input->position->dialect, &tools->fields)) {
        ir_report_unusable(tools->report, "more than %d fields, or out of memory", IR_FIELDS_MAX);
        return false;
    }
    return true;
}

static bool read_uplink(const ir_reading_context_t *context, const ir_row_t *row,
                        ir_reading_t *reading) {
    const ir_view_t line = ir_view(row->data, row->size);
    uint64_t missed = 0;
    return row->size > strspn(row->data, "\r\n") &&
           ir_uplink_read(context, line, reading, &missed) == IR_UPLINK_READ;
}

static ir_status_t take_row(ir_input_t *input, ir_input_tools_t *tools, const ir_row_t *row,
                            size_t limit, bool *full, ir_error_t *error) {
    const bool table = input->position->format->uplink == NULL;
    const size_t notes = input->n_notes;
    const ir_reading_context_t context = {input->position, tools->arena, input->tracks,
                                          tools->report};
    bool read = false;
    tools->report->line = row->begin.line;
    tools->reading.mote = ir_view(NULL, 0);
    if (table && !split(input, tools, row)) {
        return IR_OK;
    }
    if (table && begins_head(input, &tools->fields)) {
        drop_head(input);
        input->head = row->begin;
    }
    if (table && input->head_rows < input->position->head_rows) {
        return take_head_row(input, tools, error);
    }
    if (!table) {
        read = read_uplink(&context, row, &tools->reading);
    } else if (input->layout != NULL && !is_blank(&tools->fields)) {
        tools->row_reader.layout = input->layout;
        read = ir_row_read(&tools->row_reader, &context, &tools->fields, &tools->reading);
    }
    if (tools->reading.mote.size > 0 && !push_note(input, tools->reading.mote)) {
        return out_of_memory(error);
    }
    const ir_status_t status = read ? add_reading(input, tools, row, limit, full, error) : IR_OK;
    input->n_notes = *full ? notes : input->n_notes;
    tools->draft.pack.notes = input->n_notes;
    return status;
}

/* `heads_only`: until the head is complete. */
static ir_status_t read_rows(ir_input_t *input, ir_input_tools_t *tools, bool heads_only,
                             size_t limit, ir_error_t *error) {
    ir_row_t row;
    bool full = false;
    ir_status_t status = IR_OK;
    while (status == IR_OK && !full &&
           !(heads_only && input->head_rows == input->position->head_rows)) {
        switch (ir_rows_next(tools->rows, &input->position->dialect, &row, error)) {
        case IR_ROWS_END:
            input->ended = true;
            return IR_OK;
        case IR_ROWS_FAILED:
            return IR_ERR_IO;
        case IR_ROWS_LONG:
            tools->report->line = row.begin.line;
            ir_report_unusable(tools->report,
                               "longer than %d bytes: is a quote left open in this row?",
                               IR_ROW_BYTES_MAX);
            break;
        case IR_ROWS_ROW:
            status = take_row(input, tools, &row, limit, &full, error);
            break;
        }
        input->end = full ? row.begin : row.end;
    }
    if (full) {
        ir_rows_back(tools->rows, &row);
    }
    return status;
}

/* ---- reading ---- */

static ir_status_t seek(ir_input_t *input, ir_input_tools_t *tools, int fd, ir_row_place_t at,
                        ir_error_t *error) {
    if (lseek(fd, at.offset, SEEK_SET) < 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot read: %s", strerror(errno));
    }
    input->end = at;
    ir_rows_begin(tools->rows, fd, at);
    return IR_OK;
}

/* Whether the file is the one that the cursor is about, and still has what was read of it. */
static ir_status_t compare(ir_input_t *input, ir_input_tools_t *tools, int fd, ir_error_t *error) {
    const ir_fingerprint_t *known = &input->cursor.fingerprint;
    const ir_view_t description = ir_buffer_view(&tools->description);
    ir_fingerprint_t now = {.size = 0};
    ir_status_t status = IR_OK;
    if (known->size > 0) {
        status = ir_fingerprint_take(fd, description, known->size, &now, error);
        tools->report->line = 1;
        if (status == IR_OK && memcmp(&now, known, sizeof now) != 0) {
            ir_report_remark(tools->report,
                             "begins in another way than before, or the mapping has changed: read "
                             "from the start");
            ir_cursor_rewind(&input->cursor);
        } else if (status == IR_OK && input->size < input->cursor.size) {
            ir_report_remark(tools->report, "was rewritten: read from the start");
            ir_cursor_rewind(&input->cursor);
        }
    }
    return status == IR_OK ? ir_fingerprint_take(fd, description, 0, &input->fingerprint, error)
                           : status;
}

/* From the head in force, if that is not where reading goes on, and then from there. */
static ir_status_t read_from(ir_input_t *input, ir_input_tools_t *tools, int fd, size_t limit,
                             ir_error_t *error) {
    const ir_row_place_t at = input->cursor.at;
    ir_status_t status = seek(input, tools, fd, input->cursor.head, error);
    if (status == IR_OK && at.offset > input->cursor.head.offset) {
        status = read_rows(input, tools, true, limit, error);
        if (status == IR_OK) {
            status = seek(input, tools, fd, at, error);
        }
    }
    return status == IR_OK ? read_rows(input, tools, false, limit, error) : status;
}

static ir_status_t open_file(ir_input_t *input, int *fd, ir_error_t *error) {
    struct stat status;
    *fd = open(input->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, &status) != 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot open: %s", strerror(errno));
    }
    input->size = status.st_size;
    return S_ISREG(status.st_mode)
               ? IR_OK
               : ir_error_set(error, IR_ERR_IO, "is no regular file; standard input is called -");
}

static ir_status_t read_file(ir_input_t *input, ir_input_tools_t *tools, size_t limit,
                             ir_error_t *error) {
    int fd = -1;
    ir_status_t status = open_file(input, &fd, error);
    if (status == IR_OK) {
        status = compare(input, tools, fd, error);
    }
    if (status == IR_OK) {
        status = ir_tracks_copy(input->tracks, input->cursor.tracks) ? IR_OK : out_of_memory(error);
    }
    if (status == IR_OK) {
        drop_head(input);
        input->looked = true;
        tools->report->told = input->cursor.told;
        input->head = input->cursor.head;
        status = input->position->head_rows == 0 && input->position->format->uplink == NULL
                     ? take_names(input, tools, NULL, error)
                     : IR_OK;
    }
    if (status == IR_OK) {
        status = read_from(input, tools, fd, limit, error);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

/* Once only and on: the rows that were read and not taken stay in the buffer. */
static ir_status_t read_standard(ir_input_t *input, ir_input_tools_t *tools, size_t limit,
                                 ir_error_t *error) {
    input->size = -1;
    if (input->layout == NULL && input->end.offset == 0) {
        ir_rows_begin(tools->rows, STDIN_FILENO, input->end);
        if (input->position->head_rows == 0 && input->position->format->uplink == NULL) {
            const ir_status_t status = take_names(input, tools, NULL, error);
            if (status != IR_OK) {
                return status;
            }
        }
    }
    tools->report->told = input->cursor.told;
    const ir_status_t status = read_rows(input, tools, false, limit, error);
    if (status == IR_OK && input->ended && ir_rows_waits(tools->rows)) {
        tools->report->line = input->end.line;
        ir_report_unusable(tools->report, "the input ends in the middle of this row");
    }
    return status;
}

static void note_told(ir_input_t *input, const ir_report_t *report) {
    if (report->line > input->cursor.told) {
        input->cursor.told = report->line;
    }
}

ir_status_t ir_input_read(ir_input_t *input, ir_input_tools_t *tools, size_t packs,
                          ir_error_t *error) {
    ir_error_t inner = {.status = IR_OK};
    input->n_packs = input->n_notes = 0;
    input->ended = input->open = false;
    tools->draft.n_values = 0;
    tools->report->path = input->path;
    tools->report->named = input->named;
    tools->report->told = 0;
    ir_status_t status = input->standard ? read_standard(input, tools, packs, &inner)
                                         : read_file(input, tools, packs, &inner);
    input->named = tools->report->named;
    note_told(input, tools->report);
    if (status == IR_OK && input->ended) {
        input->open = tools->draft.n_values > 0 && input->position->format->uplink == NULL;
        status = push_draft(input, tools, &inner);
    }
    if (status != IR_OK) {
        input->n_packs = 0;
        return ir_error_set(error, status, "%s: %s", input->path, inner.text);
    }
    return IR_OK;
}

/* ---- confirming ---- */

static bool apply_notes(ir_input_t *input, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ir_track_t *track = ir_tracks_of(input->cursor.tracks, input->notes[i].mote);
        if (track == NULL) {
            return false;
        }
        *track = input->notes[i].track;
    }
    return true;
}

/* All of the last read is confirmed. */
static void move_to_end(ir_input_t *input) {
    ir_cursor_t *cursor = &input->cursor;
    cursor->at = input->end;
    cursor->head = input->head;
    cursor->whole = input->ended;
    if (input->ended && input->open) {
        const ir_pack_t *last = &input->packs[input->n_packs - 1];
        cursor->at = last->begin;
        cursor->head = last->head;
        cursor->has_last = true;
        find_id(last, &cursor->last);
    }
}

ir_status_t ir_input_confirm(ir_input_t *input, size_t count, ir_error_t *error) {
    const bool all = count == input->n_packs;
    if (input->standard || (count == 0 && !all)) {
        return IR_OK;
    }
    if (!apply_notes(input, all ? input->n_notes : input->packs[count - 1].notes)) {
        return out_of_memory(error);
    }
    const ir_cursor_t before = input->cursor;
    input->cursor.fingerprint = input->fingerprint;
    input->cursor.size = input->size;
    input->cursor.has_last = false;
    if (all) {
        move_to_end(input);
    } else {
        input->cursor.at = input->packs[count].begin;
        input->cursor.head = input->packs[count].head;
        input->cursor.whole = false;
    }
    return input->state != NULL && !ir_cursor_equal(&before, &input->cursor)
               ? ir_cursor_save(input->state, input->path, &input->cursor, error)
               : IR_OK;
}

/* ---- segments ---- */

ir_status_t ir_input_follow(ir_input_t *input, const ir_input_t *before, ir_error_t *error) {
    if (!ir_tracks_copy(input->cursor.tracks, before->cursor.tracks)) {
        return out_of_memory(error);
    }
    return input->state != NULL ? ir_cursor_save(input->state, input->path, &input->cursor, error)
                                : IR_OK;
}

ir_status_t ir_input_remove(ir_input_t *input, ir_error_t *error) {
    if (unlink(input->path) != 0 && errno != ENOENT) {
        return ir_error_set(error, IR_ERR_IO, "cannot remove %s: %s", input->path, strerror(errno));
    }
    if (input->state != NULL && unlink(input->state) != 0 && errno != ENOENT) {
        return ir_error_set(error, IR_ERR_IO, "cannot remove %s: %s", input->state,
                            strerror(errno));
    }
    return IR_OK;
}
