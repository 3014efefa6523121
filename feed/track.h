/* What a file said last of each mote: the times tell which of two instants a local time means where
 * the clocks were set back, the frame counters tell what is missing. */
#ifndef IR_FEED_TRACK_H
#define IR_FEED_TRACK_H

#include "common/view.h"
#include "feed/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_track {
    bool timed;
    int64_t wall_ns, time_ns; /* of the last row */
    int run;                  /* -2 … 2: how many rows in a row went back or on in time */
    int64_t frame;            /* the last frame counter; -1: none */
    uint64_t encoded;         /* uplinks whose payload the network did not decode */
} ir_track_t;

#define IR_TRACK_NEW ((ir_track_t){.frame = -1})

typedef enum ir_track_verdict {
    IR_TRACK_CERTAIN,
    IR_TRACK_GUESSED, /* nothing before it tells which of the two it is: taken for the first */
    IR_TRACK_NONE     /* there is no such time: the clocks were set forward over it */
} ir_track_verdict_t;

/* The instant of a local time. Rows that go on in time get the earliest instant that is not before
 * the row before; rows that go back (newest first) the latest that is not behind it; the same local
 * time again is the same instant. */
ir_track_verdict_t ir_track_instant(const ir_track_t *track, const ir_zone_t *zone, int64_t wall_ns,
                                    int64_t *time_ns);

/* The row is part of the file now. */
void ir_track_note(ir_track_t *track, int64_t wall_ns, int64_t time_ns);

/* Tracks by mote, at most so many. One thread. */
#define IR_TRACKS_MAX 65536

typedef struct ir_tracks ir_tracks_t;

ir_tracks_t *ir_tracks_new(void);
void ir_tracks_free(ir_tracks_t *tracks);
void ir_tracks_clear(ir_tracks_t *tracks);

/* Makes it when it is not there. NULL when the bound is reached or memory is out. The track stays
 * where it is. */
ir_track_t *ir_tracks_of(ir_tracks_t *tracks, ir_view_t mote);

/* Whether no other mote can be added. */
bool ir_tracks_full(const ir_tracks_t *tracks);

/* The mote that came I-th; NULL at the end. */
const char *ir_tracks_at(const ir_tracks_t *tracks, size_t i, const ir_track_t **track);

/* A copy of all; false when memory is out. */
bool ir_tracks_copy(ir_tracks_t *to, const ir_tracks_t *from);

#endif
