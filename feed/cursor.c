#include "feed/cursor.h"

#include "common/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>

#define VERSION 1
#define SUFFIX ".state"
#define NEW ".new"
#define PATH_HASH_SIZE 8 /* bytes of a path's hash used to name its state */
#define HEX_SIZE (2 * IR_FINGERPRINT_SIZE + 1)
#define FILE_MODE 0666
#define FOLDER_MODE 0777

/* ---- life ---- */

bool ir_cursor_init(ir_cursor_t *cursor) {
    *cursor = (ir_cursor_t){.at = {.line = 1}, .head = {.line = 1}};
    cursor->tracks = ir_tracks_new();
    return cursor->tracks != NULL;
}

void ir_cursor_free(ir_cursor_t *cursor) {
    ir_tracks_free(cursor->tracks);
    cursor->tracks = NULL;
}

void ir_cursor_rewind(ir_cursor_t *cursor) {
    ir_tracks_clear(cursor->tracks);
    *cursor = (ir_cursor_t){.at = {.line = 1}, .head = {.line = 1}, .tracks = cursor->tracks};
}

bool ir_cursor_equal(const ir_cursor_t *a, const ir_cursor_t *b) {
    return memcmp(&a->fingerprint, &b->fingerprint, sizeof a->fingerprint) == 0 &&
           a->at.offset == b->at.offset && a->head.offset == b->head.offset && a->size == b->size &&
           a->whole == b->whole && a->has_last == b->has_last &&
           ir_id_compare(&a->last, &b->last) == 0;
}

/* ---- fingerprints ---- */

/* Returns how many bytes of the file's beginning the fingerprint covers, in whole lines. */
static size_t covered(const char *text, size_t size) {
    size_t end = 0;
    for (int lines = 0; lines < IR_FINGERPRINT_LINES; lines++) {
        const char *found = memchr(text + end, '\n', size - end);
        if (found == NULL) {
            break;
        }
        end = (size_t)(found - text) + 1;
    }
    return end == 0 && size == IR_FINGERPRINT_BYTES ? size : end;
}

ir_status_t ir_fingerprint_take(int fd, ir_view_t description, int64_t size,
                                ir_fingerprint_t *fingerprint, ir_error_t *error) {
    char text[IR_FINGERPRINT_BYTES];
    struct sha256_ctx hash;
    const ssize_t got = pread(fd, text, sizeof text, 0);
    if (got < 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot read: %s", strerror(errno));
    }
    const size_t wanted = size > 0 ? (size_t)size : covered(text, (size_t)got);
    const size_t taken = wanted < (size_t)got ? wanted : (size_t)got;
    sha256_init(&hash);
    sha256_update(&hash, description.size, (const uint8_t *)description.data);
    sha256_update(&hash, taken, (const uint8_t *)text);
    sha256_digest(&hash, sizeof fingerprint->bytes, fingerprint->bytes);
    fingerprint->size = (int64_t)taken;
    return IR_OK;
}

/* ---- the folder ---- */

ir_status_t ir_cursors_lock(const char *folder, int *lock, ir_error_t *error) {
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST) {
        return ir_error_set(error, IR_ERR_IO, "state: cannot create directory %s: %s", folder,
                            strerror(errno));
    }
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return ir_error_set(error, IR_ERR_IO, "state: cannot open directory %s: %s", folder,
                            strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const bool taken = errno == EWOULDBLOCK;
        ir_error_set(error, taken ? IR_ERR_STATE : IR_ERR_IO, "state: %s %s: %s",
                     taken ? "another ir-feed is using" : "cannot lock", folder,
                     taken ? "wait until it ends, or choose another directory" : strerror(errno));
        (void)close(fd);
        return taken ? IR_ERR_STATE : IR_ERR_IO;
    }
    *lock = fd;
    return IR_OK;
}

char *ir_cursor_path(const char *folder, const char *position, const char *file) {
    uint8_t digest[SHA256_DIGEST_SIZE];
    char hex[2 * PATH_HASH_SIZE + 1] = "";
    struct sha256_ctx hash;
    char *path = NULL;
    sha256_init(&hash);
    sha256_update(&hash, strlen(file), (const uint8_t *)file);
    sha256_digest(&hash, sizeof digest, digest);
    base16_encode_update(hex, PATH_HASH_SIZE, digest);
    return asprintf(&path, "%s/%s-%s" SUFFIX, folder, position, hex) >= 0 ? path : NULL;
}

/* ---- reading ---- */

static int64_t integer_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static bool parse_fingerprint(const json_t *state, ir_fingerprint_t *fingerprint) {
    const char *text = json_string_value(json_object_get(state, "sha256"));
    struct base16_decode_ctx hex;
    size_t size = sizeof fingerprint->bytes;
    uint8_t bytes[BASE16_DECODE_LENGTH(HEX_SIZE)];
    if (text == NULL || strlen(text) != HEX_SIZE - 1) {
        return false;
    }
    base16_decode_init(&hex);
    if (!base16_decode_update(&hex, &size, bytes, HEX_SIZE - 1, text) ||
        !base16_decode_final(&hex)) {
        return false;
    }
    memcpy(fingerprint->bytes, bytes, sizeof fingerprint->bytes);
    fingerprint->size = integer_of(state, "sha256_of");
    return true;
}

