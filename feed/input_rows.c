#include "feed/input_state.h"

#include "feed/uplink.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

static ir_status_t out_of_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a file");
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

void ir_input_find_id(const ir_pack_t *pack, ir_id_t *id) {
    ir_id_raw(&(ir_raw_key_t){.kind = IR_RAW_ABSOLUTE,
                              .mote = pack->mote,
                              .body = pack->body,
                              .time_ns = pack->time_ns},
              id);
}

/* Whether this pack was confirmed before and has not grown since. */
static bool is_last(const ir_input_t *input, const ir_pack_t *pack) {
    ir_id_t id;
    if (!input->cursor.has_last || input->n_packs > 0 ||
        pack->begin.offset != input->cursor.at.offset) {
        return false;
    }
    ir_input_find_id(pack, &id);
    return ir_id_compare(&id, &input->cursor.last) == 0;
}

ir_status_t ir_input_end_pack(ir_input_t *input, ir_input_tools_t *tools, ir_error_t *error) {
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

/* `*full`: the requested number of packs is complete, and this row was not used for them. */
static ir_status_t add_reading(ir_input_t *input, ir_input_tools_t *tools, const ir_row_t *row,
                               size_t limit, bool *full, ir_error_t *error) {
    if (!ir_pack_joins(&tools->draft, &tools->reading)) {
        const ir_status_t status = ir_input_end_pack(input, tools, error);
        *full = status == IR_OK && input->n_packs == limit;
        if (status != IR_OK || *full) {
            return status;
        }
        tools->draft.pack = (ir_pack_t){
            .input = input, .begin = row->begin, .head = input->head, .notes = input->row_notes};
    }
    ir_pack_add(&tools->draft, &tools->reading);
    return IR_OK;
}

/* ---- heads ---- */

void ir_input_drop_head(ir_input_t *input) {
    ir_layout_free(input->layout);
    free(input->mark);
    input->layout = NULL;
    input->mark = NULL;
    input->head_rows = 0;
}

/* The first header of a file must match the mapping. A later header may not match (another site,
 * another program of the logger); it is reported and its rows are skipped. */
static ir_status_t take_names(ir_input_t *input, ir_input_tools_t *tools, const ir_fields_t *names,
                              ir_error_t *error) {
    ir_error_t inner = {.status = IR_OK};
    const ir_status_t status =
        ir_layout_make(input->position, tools->row_reader.encoding, names, &input->layout, &inner);
    if (status == IR_OK || status == IR_ERR_MEMORY || input->head.offset == 0) {
        return status == IR_OK ? IR_OK : ir_error_set(error, status, "%s", inner.text);
    }
    ir_report_unusable(tools->report, "skipping the rows from here on: %s", inner.text);
    return IR_OK;
}

ir_status_t ir_input_number_columns(ir_input_t *input, ir_input_tools_t *tools, ir_error_t *error) {
    return take_names(input, tools, NULL, error);
}

static ir_status_t take_head_row(ir_input_t *input, ir_input_tools_t *tools, ir_error_t *error) {
    const ir_position_t *position = input->position;
    const ir_view_t first = tools->fields.all[0];
    const bool named = position->name_row > 0;
    if (input->head_rows++ == 0 && named) {
        const char *wanted = position->format->first;
        input->mark = strndup(first.size > 0 ? first.data : "", first.size);
        if (input->mark == NULL) {
            return out_of_memory(error);
        }
        if (wanted != NULL && strcmp(input->mark, wanted) != 0) {
            return ir_error_set(error, IR_ERR_SYNTAX, "does not begin with %s", wanted);
        }
    }
    return input->head_rows == (named ? position->name_row : position->head_rows)
               ? take_names(input, tools, named ? &tools->fields : NULL, error)
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

/* Splits the row. Returns false if the row is to be ignored. */
static bool split(const ir_input_t *input, ir_input_tools_t *tools, const ir_row_t *row) {
    const char comment = input->position->comment_char;
    if (comment != '\0' && row->size > 0 && row->data[0] == comment) {
        return false;
    }
    tools->report->out_of_memory = !copy_row(&tools->row, row);
    if (tools->report->out_of_memory ||
        !ir_fields_split(tools->row.data, row->size, &input->position->dialect, &tools->fields)) {
        ir_report_unusable(tools->report, "more than %d fields", IR_FIELDS_MAX);
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

/* Puts the row back, so that it is read again later. */
static void give_back(ir_input_t *input, const ir_reading_t *reading, bool table) {
    input->n_notes = input->row_notes;
    if (table) {
        *ir_tracks_of(input->tracks, reading->mote) = reading->before;
    }
}

static ir_status_t take_row(ir_input_t *input, ir_input_tools_t *tools, const ir_row_t *row,
                            size_t limit, bool *full, ir_error_t *error) {
    const bool table = input->position->format->uplink == NULL;
    const ir_reading_context_t context = {input->position, tools->arena, input->tracks,
                                          tools->report};
    bool read = false;
    input->row_notes = input->n_notes;
    tools->report->line = input->read_line = row->begin.line;
    tools->reading.mote = ir_view(NULL, 0);
    if (table && !split(input, tools, row)) {
        return IR_OK;
    }
    if (table && begins_head(input, &tools->fields)) {
        ir_input_drop_head(input);
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
    if (*full) {
        give_back(input, &tools->reading, table);
    }
    return status;
}

ir_status_t ir_input_read_rows(ir_input_t *input, ir_input_tools_t *tools, bool heads_only,
                               size_t limit, ir_error_t *error) {
    ir_row_t row;
    bool full = false;
    ir_status_t status = IR_OK;
    while (status == IR_OK && !full &&
           !(heads_only && input->head_rows == input->position->head_rows)) {
        switch (ir_rows_next(tools->rows, &input->position->dialect, &row, error)) {
        case IR_ROWS_END:
            input->ended = ir_rows_ended(tools->rows);
            return IR_OK;
        case IR_ROWS_FAILED:
            return IR_ERR_IO;
        case IR_ROWS_LONG:
            tools->report->line = input->read_line = row.begin.line;
            ir_report_unusable(
                tools->report,
                "longer than %d bytes: does a quote in this row lack its closing quote?",
                IR_ROW_BYTES_MAX);
            break;
        case IR_ROWS_ROW:
            tools->report->out_of_memory = false;
            status = take_row(input, tools, &row, limit, &full, error);
            if (tools->report->out_of_memory) {
                status = out_of_memory(error);
            }
            break;
        }
        input->end = full ? row.begin : row.end;
    }
    if (full) {
        ir_rows_back(tools->rows, &row);
    }
    return status;
}
