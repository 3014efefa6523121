#include "loadgen/lineup.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct ir_place {
    unsigned mote;
    uint32_t behind;  /* the next in the mote's line */
    int64_t until_ns; /* of the first of a line that is held */
} ir_place_t;

typedef struct ir_line {
    uint32_t first, last; /* IR_LINEUP_NONE: empty */
} ir_line_t;

struct ir_lineup {
    ir_place_t *places; /* by item */
    uint32_t items;
    ir_line_t *lines; /* by mote, as many as were needed */
    size_t n_lines;
    uint32_t *ready; /* firsts that may go, in turn: a ring of `items` places */
    uint64_t n_pushed, n_popped;
    uint32_t *held; /* firsts that wait, in no order */
    uint32_t n_held;
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
    lineup->held = calloc(items, sizeof lineup->held[0]);
    if (lineup->places == NULL || lineup->ready == NULL || lineup->held == NULL) {
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
        free(lineup->held);
        free(lineup);
    }
}

static bool reach(ir_lineup_t *lineup, unsigned mote) {
    if (mote < lineup->n_lines) {
        return true;
    }
    const size_t wanted = ((size_t)mote + 1) * 3 / 2 + 16;
    ir_line_t *grown = realloc(lineup->lines, wanted * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    memset(grown + lineup->n_lines, 0xff, (wanted - lineup->n_lines) * sizeof *grown);
    lineup->lines = grown;
    lineup->n_lines = wanted;
    return true;
}

static void make_ready(ir_lineup_t *lineup, uint32_t item) {
    lineup->ready[lineup->n_pushed++ % lineup->items] = item;
}

bool ir_lineup_put(ir_lineup_t *lineup, unsigned mote, uint32_t item) {
    if (!reach(lineup, mote)) {
        return false;
    }
    ir_line_t *line = &lineup->lines[mote];
    lineup->places[item] = (ir_place_t){.mote = mote, .behind = IR_LINEUP_NONE};
    if (line->first == IR_LINEUP_NONE) {
        line->first = item;
        make_ready(lineup, item);
    } else {
        lineup->places[line->last].behind = item;
    }
    line->last = item;
    return true;
}

static void wake(ir_lineup_t *lineup, int64_t now_ns) {
    uint32_t kept = 0;
    lineup->wake_ns = INT64_MAX;
    for (uint32_t i = 0; i < lineup->n_held; i++) {
        const uint32_t item = lineup->held[i];
        const int64_t until_ns = lineup->places[item].until_ns;
        if (until_ns <= now_ns) {
            make_ready(lineup, item);
            continue;
        }
        lineup->held[kept++] = item;
        lineup->wake_ns = until_ns < lineup->wake_ns ? until_ns : lineup->wake_ns;
    }
    lineup->n_held = kept;
}

uint32_t ir_lineup_next(ir_lineup_t *lineup, int64_t now_ns) {
    if (lineup->wake_ns <= now_ns) {
        wake(lineup, now_ns);
    }
    return lineup->n_popped < lineup->n_pushed ? lineup->ready[lineup->n_popped++ % lineup->items]
                                               : IR_LINEUP_NONE;
}

void ir_lineup_done(ir_lineup_t *lineup, uint32_t item) {
    ir_line_t *line = &lineup->lines[lineup->places[item].mote];
    line->first = lineup->places[item].behind;
    if (line->first == IR_LINEUP_NONE) {
        line->last = IR_LINEUP_NONE;
    } else {
        make_ready(lineup, line->first);
    }
}

void ir_lineup_hold(ir_lineup_t *lineup, uint32_t item, int64_t until_ns) {
    lineup->places[item].until_ns = until_ns;
    lineup->held[lineup->n_held++] = item;
    lineup->wake_ns = until_ns < lineup->wake_ns ? until_ns : lineup->wake_ns;
}

int64_t ir_lineup_wake(const ir_lineup_t *lineup) {
    return lineup->wake_ns;
}

void ir_lineup_clear(ir_lineup_t *lineup) {
    if (lineup->n_lines > 0) {
        memset(lineup->lines, 0xff, lineup->n_lines * sizeof lineup->lines[0]);
    }
    lineup->n_pushed = lineup->n_popped = 0;
    lineup->n_held = 0;
    lineup->wake_ns = INT64_MAX;
}
