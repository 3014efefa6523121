#include "loadgen/receipts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS 3
#define MICROSECOND_NS 1000
#define NO_SLOT UINT32_MAX

typedef struct ir_receipt {
    ir_id_t raw_id;
    int64_t intended_ns, sent_ns;
    uint64_t number;
    uint32_t mote;
    uint16_t seen; /* bits of formats */
    bool resent;
} ir_receipt_t;

struct ir_receipts {
    pthread_mutex_t mutex;
    ir_receipt_t *ring; /* message N is at N % capacity */
    size_t capacity;
    uint32_t *index; /* open addressing by id; the place in the ring */
    size_t mask;
    uint64_t *last; /* number + 1 of the last first arrival, by mote and format */
    unsigned motes, formats;
    uint16_t all;
    bool any;
    ir_receipts_counts_t counts;
    ir_histogram_t *raw, *corrected;
};

static size_t index_size(size_t capacity) {
    size_t size = 16;
    while (size < capacity * 2) {
        size *= 2;
    }
    return size;
}

ir_receipts_t *ir_receipts_new(size_t capacity, unsigned motes, unsigned formats, bool any) {
    ir_receipts_t *receipts = calloc(1, sizeof *receipts);
    if (receipts == NULL) {
        return NULL;
    }
    const size_t slots = index_size(capacity);
    pthread_mutex_init(&receipts->mutex, NULL);
    receipts->capacity = capacity;
    receipts->mask = slots - 1;
    receipts->motes = motes;
    receipts->formats = formats;
    receipts->all = (uint16_t)((1u << formats) - 1);
    receipts->any = any;
    /* Pages of a large ring are taken only when they are used. */
    receipts->ring = calloc(capacity, sizeof receipts->ring[0]);
    receipts->index = malloc(slots * sizeof receipts->index[0]);
    receipts->last = calloc((size_t)motes * formats + 1, sizeof receipts->last[0]);
    receipts->raw = ir_histogram_new(IR_RECEIPTS_HIGHEST_US, DIGITS);
    receipts->corrected = ir_histogram_new(IR_RECEIPTS_HIGHEST_US, DIGITS);
    if (receipts->ring == NULL || receipts->index == NULL || receipts->last == NULL ||
        receipts->raw == NULL || receipts->corrected == NULL) {
        ir_receipts_free(receipts);
        return NULL;
    }
    memset(receipts->index, 0xff, slots * sizeof receipts->index[0]);
    return receipts;
}

void ir_receipts_free(ir_receipts_t *receipts) {
    if (receipts != NULL) {
        pthread_mutex_destroy(&receipts->mutex);
        free(receipts->ring);
        free(receipts->index);
        free(receipts->last);
        ir_histogram_free(receipts->raw);
        ir_histogram_free(receipts->corrected);
        free(receipts);
    }
}

/* ---- the index ---- */

/* Ids are hashes: any of their bytes will do. */
static size_t home_of(const ir_receipts_t *receipts, const ir_id_t *id) {
    uint64_t bits = 0;
    memcpy(&bits, id->bytes, sizeof bits);
    return (size_t)bits & receipts->mask;
}

/* Where the id is, or the free place where it would be. */
static size_t place_of(const ir_receipts_t *receipts, const ir_id_t *id) {
    size_t place = home_of(receipts, id);
    while (receipts->index[place] != NO_SLOT &&
           ir_id_compare(&receipts->ring[receipts->index[place]].raw_id, id) != 0) {
        place = (place + 1) & receipts->mask;
    }
    return place;
}

/* Closes the gap, so that every id is still found from its home on. */
static void forget(ir_receipts_t *receipts, const ir_id_t *id) {
    const size_t mask = receipts->mask;
    size_t gap = place_of(receipts, id);
    for (size_t next = (gap + 1) & mask; receipts->index[next] != NO_SLOT;
         next = (next + 1) & mask) {
        const size_t home = home_of(receipts, &receipts->ring[receipts->index[next]].raw_id);
        if (((next - home) & mask) >= ((next - gap) & mask)) {
            receipts->index[gap] = receipts->index[next];
            gap = next;
        }
    }
    receipts->index[gap] = NO_SLOT;
}

/* ---- sending ---- */

static bool is_complete(const ir_receipts_t *receipts, uint16_t seen) {
    return receipts->any ? seen != 0 : seen == receipts->all;
}

