/* The private state of an input, shared by feed/input.c and feed/input_rows.c. */
#ifndef IR_FEED_INPUT_STATE_H
#define IR_FEED_INPUT_STATE_H

#include "common/arena.h"
#include "common/buffer.h"
#include "feed/cursor.h"
#include "feed/fields.h"
#include "feed/input.h"
#include "feed/layout.h"
#include "feed/pack.h"
#include "feed/reading.h"
#include "feed/report.h"
#include "feed/row_reader.h"
#include "feed/rows.h"
#include "feed/track.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A mote's track as it was after a row. */
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
    char *path, *state; /* `state` is NULL if no state is kept */
    bool standard;
    bool looked;    /* the file was checked against the cursor in this run */
    uint64_t named; /* number of faults reported for the file's rows */
    ir_cursor_t cursor;

    /* the last read */
    ir_tracks_t *tracks;
    ir_pack_t *packs;
    size_t n_packs, capacity;
    ir_note_t *notes;
    size_t n_notes, notes_capacity;
    size_t row_notes;   /* value of n_notes before the last row */
    uint64_t read_line; /* the last row; 0: none */
    ir_fingerprint_t fingerprint;
    int64_t size;       /* the file's size when it was read; -1: standard input */
    ir_row_place_t end; /* where reading continues once all packs are confirmed */
    bool ended, open;   /* `open`: later rows may be added to the last pack */
    uint64_t waiting;   /* the line of a last row that lacks its line end; 0: none */

    /* the current head */
    ir_row_place_t head;
    unsigned head_rows; /* number of header rows that were read */
    char *mark;         /* first field of the first header row */
    ir_layout_t *layout;
};

/* Forgets the current head. */
void ir_input_drop_head(ir_input_t *input);

/* A table without a head: columns are named 1, 2, … */
ir_status_t ir_input_number_columns(ir_input_t *input, ir_input_tools_t *tools, ir_error_t *error);

/* Processes rows until `limit` packs are complete or no row is left; with `heads_only`, until the
 * head is complete. Puts back a row that would begin another pack. */
ir_status_t ir_input_read_rows(ir_input_t *input, ir_input_tools_t *tools, bool heads_only,
                               size_t limit, ir_error_t *error);

/* Finishes the current pack. */
ir_status_t ir_input_end_pack(ir_input_t *input, ir_input_tools_t *tools, ir_error_t *error);

/* The raw message id of a pack. */
void ir_input_find_id(const ir_pack_t *pack, ir_id_t *id);

#endif
