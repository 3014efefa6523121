#include "loadgen/lineup.h"

#include <stddef.h>
#include <stdlib.h>

typedef struct ir_place {
    unsigned mote;
    uint32_t ahead, behind; /* in the mote's line */
} ir_place_t;

typedef struct ir_line {
    uint32_t first, last; /* IR_LINEUP_NONE: empty */
    bool taken;
    int64_t time_ns; /* of one that waits */
} ir_line_t;

struct ir_lineup {
    ir_place_t *places; /* by item */
    uint32_t items;
    ir_line_t *lines; /* by mote, as many as were needed */
    size_t n_lines;
    unsigned *ready; /* motes whose line may go, in turn: a ring of `items` places */
    uint64_t n_pushed, n_popped;
    unsigned *waiting; /* those whose line waits, in no order */
    uint32_t n_waiting;
    int64_t wake_ns;
};

ir_lineup_t *ir_lineup_new(uint32_t items) {
    ir_lineup_t *lineup = calloc(1, sizeof *lineup);
    if (lineup == NULL) {
        return NULL;
    }
    lineup->items = items;
    lineup->wake_ns = INT64_MAX;
    lineup->places = calloc(items, sizeof lineup->places[0]);
    lineup->ready = calloc(items, sizeof lineup->ready[0]);
    lineup->waiting = calloc(items, sizeof lineup->waiting[0]);
    if (lineup->places == NULL || lineup->ready == NULL || lineup->waiting == NULL) {
        ir_lineup_free(lineup);
        return NULL;
    }
    return lineup;
}

void ir_lineup_free(ir_lineup_t *lineup) {
    if (lineup != NULL) {
        free(lineup->places);
        free(lineup->lines);
        free(lineup->ready);
        free(lineup->waiting);
        free(lineup);
    }
}

static void empty_lines(ir_lineup_t *lineup, size_t from) {
    for (size_t i = from; i < lineup->n_lines; i++) {
        lineup->lines[i] = (ir_line_t){.first = IR_LINEUP_NONE, .last = IR_LINEUP_NONE};
    }
}

static bool reach(ir_lineup_t *lineup, unsigned mote) {
    if (mote < lineup->n_lines) {
        return true;
    }
    const size_t before = lineup->n_lines;
    const size_t wanted = ((size_t)mote + 1) * 3 / 2 + 16;
    ir_line_t *grown = realloc(lineup->lines, wanted * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    lineup->lines = grown;
    lineup->n_lines = wanted;
    empty_lines(lineup, before);
    return true;
}

static void make_ready(ir_lineup_t *lineup, unsigned mote) {
    lineup->ready[lineup->n_pushed++ % lineup->items] = mote;
}

bool ir_lineup_put(ir_lineup_t *lineup, unsigned mote, uint32_t item) {
    if (!reach(lineup, mote)) {
        return false;
    }
    ir_line_t *line = &lineup->lines[mote];
    lineup->places[item] =
        (ir_place_t){.mote = mote, .ahead = line->last, .behind = IR_LINEUP_NONE};
    if (line->first != IR_LINEUP_NONE) {
        lineup->places[line->last].behind = item;
    } else {
        line->first = item;
        if (!line->taken) {
            make_ready(lineup, mote);
        }
    }
    line->last = item;
    return true;
}

static void wake(ir_lineup_t *lineup, int64_t now_ns) {
    uint32_t kept = 0;
    lineup->wake_ns = INT64_MAX;
    for (uint32_t i = 0; i < lineup->n_waiting; i++) {
        const unsigned mote = lineup->waiting[i];
        const int64_t time_ns = lineup->lines[mote].time_ns;
        if (time_ns <= now_ns) {
            make_ready(lineup, mote);
            continue;
        }
        lineup->waiting[kept++] = mote;
        lineup->wake_ns = time_ns < lineup->wake_ns ? time_ns : lineup->wake_ns;
    }
    lineup->n_waiting = kept;
}

uint32_t ir_lineup_take(ir_lineup_t *lineup, int64_t now_ns) {
    if (lineup->wake_ns <= now_ns) {
        wake(lineup, now_ns);
    }
    if (lineup->n_popped == lineup->n_pushed) {
        return IR_LINEUP_NONE;
    }
    ir_line_t *line = &lineup->lines[lineup->ready[lineup->n_popped++ % lineup->items]];
    line->taken = true;
    return line->first;
}

uint32_t ir_lineup_behind(const ir_lineup_t *lineup, uint32_t item) {
    return lineup->places[item].behind;
}

void ir_lineup_remove(ir_lineup_t *lineup, uint32_t item) {
    const ir_place_t place = lineup->places[item];
    ir_line_t *line = &lineup->lines[place.mote];
    if (place.ahead == IR_LINEUP_NONE) {
        line->first = place.behind;
    } else {
        lineup->places[place.ahead].behind = place.behind;
    }
    if (place.behind == IR_LINEUP_NONE) {
        line->last = place.ahead;
    } else {
        lineup->places[place.behind].ahead = place.ahead;
    }
}

void ir_lineup_give_back(ir_lineup_t *lineup, unsigned mote, int64_t time_ns) {
    ir_line_t *line = &lineup->lines[mote];
    line->taken = false;
    if (line->first == IR_LINEUP_NONE) {
        return;
    }
    if (time_ns == 0) {
        make_ready(lineup, mote);
    } else {
        line->time_ns = time_ns;
        lineup->waiting[lineup->n_waiting++] = mote;
        lineup->wake_ns = time_ns < lineup->wake_ns ? time_ns : lineup->wake_ns;
    }
}

int64_t ir_lineup_wake(const ir_lineup_t *lineup) {
    return lineup->wake_ns;
}

void ir_lineup_clear(ir_lineup_t *lineup) {
    empty_lines(lineup, 0);
    lineup->n_pushed = lineup->n_popped = 0;
    lineup->n_waiting = 0;
    lineup->wake_ns = INT64_MAX;
}