static bool parse_tracks(const json_t *state, ir_tracks_t *tracks) {
    const json_t *each = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(state, "motes"), i, each) {
        const char *mote = json_string_value(json_object_get(each, "mote"));
        ir_track_t *track = mote != NULL ? ir_tracks_of(tracks, ir_view_text(mote)) : NULL;
        if (track == NULL) {
            return false;
        }
        *track = (ir_track_t){.timed = json_is_integer(json_object_get(each, "time")),
                              .wall_ns = integer_of(each, "local"),
                              .time_ns = integer_of(each, "time"),
                              .run = (int)integer_of(each, "run"),
                              .step_ns = integer_of(each, "step"),
                              .rows = integer_of(each, "rows"),
                              .most = integer_of(each, "most"),
                              .frame = integer_of(each, "frame"),
                              .encoded = (uint64_t)integer_of(each, "encoded")};
    }
    return true;
}

static bool parse_state(const json_t *state, ir_cursor_t *cursor) {
    const char *last = json_string_value(json_object_get(state, "last"));
    cursor->at = (ir_row_place_t){.offset = integer_of(state, "offset"),
                                  .line = (uint64_t)integer_of(state, "line")};
    cursor->head = (ir_row_place_t){.offset = integer_of(state, "head"),
                                    .line = (uint64_t)integer_of(state, "head_line")};
    cursor->told = (uint64_t)integer_of(state, "told");
    cursor->size = integer_of(state, "size");
    cursor->whole = json_is_true(json_object_get(state, "whole"));
    cursor->has_last = last != NULL;
    return integer_of(state, "version") == VERSION && cursor->at.offset >= cursor->head.offset &&
           cursor->head.offset >= 0 &&
           (last == NULL || ir_id_parse(ir_view_text(last), &cursor->last)) &&
           parse_fingerprint(state, &cursor->fingerprint) && parse_tracks(state, cursor->tracks);
}

ir_status_t ir_cursor_load(const char *path, ir_cursor_t *cursor, ir_error_t *error) {
    json_error_t why;
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return IR_OK;
    }
    json_t *state = json_load_file(path, 0, &why);
    const bool good = state != NULL && parse_state(state, cursor);
    json_decref(state);
    return good ? IR_OK
                : ir_error_set(error, IR_ERR_SYNTAX,
                               "%s: damaged state: %s; remove it to send the file again, which "
                               "creates no duplicates",
                               path, state == NULL ? why.text : "it is damaged");
}

/* ---- writing ---- */

static json_t *write_tracks(const ir_tracks_t *tracks) {
    json_t *all = json_array();
    const ir_track_t *track = NULL;
    const char *mote = NULL;
    for (size_t i = 0; (mote = ir_tracks_at(tracks, i, &track)) != NULL; i++) {
        json_t *each = json_pack("{s:s, s:I, s:I}", "mote", mote, "frame", (json_int_t)track->frame,
                                 "encoded", (json_int_t)track->encoded);
        if (track->timed) {
            (void)json_object_set_new(each, "local", json_integer(track->wall_ns));
            (void)json_object_set_new(each, "time", json_integer(track->time_ns));
            (void)json_object_set_new(each, "run", json_integer(track->run));
            (void)json_object_set_new(each, "step", json_integer(track->step_ns));
            (void)json_object_set_new(each, "rows", json_integer(track->rows));
            (void)json_object_set_new(each, "most", json_integer(track->most));
        }
        (void)json_array_append_new(all, each);
    }
    return all;
}

static json_t *write_state(const char *file, const ir_cursor_t *cursor) {
    char hex[HEX_SIZE] = "";
    char last[IR_ID_TEXT_SIZE];
    base16_encode_update(hex, sizeof cursor->fingerprint.bytes, cursor->fingerprint.bytes);
    json_t *state =
        json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "version",
                  VERSION, "file", ir_utf8_valid(ir_view_text(file)) ? file : "", "sha256", hex,
                  "sha256_of", (json_int_t)cursor->fingerprint.size, "offset",
                  (json_int_t)cursor->at.offset, "line", (json_int_t)cursor->at.line, "head",
                  (json_int_t)cursor->head.offset, "head_line", (json_int_t)cursor->head.line,
                  "told", (json_int_t)cursor->told, "size", (json_int_t)cursor->size, "whole",
                  (int)cursor->whole, "motes", write_tracks(cursor->tracks));
    if (cursor->has_last) {
        (void)json_object_set_new(state, "last", json_string(ir_id_format(&cursor->last, last)));
    }
    return state;
}

/* Durable: syncs the file, then its directory entry. */
static bool write_durably(const char *path, const json_t *state) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    const bool written = fd >= 0 && json_dumpfd(state, fd, JSON_INDENT(1)) == 0 && fsync(fd) == 0;
    const int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = error;
    return written;
}

static bool sync_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = strndup(path, slash != NULL ? (size_t)(slash - path) : 0);
    const int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    const bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    free(folder);
    return synced;
}

ir_status_t ir_cursor_save(const char *path, const char *file, const ir_cursor_t *cursor,
                           ir_error_t *error) {
    char *made = NULL;
    json_t *state = write_state(file, cursor);
    if (state == NULL || asprintf(&made, "%s" NEW, path) < 0) {
        json_decref(state);
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the state of %s", file);
    }
    const bool saved = write_durably(made, state) && rename(made, path) == 0 && sync_folder(path);
    const ir_status_t status =
        saved ? IR_OK
              : ir_error_set(error, IR_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    json_decref(state);
    free(made);
    return status;
}
