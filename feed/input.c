#include "feed/input.h"

#include "feed/input_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STANDARD_INPUT "-"
#define ARENA_CHUNK (256 * 1024)

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

void ir_input_close(ir_input_t *input) {
    if (input != NULL) {
        ir_input_drop_head(input);
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

uint64_t ir_input_waiting(const ir_input_t *input) {
    return input->waiting;
}

const ir_layout_t *ir_input_layout(const ir_input_t *input) {
    return input->layout;
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

/* Whether the cursor belongs to this file, and the part already read is unchanged. */
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
                             "its beginning or the mapping has changed: reading from the start");
            ir_cursor_rewind(&input->cursor);
        } else if (status == IR_OK && input->size < input->cursor.size) {
            ir_report_remark(tools->report, "was rewritten: reading from the start");
            ir_cursor_rewind(&input->cursor);
        }
    }
    return status == IR_OK ? ir_fingerprint_take(fd, description, 0, &input->fingerprint, error)
                           : status;
}

/* Reads from the cursor on. If the cursor is after the current header rows, reads these first. */
static ir_status_t read_from(ir_input_t *input, ir_input_tools_t *tools, int fd, size_t limit,
                             ir_error_t *error) {
    const ir_row_place_t at = input->cursor.at;
    ir_status_t status = seek(input, tools, fd, input->cursor.head, error);
    if (status == IR_OK && at.offset > input->cursor.head.offset) {
        status = ir_input_read_rows(input, tools, true, limit, error);
        if (status == IR_OK) {
            status = seek(input, tools, fd, at, error);
        }
    }
    return status == IR_OK ? ir_input_read_rows(input, tools, false, limit, error) : status;
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
               : ir_error_set(error, IR_ERR_IO, "is not a regular file; use - for standard input");
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
        ir_input_drop_head(input);
        input->looked = true;
        tools->report->told = input->cursor.told;
        input->head = input->cursor.head;
        status = input->position->head_rows == 0 && input->position->format->uplink == NULL
                     ? ir_input_number_columns(input, tools, error)
                     : IR_OK;
    }
    if (status == IR_OK) {
        status = read_from(input, tools, fd, limit, error);
        input->waiting = input->ended && ir_rows_waits(tools->rows) ? input->end.line : 0;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

/* Only reads forward. Rows that were read but not used stay in the buffer. */
static ir_status_t read_standard(ir_input_t *input, ir_input_tools_t *tools, size_t limit,
                                 ir_error_t *error) {
    input->size = -1;
    if (input->layout == NULL && input->end.offset == 0) {
        ir_rows_begin(tools->rows, STDIN_FILENO, input->end);
        if (input->position->head_rows == 0 && input->position->format->uplink == NULL) {
            const ir_status_t status = ir_input_number_columns(input, tools, error);
            if (status != IR_OK) {
                return status;
            }
        }
    }
    tools->report->told = input->cursor.told;
    const ir_status_t status = ir_input_read_rows(input, tools, false, limit, error);
    if (status == IR_OK && input->ended && ir_rows_waits(tools->rows)) {
        tools->report->line = input->end.line;
        ir_report_unusable(tools->report, "the input ends in the middle of this row");
    }
    return status;
}

static void note_told(ir_input_t *input) {
    if (input->read_line > input->cursor.told) {
        input->cursor.told = input->read_line;
    }
}

ir_status_t ir_input_read(ir_input_t *input, ir_input_tools_t *tools, size_t packs,
                          ir_error_t *error) {
    ir_error_t inner = {.status = IR_OK};
    input->n_packs = input->n_notes = 0;
    input->ended = input->open = false;
    input->read_line = 0;
    tools->draft.n_values = 0;
    tools->report->path = input->path;
    tools->report->named = input->named;
    tools->report->told = 0;
    ir_status_t status = input->standard ? read_standard(input, tools, packs, &inner)
                                         : read_file(input, tools, packs, &inner);
    input->named = tools->report->named;
    note_told(input);
    if (status == IR_OK) {
        input->open = tools->draft.n_values > 0 && input->position->format->uplink == NULL;
        status = ir_input_end_pack(input, tools, &inner);
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

/* Returns the index of the first pack that will be read again: the first unconfirmed one or, at the
 * end of a file that may still grow, the last one. n_packs: no pack is read again. */
static size_t first_again(const ir_input_t *input, size_t count) {
    return count == input->n_packs && input->ended && input->open ? count - 1 : count;
}

static void move_to(ir_input_t *input, size_t again, bool all) {
    ir_cursor_t *cursor = &input->cursor;
    const ir_pack_t *pack = again < input->n_packs ? &input->packs[again] : NULL;
    cursor->at = pack != NULL ? pack->begin : input->end;
    cursor->head = pack != NULL ? pack->head : input->head;
    cursor->whole = all && input->ended;
    cursor->has_last = all && pack != NULL;
    if (cursor->has_last) {
        ir_input_find_id(pack, &cursor->last);
    }
}

ir_status_t ir_input_confirm(ir_input_t *input, size_t count, ir_error_t *error) {
    const bool all = count == input->n_packs;
    if (input->standard || (count == 0 && !all)) {
        return IR_OK;
    }
    const size_t again = first_again(input, count);
    if (!apply_notes(input, again < input->n_packs ? input->packs[again].notes : input->n_notes)) {
        return out_of_memory(error);
    }
    const ir_cursor_t before = input->cursor;
    input->cursor.fingerprint = input->fingerprint;
    input->cursor.size = input->size;
    move_to(input, again, all);
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