static bool make_room(ir_receipts_t *receipts) {
    if (receipts->counts.expected < receipts->capacity) {
        return true;
    }
    const ir_receipt_t *oldest = &receipts->ring[receipts->counts.expected % receipts->capacity];
    if (!is_complete(receipts, oldest->seen)) {
        return false;
    }
    forget(receipts, &oldest->raw_id);
    return true;
}

bool ir_receipts_expect(ir_receipts_t *receipts, const ir_id_t *raw_id, unsigned mote,
                        int64_t intended_ns, int64_t sent_ns) {
    pthread_mutex_lock(&receipts->mutex);
    const bool room = make_room(receipts);
    if (room) {
        const uint64_t number = receipts->counts.expected++;
        const size_t slot = (size_t)(number % receipts->capacity);
        const size_t place = place_of(receipts, raw_id);
        receipts->ring[slot] = (ir_receipt_t){.raw_id = *raw_id,
                                              .intended_ns = intended_ns,
                                              .sent_ns = sent_ns,
                                              .number = number,
                                              .mote = mote};
        receipts->index[place] = (uint32_t)slot;
    }
    pthread_mutex_unlock(&receipts->mutex);
    return room;
}

void ir_receipts_resent(ir_receipts_t *receipts, const ir_id_t *raw_id) {
    pthread_mutex_lock(&receipts->mutex);
    const uint32_t slot = receipts->index[place_of(receipts, raw_id)];
    if (slot != NO_SLOT) {
        receipts->ring[slot].resent = true;
    }
    pthread_mutex_unlock(&receipts->mutex);
}

/* ---- arriving ---- */

static void check_order(ir_receipts_t *receipts, const ir_receipt_t *receipt, unsigned format,
                        bool marked) {
    uint64_t *last = &receipts->last[(size_t)receipt->mote * receipts->formats + format];
    if (receipt->number + 1 > *last) {
        *last = receipt->number + 1;
    } else if (!marked && !receipt->resent) {
        receipts->counts.order_violations++;
    }
}

static void complete(ir_receipts_t *receipts, const ir_receipt_t *receipt, int64_t now_ns) {
    receipts->counts.complete++;
    receipts->counts.last_complete_ns = now_ns;
    ir_histogram_record(receipts->raw, (now_ns - receipt->sent_ns) / MICROSECOND_NS, 1);
    ir_histogram_record(receipts->corrected, (now_ns - receipt->intended_ns) / MICROSECOND_NS, 1);
}

static void take(ir_receipts_t *receipts, ir_receipt_t *receipt, unsigned format, bool marked,
                 int64_t now_ns) {
    const uint16_t bit = (uint16_t)(1u << format);
    if ((receipt->seen & bit) != 0) {
        receipts->counts.copies++;
        return;
    }
    const bool before = is_complete(receipts, receipt->seen);
    receipt->seen |= bit;
    receipts->counts.by_format[format]++;
    check_order(receipts, receipt, format, marked);
    if (!before && is_complete(receipts, receipt->seen)) {
        complete(receipts, receipt, now_ns);
    }
}

void ir_receipts_arrive(ir_receipts_t *receipts, const ir_id_t *raw_id, unsigned format,
                        bool marked, int64_t now_ns) {
    pthread_mutex_lock(&receipts->mutex);
    const uint32_t slot = receipts->index[place_of(receipts, raw_id)];
    receipts->counts.marked += marked;
    if (slot == NO_SLOT) {
        receipts->counts.foreign++;
    } else {
        take(receipts, &receipts->ring[slot], format, marked, now_ns);
    }
    pthread_mutex_unlock(&receipts->mutex);
}

void ir_receipts_revision(ir_receipts_t *receipts) {
    pthread_mutex_lock(&receipts->mutex);
    receipts->counts.revisions++;
    pthread_mutex_unlock(&receipts->mutex);
}

/* ---- asking ---- */

void ir_receipts_count(ir_receipts_t *receipts, ir_receipts_counts_t *counts) {
    pthread_mutex_lock(&receipts->mutex);
    *counts = receipts->counts;
    pthread_mutex_unlock(&receipts->mutex);
}

const ir_histogram_t *ir_receipts_raw(const ir_receipts_t *receipts) {
    return receipts->raw;
}

const ir_histogram_t *ir_receipts_corrected(const ir_receipts_t *receipts) {
    return receipts->corrected;
}
