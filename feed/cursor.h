/* How far a file has been read, and confirmed: kept in a file of its own below the state's folder,
 * replaced atomically and durably. One thread. */
#ifndef IR_FEED_CURSOR_H
#define IR_FEED_CURSOR_H

#include "common/status.h"
#include "common/view.h"
#include "feed/rows.h"
#include "feed/track.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stdint.h>

/* SHA-256, of the mapping and of the file's first lines. */
#define IR_FINGERPRINT_SIZE 32
#define IR_FINGERPRINT_LINES 4
#define IR_FINGERPRINT_BYTES 4096

typedef struct ir_fingerprint {
    int64_t size; /* bytes of the file that it covers: whole lines, unless the first is longer */
    uint8_t bytes[IR_FINGERPRINT_SIZE];
} ir_fingerprint_t;

typedef struct ir_cursor {
    ir_fingerprint_t fingerprint;
    ir_row_place_t at;   /* rows from here on are not confirmed */
    ir_row_place_t head; /* where the head in force begins */
    uint64_t told;       /* of rows up to this line it was said what cannot be used */
    int64_t size;        /* of the file when it was read last */
    bool whole;          /* … and all of it was read and confirmed */
    bool has_last;       /* the pack that begins at `at` was confirmed as it was then: its id */
    ir_id_t last;
    ir_tracks_t *tracks; /* owned */
} ir_cursor_t;

/* At the beginning of a file of which nothing is known. False when memory is out. */
bool ir_cursor_init(ir_cursor_t *cursor);
void ir_cursor_free(ir_cursor_t *cursor);

/* Whether they say the same of the file; their tracks are not compared. */
bool ir_cursor_equal(const ir_cursor_t *a, const ir_cursor_t *b);

/* Back to the beginning. */
void ir_cursor_rewind(ir_cursor_t *cursor);

/* The fingerprint of what `fd` holds now; with `size` of its first so many bytes (0: as many lines
 * as count). `description` is the mapping's. */
ir_status_t ir_fingerprint_take(int fd, ir_view_t description, int64_t size,
                                ir_fingerprint_t *fingerprint, ir_error_t *error);

/* The folder of states, held by one process at a time: IR_ERR_STATE when another has it. It is made
 * when it is not there. */
ir_status_t ir_cursors_lock(const char *folder, int *lock, ir_error_t *error);

/* A path for the state of this file of this position; the caller frees it. NULL: memory is out. */
char *ir_cursor_path(const char *folder, const char *position, const char *file);

/* `cursor` is initialised; it stays so when there is no state yet. IR_ERR_SYNTAX: it is damaged. */
ir_status_t ir_cursor_load(const char *path, ir_cursor_t *cursor, ir_error_t *error);
ir_status_t ir_cursor_save(const char *path, const char *file, const ir_cursor_t *cursor,
                           ir_error_t *error);

#endif
