/* Records how far a file has been read and confirmed. Each cursor is a file in the state folder,
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

/* SHA-256 of the mapping and of the file's first lines. */
#define IR_FINGERPRINT_SIZE 32
#define IR_FINGERPRINT_LINES 4
#define IR_FINGERPRINT_BYTES 4096

typedef struct ir_fingerprint {
    int64_t size; /* how many bytes of the file it covers: whole lines, unless the first line is
                   * longer */
    uint8_t bytes[IR_FINGERPRINT_SIZE];
} ir_fingerprint_t;

typedef struct ir_cursor {
    ir_fingerprint_t fingerprint;
    ir_row_place_t at;   /* rows from here on are unconfirmed */
    ir_row_place_t head; /* where the current header rows begin */
    uint64_t told;       /* faults up to this line have been reported */
    int64_t size;        /* the file's size at the last read */
    bool whole;          /* `size` was the file's size when the whole file was read and confirmed */
    bool has_last;       /* the id of a confirmed pack that begins at `at` and to which later rows
                          * may be added */
    ir_id_t last;
    ir_tracks_t *tracks; /* owned */
} ir_cursor_t;

/* Starts at the beginning of a new file. False when out of memory. */
bool ir_cursor_init(ir_cursor_t *cursor);
void ir_cursor_free(ir_cursor_t *cursor);

/* Whether both describe the same state of the file; ignores their tracks. */
bool ir_cursor_equal(const ir_cursor_t *a, const ir_cursor_t *b);

/* Back to the beginning. */
void ir_cursor_rewind(ir_cursor_t *cursor);

/* Computes the fingerprint of the current content of `fd`, over the first `size` bytes (0: the
 * usual number of lines). `description` describes the mapping. */
ir_status_t ir_fingerprint_take(int fd, ir_view_t description, int64_t size,
                                ir_fingerprint_t *fingerprint, ir_error_t *error);

/* Creates the state folder if necessary and locks it. IR_ERR_STATE: another process holds the lock.
 */
ir_status_t ir_cursors_lock(const char *folder, int *lock, ir_error_t *error);

/* The path of the state for this position's file; the caller frees it. NULL when out of memory. */
char *ir_cursor_path(const char *folder, const char *position, const char *file);

/* `cursor` must be initialised, and is unchanged if no state exists. IR_ERR_SYNTAX: the state is
 * damaged. */
ir_status_t ir_cursor_load(const char *path, ir_cursor_t *cursor, ir_error_t *error);
ir_status_t ir_cursor_save(const char *path, const char *file, const ir_cursor_t *cursor,
                           ir_error_t *error);

#endif
