#include "send/mote_queue.h"

#include <stddef.h>
#include <stdlib.h>

typedef struct ir_place {
    unsigned mote;
    uint32_t ahead, behind; /* neighbours in the mote's queue */
} ir_place_t;

typedef struct ir_line {
    uint32_t first, last; /* IR_MOTE_QUEUE_NONE: empty */
    bool taken;
    int64_t time_ns; /* when a waiting queue becomes ready */
} ir_line_t;

struct ir_mote_queue {
    ir_place_t *places; /* by item */
    uint32_t items;
    ir_line_t *lines; /* the motes' queues, by mote number; grows as needed */
    size_t n_lines;
    unsigned *ready; /* motes whose queue is ready, in order: a ring with `items` slots */
    uint64_t n_pushed, n_popped;
    unsigned *waiting; /* motes whose queue waits, unordered */
    uint32_t n_waiting;
    int64_t wake_ns;
};

ir_mote_queue_t *ir_mote_queue_new(uint32_t items) {
    ir_mote_queue_t *queue = calloc(1, sizeof *queue);
    if (queue == NULL) {
        return NULL;
    }
    queue->items = items;
    queue->wake_ns = INT64_MAX;
    queue->places = calloc(items, sizeof queue->places[0]);
    queue->ready = calloc(items, sizeof queue->ready[0]);
    queue->waiting = calloc(items, sizeof queue->waiting[0]);
    if (queue->places == NULL || queue->ready == NULL || queue->waiting == NULL) {
        ir_mote_queue_free(queue);
        return NULL;
    }
    return queue;
}

void ir_mote_queue_free(ir_mote_queue_t *queue) {
    if (queue != NULL) {
        free(queue->places);
        free(queue->lines);
        free(queue->ready);
        free(queue->waiting);
        free(queue);
    }
}

static void empty_lines(ir_mote_queue_t *queue, size_t from) {
    for (size_t i = from; i < queue->n_lines; i++) {
        queue->lines[i] = (ir_line_t){.first = IR_MOTE_QUEUE_NONE, .last = IR_MOTE_QUEUE_NONE};
    }
}

static bool reach(ir_mote_queue_t *queue, unsigned mote) {
    if (mote < queue->n_lines) {
        return true;
    }
    const size_t before = queue->n_lines;
    const size_t wanted = ((size_t)mote + 1) * 3 / 2 + 16;
    ir_line_t *grown = realloc(queue->lines, wanted * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    queue->lines = grown;
    queue->n_lines = wanted;
    empty_lines(queue, before);
    return true;
}

static void make_ready(ir_mote_queue_t *queue, unsigned mote) {
    queue->ready[queue->n_pushed++ % queue->items] = mote;
}

bool ir_mote_queue_put(ir_mote_queue_t *queue, unsigned mote, uint32_t item) {
    if (!reach(queue, mote)) {
        return false;
    }
    ir_line_t *line = &queue->lines[mote];
    queue->places[item] =
        (ir_place_t){.mote = mote, .ahead = line->last, .behind = IR_MOTE_QUEUE_NONE};
    if (line->first != IR_MOTE_QUEUE_NONE) {
        queue->places[line->last].behind = item;
    } else {
        line->first = item;
        if (!line->taken) {
            make_ready(queue, mote);
        }
    }
    line->last = item;
    return true;
}

static void wake(ir_mote_queue_t *queue, int64_t now_ns) {
    uint32_t kept = 0;
    queue->wake_ns = INT64_MAX;
    for (uint32_t i = 0; i < queue->n_waiting; i++) {
        const unsigned mote = queue->waiting[i];
        const int64_t time_ns = queue->lines[mote].time_ns;
        if (time_ns <= now_ns) {
            make_ready(queue, mote);
            continue;
        }
        queue->waiting[kept++] = mote;
        queue->wake_ns = time_ns < queue->wake_ns ? time_ns : queue->wake_ns;
    }
    queue->n_waiting = kept;
}

uint32_t ir_mote_queue_take(ir_mote_queue_t *queue, int64_t now_ns) {
    if (queue->wake_ns <= now_ns) {
        wake(queue, now_ns);
    }
    if (queue->n_popped == queue->n_pushed) {
        return IR_MOTE_QUEUE_NONE;
    }
    ir_line_t *line = &queue->lines[queue->ready[queue->n_popped++ % queue->items]];
    line->taken = true;
    return line->first;
}

uint32_t ir_mote_queue_behind(const ir_mote_queue_t *queue, uint32_t item) {
    return queue->places[item].behind;
}

void ir_mote_queue_remove(ir_mote_queue_t *queue, uint32_t item) {
    const ir_place_t place = queue->places[item];
    ir_line_t *line = &queue->lines[place.mote];
    if (place.ahead == IR_MOTE_QUEUE_NONE) {
        line->first = place.behind;
    } else {
        queue->places[place.ahead].behind = place.behind;
    }
    if (place.behind == IR_MOTE_QUEUE_NONE) {
        line->last = place.ahead;
    } else {
        queue->places[place.behind].ahead = place.ahead;
    }
}

void ir_mote_queue_give_back(ir_mote_queue_t *queue, unsigned mote, int64_t time_ns) {
    ir_line_t *line = &queue->lines[mote];
    line->taken = false;
    if (line->first == IR_MOTE_QUEUE_NONE) {
        return;
    }
    if (time_ns == 0) {
        make_ready(queue, mote);
    } else {
        line->time_ns = time_ns;
        queue->waiting[queue->n_waiting++] = mote;
        queue->wake_ns = time_ns < queue->wake_ns ? time_ns : queue->wake_ns;
    }
}

int64_t ir_mote_queue_wake(const ir_mote_queue_t *queue) {
    return queue->wake_ns;
}

void ir_mote_queue_clear(ir_mote_queue_t *queue) {
    empty_lines(queue, 0);
    queue->n_pushed = queue->n_popped = 0;
    queue->n_waiting = 0;
    queue->wake_ns = INT64_MAX;
}
