/* The last row of each mote in a file. When clocks are set back, the times show which of two
 * instants a local time means; the frame counters show missing uplinks. */
#ifndef IR_FEED_TRACK_H
#define IR_FEED_TRACK_H

#include "common/view.h"
#include "feed/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_track {
    bool timed;
    int64_t wall_ns, time_ns; /* times of the last row: local, and UTC */
    int run;                  /* rows in a row that went forward (1, 2) or back (-1, -2) in time */
    int64_t step_ns;          /* difference of the last two times; 0: there is only one */
    int64_t rows, most;       /* number of rows with the last time, and the highest such number of
                               * an earlier time */
    int64_t frame;            /* the last frame counter; -1: none */
    uint64_t encoded;         /* number of uplinks whose payload the network server did not
                               * decode */
} ir_track_t;

#define IR_TRACK_NEW ((ir_track_t){.frame = -1})

typedef enum ir_track_verdict {
    IR_TRACK_CERTAIN,
    IR_TRACK_GUESSED, /* ambiguous: no earlier row decides, so the first instant is used */
    IR_TRACK_NONE     /* the time does not exist: the clocks were set forward */
} ir_track_verdict_t;

/* The instant of a local time. If the rows go forward in time, it is the earliest instant that is
 * not before the previous row; if they go back (newest first), the latest that is not after it. If
 * the local time repeats, it is the same instant again, with one exception: the rows are an hour
 * apart (or by whatever the clocks were set back), and already as many rows have this time as any
 * earlier time had. Then it is the other instant. */
ir_track_verdict_t ir_track_instant(const ir_track_t *track, const ir_zone_t *zone, int64_t wall_ns,
                                    int64_t *time_ns);

/* Records the row. */
void ir_track_note(ir_track_t *track, int64_t wall_ns, int64_t time_ns);

/* Tracks by mote, with a bound on their number. One thread. */
#define IR_TRACKS_MAX 65536

typedef struct ir_tracks ir_tracks_t;

ir_tracks_t *ir_tracks_new(void);
void ir_tracks_free(ir_tracks_t *tracks);
void ir_tracks_clear(ir_tracks_t *tracks);

/* Finds the track, or creates it. NULL when the bound is reached or out of memory. The pointer
 * stays valid. */
ir_track_t *ir_tracks_of(ir_tracks_t *tracks, ir_view_t mote);

/* Whether the bound is reached. */
bool ir_tracks_full(const ir_tracks_t *tracks);

/* The I-th mote in order of arrival; NULL at the end. */
const char *ir_tracks_at(const ir_tracks_t *tracks, size_t i, const ir_track_t **track);

/* Copies all tracks; false when out of memory. */
bool ir_tracks_copy(ir_tracks_t *to, const ir_tracks_t *from);

#endif
