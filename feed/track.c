#include "feed/track.h"

#include "common/clock.h"
#include "common/name_table.h"

#include <stdlib.h>
#include <string.h>

#define RUN_MAX 2
#define NEAR_NS (24 * 3600 * IR_SECOND_NS)
#define FIRST_CAPACITY 8

typedef struct ir_track_entry {
    ir_track_t track;
    char mote[];
} ir_track_entry_t;

struct ir_tracks {
    ir_name_table_t by_mote;
    ir_track_entry_t **all;
    size_t count, capacity;
};

/* ---- times ---- */

/* For rows in descending order: the latest possible instant that is not after the previous row,
 * else the earliest. */
static int64_t choose_backward(const ir_track_t *track, const ir_instants_t *instants) {
    return instants->second_ns <= track->time_ns ? instants->second_ns : instants->first_ns;
}

/* For rows in ascending order: the earliest possible instant that is not before the previous row.
 * If both are before it, either the row is out of order, and the second is nearer; or the file
 * starts over from an earlier time. */
static int64_t choose_forward(const ir_track_t *track, const ir_instants_t *instants) {
    if (instants->first_ns >= track->time_ns ||
        (instants->second_ns < track->time_ns && track->time_ns - instants->second_ns > NEAR_NS)) {
        return instants->first_ns;
    }
    return instants->second_ns;
}

/* For hourly rows: whether the next row with the same local time is the second instant, because
 * this instant already has as many rows as any other. */
static bool is_complete(const ir_track_t *track, const ir_instants_t *instants) {
    return track->step_ns >= instants->second_ns - instants->first_ns && track->rows >= track->most;
}

ir_track_verdict_t ir_track_instant(const ir_track_t *track, const ir_zone_t *zone, int64_t wall_ns,
                                    int64_t *time_ns) {
    const ir_instants_t instants = ir_zone_instants(zone, wall_ns);
    const bool backward = track->run <= -RUN_MAX;
    if (instants.count == 0) {
        return IR_TRACK_NONE;
    }
    *time_ns = instants.first_ns;
    if (instants.count == 1) {
        return IR_TRACK_CERTAIN;
    }
    if (!track->timed) {
        return IR_TRACK_GUESSED;
    }
    if (wall_ns == track->wall_ns &&
        (track->time_ns == instants.first_ns || track->time_ns == instants.second_ns)) {
        *time_ns = !is_complete(track, &instants) ? track->time_ns
                   : backward                     ? instants.first_ns
                                                  : instants.second_ns;
    } else {
        *time_ns = backward ? choose_backward(track, &instants) : choose_forward(track, &instants);
    }
    return IR_TRACK_CERTAIN;
}

static void count_rows(ir_track_t *track, int64_t time_ns) {
    if (track->timed && time_ns == track->time_ns) {
        track->rows++;
        return;
    }
    if (track->timed) {
        track->step_ns =
            time_ns > track->time_ns ? time_ns - track->time_ns : track->time_ns - time_ns;
    }
    track->most = track->rows > track->most ? track->rows : track->most;
    track->rows = 1;
}

void ir_track_note(ir_track_t *track, int64_t wall_ns, int64_t time_ns) {
    count_rows(track, time_ns);
    if (track->timed && time_ns > track->time_ns) {
        track->run = track->run < 0 ? 1 : track->run < RUN_MAX ? track->run + 1 : RUN_MAX;
    } else if (track->timed && time_ns < track->time_ns) {
        track->run = track->run > 0 ? -1 : track->run > -RUN_MAX ? track->run - 1 : -RUN_MAX;
    }
    track->timed = true;
    track->wall_ns = wall_ns;
    track->time_ns = time_ns;
}

/* ---- by mote ---- */

ir_tracks_t *ir_tracks_new(void) {
    return calloc(1, sizeof(ir_tracks_t));
}

void ir_tracks_clear(ir_tracks_t *tracks) {
    for (size_t i = 0; i < tracks->count; i++) {
        free(tracks->all[i]);
    }
    tracks->count = 0;
    ir_name_table_free(&tracks->by_mote);
}

void ir_tracks_free(ir_tracks_t *tracks) {
    if (tracks != NULL) {
        ir_tracks_clear(tracks);
        free(tracks->all);
        free(tracks);
    }
}

static bool reserve(ir_tracks_t *tracks) {
    if (tracks->count < tracks->capacity) {
        return true;
    }
    const size_t capacity = tracks->capacity > 0 ? tracks->capacity * 2 : FIRST_CAPACITY;
    ir_track_entry_t **all = realloc(tracks->all, capacity * sizeof(ir_track_entry_t *));
    if (all != NULL) {
        tracks->all = all;
        tracks->capacity = capacity;
    }
    return all != NULL;
}

ir_track_t *ir_tracks_of(ir_tracks_t *tracks, ir_view_t mote) {
    ir_track_entry_t *entry = ir_name_table_find(&tracks->by_mote, mote);
    if (entry != NULL) {
        return &entry->track;
    }
    if (tracks->count == IR_TRACKS_MAX || !reserve(tracks)) {
        return NULL;
    }
    entry = malloc(sizeof *entry + mote.size + 1);
    if (entry == NULL) {
        return NULL;
    }
    entry->track = IR_TRACK_NEW;
    memcpy(entry->mote, mote.data, mote.size);
    entry->mote[mote.size] = '\0';
    if (!ir_name_table_add(&tracks->by_mote, ir_view(entry->mote, mote.size), entry)) {
        free(entry);
        return NULL;
    }
    tracks->all[tracks->count++] = entry;
    return &entry->track;
}

bool ir_tracks_full(const ir_tracks_t *tracks) {
    return tracks->count == IR_TRACKS_MAX;
}

const char *ir_tracks_at(const ir_tracks_t *tracks, size_t i, const ir_track_t **track) {
    if (i >= tracks->count) {
        return NULL;
    }
    *track = &tracks->all[i]->track;
    return tracks->all[i]->mote;
}

bool ir_tracks_copy(ir_tracks_t *to, const ir_tracks_t *from) {
    ir_tracks_clear(to);
    for (size_t i = 0; i < from->count; i++) {
        ir_track_t *track = ir_tracks_of(to, ir_view_text(from->all[i]->mote));
        if (track == NULL) {
            return false;
        }
        *track = from->all[i]->track;
    }
    return true;
}
