/* What an input and the reading of its rows know of each other; for feed/input.c and
 * feed/input_rows.c only. */
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
    uint64_t read_line; /* the last row; 0: none */
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

/* Forgets the head in force. */
void ir_input_drop_head(ir_input_t *input);

/* A table without a head: columns are called 1, 2, … */
ir_status_t ir_input_number_columns(ir_input_t *input, ir_input_tools_t *tools, ir_error_t *error);

/* Takes rows until `limit` packs are made or none is left; `heads_only`: until the head is
 * complete. The row that would begin another pack is given back. */
ir_status_t ir_input_read_rows(ir_input_t *input, ir_input_tools_t *tools, bool heads_only,
                               size_t limit, ir_error_t *error);

/* Ends the pack that is in the making. */
ir_status_t ir_input_end_pack(ir_input_t *input, ir_input_tools_t *tools, ir_error_t *error);

/* The id of the raw message that a pack becomes. */
void ir_input_find_id(const ir_pack_t *pack, ir_id_t *id);

#endif
