#include "loadgen/track/tracker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NO_SLOT UINT32_MAX

typedef struct ir_receipt {
    ir_id_t raw_id;
    int64_t intended_ns, sent_ns;
    uint64_t number;
    uint32_t mote;
    uint32_t behind; /* the mote's next message without an id, as a place in the ring */
    uint16_t seen;   /* bits of formats */
    uint16_t n_accepted;
    uint8_t answer; /* ir_receipt_answer */
    bool all_good, resent, rejected;
    bool nameless; /* nobody knows its raw id yet */
    bool guessed;  /* its raw id was taken from the order */
} ir_receipt_t;

enum ir_receipt_answer { NO_ANSWER, CONFIRMED, REFUSED };

struct ir_tracker {
    pthread_mutex_t mutex;
    ir_receipt_t *ring; /* message N is at N % capacity */
    size_t capacity;
    uint32_t *index; /* open addressing by id; the place in the ring */
    size_t mask;
    const ir_motes_t *names;   /* NULL: all raw ids are known */
    uint32_t *oldest, *newest; /* of each mote's messages without an id; NO_SLOT: none */
    bool *doubtful;            /* of each mote: guesses may be wrong by some places from now on */
    uint64_t *last;            /* number + 1 of the last first arrival, by mote and format */
    unsigned motes, formats;
    uint16_t all;
    bool any;
    ir_tracker_counts_t counts;
    ir_latency_t latency;
};

static size_t index_size(size_t capacity) {
    size_t size = 16;
    while (size < capacity * 2) {
        size *= 2;
    }
    return size;
}

ir_tracker_t *ir_tracker_new(size_t capacity, unsigned motes, unsigned formats, bool any) {
    ir_tracker_t *receipts = calloc(1, sizeof *receipts);
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
    if (receipts->ring == NULL || receipts->index == NULL || receipts->last == NULL ||
        !ir_latency_init(&receipts->latency)) {
        ir_tracker_free(receipts);
        return NULL;
    }
    memset(receipts->index, 0xff, slots * sizeof receipts->index[0]);
    return receipts;
}

void ir_tracker_free(ir_tracker_t *receipts) {
    if (receipts != NULL) {
        pthread_mutex_destroy(&receipts->mutex);
        free(receipts->ring);
        free(receipts->index);
        free(receipts->last);
        free(receipts->oldest);
        free(receipts->newest);
        free(receipts->doubtful);
        ir_latency_free(&receipts->latency);
        free(receipts);
    }
}

/* ---- the index ---- */

static size_t home_of(const ir_tracker_t *receipts, const ir_id_t *id) {
    return ir_id_hash(id) & receipts->mask;
}

/* Where the id is, or the free place where it would be. */
static size_t place_of(const ir_tracker_t *receipts, const ir_id_t *id) {
    size_t place = home_of(receipts, id);
    while (receipts->index[place] != NO_SLOT &&
           ir_id_compare(&receipts->ring[receipts->index[place]].raw_id, id) != 0) {
        place = (place + 1) & receipts->mask;
    }
    return place;
}

/* Closes the gap, so that every id is still found from its home on. */
static void forget(ir_tracker_t *receipts, const ir_id_t *id) {
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

/* ---- messages without an id ---- */

bool ir_tracker_match(ir_tracker_t *receipts, const ir_motes_t *motes) {
    const size_t size = (size_t)receipts->motes * sizeof receipts->oldest[0];
    receipts->oldest = malloc(size + 1);
    receipts->newest = malloc(size + 1);
    receipts->doubtful = calloc((size_t)receipts->motes + 1, sizeof receipts->doubtful[0]);
    if (receipts->oldest == NULL || receipts->newest == NULL || receipts->doubtful == NULL) {
        return false;
    }
    memset(receipts->oldest, 0xff, size);
    memset(receipts->newest, 0xff, size);
    receipts->names = motes;
    return true;
}

static void line_up(ir_tracker_t *receipts, uint32_t slot) {
    ir_receipt_t *receipt = &receipts->ring[slot];
    uint32_t *newest = &receipts->newest[receipt->mote];
    receipt->behind = NO_SLOT;
    if (*newest == NO_SLOT) {
        receipts->oldest[receipt->mote] = slot;
    } else {
        receipts->ring[*newest].behind = slot;
    }
    *newest = slot;
}

/* `before` is the one in front of it, NO_SLOT if it is the first. */
static void leave_line(ir_tracker_t *receipts, uint32_t slot, uint32_t before) {
    const ir_receipt_t *receipt = &receipts->ring[slot];
    if (before == NO_SLOT) {
        receipts->oldest[receipt->mote] = receipt->behind;
    } else {
        receipts->ring[before].behind = receipt->behind;
    }
    if (receipts->newest[receipt->mote] == slot) {
        receipts->newest[receipt->mote] = before;
    }
}

/* What comes back of a message is published in its mote's order, and what is rejected as well, but
 * by ways of their own: a rejection is that of the first message that is to have one. */
static uint32_t match(ir_tracker_t *receipts, const ir_id_t *raw_id, ir_view_t name,
                      bool rejected) {
    unsigned mote = 0;
    if (receipts->names == NULL || !ir_motes_find(receipts->names, name, &mote)) {
        return NO_SLOT;
    }
    uint32_t before = NO_SLOT;
    uint32_t slot = receipts->oldest[mote];
    while (slot != NO_SLOT &&
           (rejected ? receipts->ring[slot].all_good : receipts->ring[slot].n_accepted == 0)) {
        before = slot;
        slot = receipts->ring[slot].behind;
    }
    if (slot != NO_SLOT) {
        leave_line(receipts, slot, before);
        receipts->ring[slot].raw_id = *raw_id;
        receipts->ring[slot].nameless = false;
        receipts->ring[slot].guessed = true;
        receipts->index[place_of(receipts, raw_id)] = slot;
        receipts->counts.matched++;
    }
    return slot;
}

static uint32_t find(ir_tracker_t *receipts, const ir_id_t *raw_id, ir_view_t mote, bool rejected) {
    const uint32_t slot = receipts->index[place_of(receipts, raw_id)];
    return slot != NO_SLOT ? slot : match(receipts, raw_id, mote, rejected);
}

static void drop_from_line(ir_tracker_t *receipts, uint32_t wanted) {
    uint32_t before = NO_SLOT;
    uint32_t slot = receipts->oldest[receipts->ring[wanted].mote];
    while (slot != wanted) {
        before = slot;
        slot = receipts->ring[slot].behind;
    }
    leave_line(receipts, wanted, before);
}

/* ---- what has become of a message ---- */

const char *ir_fate_text(ir_fate_t fate) {
    static const char *const texts[IR_FATE_COUNT] = {
        [IR_FATE_UNANSWERED] = "unanswered",   [IR_FATE_REFUSED] = "refused",
        [IR_FATE_REPUBLISHED] = "republished", [IR_FATE_REJECTED] = "rejected",
        [IR_FATE_MISSING] = "missing",
    };
    return fate < IR_FATE_COUNT ? texts[fate] : "unknown";
}

static bool is_complete(const ir_tracker_t *receipts, const ir_receipt_t *receipt) {
    return receipts->any ? receipt->seen != 0 : receipt->seen == receipts->all;
}

static ir_fate_t fate_of(const ir_tracker_t *receipts, const ir_receipt_t *receipt) {
    if (receipt->answer != CONFIRMED) {
        return receipt->answer == REFUSED ? IR_FATE_REFUSED : IR_FATE_UNANSWERED;
    }
    if (is_complete(receipts, receipt)) {
        return IR_FATE_REPUBLISHED;
    }
    return receipt->rejected ? IR_FATE_REJECTED : IR_FATE_MISSING;
}

/* Whether more of it should come back. */
static bool is_waiting(const ir_tracker_t *receipts, const ir_receipt_t *receipt) {
    return receipt->answer == CONFIRMED && !is_complete(receipts, receipt) &&
           !(receipt->rejected && receipt->n_accepted == 0);
}

/* Takes a message out of the counts (`sign` -1) before it changes, and puts it in again (1). */
static void tally(ir_tracker_t *receipts, const ir_receipt_t *receipt, int sign) {
    ir_tracker_counts_t *counts = &receipts->counts;
    const uint64_t one = sign < 0 ? UINT64_MAX : 1;
    const bool whole = is_complete(receipts, receipt);
    counts->by_fate[fate_of(receipts, receipt)] += one;
    counts->waiting += is_waiting(receipts, receipt) ? one : 0;
    counts->waiting_records += is_waiting(receipts, receipt) ? one * receipt->n_accepted : 0;
    counts->stray += whole && receipt->answer != CONFIRMED ? one : 0;
    counts->partly_rejected += whole && receipt->rejected ? one : 0;
    counts->unmeant += receipt->rejected && receipt->all_good ? one : 0;
}

/* ---- sending ---- */

static bool is_done(const ir_tracker_t *receipts, const ir_receipt_t *receipt) {
    return receipt->answer == REFUSED ||
           (receipt->answer == CONFIRMED && !is_waiting(receipts, receipt));
}

static bool make_room(ir_tracker_t *receipts) {
    if (receipts->counts.expected < receipts->capacity) {
        return true;
    }
    const size_t slot = (size_t)(receipts->counts.expected % receipts->capacity);
    const ir_receipt_t *oldest = &receipts->ring[slot];
    if (!is_done(receipts, oldest)) {
        return false;
    }
    if (oldest->nameless) {
        drop_from_line(receipts, (uint32_t)slot);
    } else {
        forget(receipts, &oldest->raw_id);
    }
    return true;
}

bool ir_tracker_expect(ir_tracker_t *receipts, const ir_expected_t *expected, uint64_t *ticket) {
    pthread_mutex_lock(&receipts->mutex);
    const bool room = make_room(receipts);
    if (room) {
        const uint64_t number = receipts->counts.expected++;
        const size_t slot = (size_t)(number % receipts->capacity);
        receipts->ring[slot] =
            (ir_receipt_t){.intended_ns = expected->intended_ns,
                           .sent_ns = expected->sent_ns,
                           .number = number,
                           .mote = expected->mote,
                           .n_accepted = (uint16_t)expected->n_accepted,
                           .all_good = expected->n_accepted == expected->n_records,
                           .nameless = expected->raw_id == NULL};
        if (expected->raw_id == NULL) {
            line_up(receipts, (uint32_t)slot);
        } else {
            receipts->ring[slot].raw_id = *expected->raw_id;
            receipts->index[place_of(receipts, expected->raw_id)] = (uint32_t)slot;
        }
        tally(receipts, &receipts->ring[slot], 1);
        *ticket = number;
    }
    pthread_mutex_unlock(&receipts->mutex);
    return room;
}

void ir_tracker_resent(ir_tracker_t *receipts, uint64_t ticket) {
    pthread_mutex_lock(&receipts->mutex);
    ir_receipt_t *receipt = &receipts->ring[ticket % receipts->capacity];
    receipt->resent = true;
    if (receipt->nameless || receipt->guessed) {
        receipts->doubtful[receipt->mote] = true;
    }
    pthread_mutex_unlock(&receipts->mutex);
}

void ir_tracker_gap(ir_tracker_t *receipts) {
    pthread_mutex_lock(&receipts->mutex);
    for (unsigned i = 0; receipts->names != NULL && i < receipts->motes; i++) {
        receipts->doubtful[i] = true;
    }
    pthread_mutex_unlock(&receipts->mutex);
}

void ir_tracker_answer(ir_tracker_t *receipts, uint64_t ticket, bool confirmed) {
    pthread_mutex_lock(&receipts->mutex);
    ir_receipt_t *receipt = &receipts->ring[ticket % receipts->capacity];
    tally(receipts, receipt, -1);
    receipt->answer = confirmed ? CONFIRMED : REFUSED;
    tally(receipts, receipt, 1);
    pthread_mutex_unlock(&receipts->mutex);
}

/* ---- arriving ---- */

static void check_order(ir_tracker_t *receipts, const ir_receipt_t *receipt, unsigned format,
                        bool marked) {
    if (receipt->guessed && receipts->doubtful[receipt->mote]) {
        return;
    }
    uint64_t *last = &receipts->last[(size_t)receipt->mote * receipts->formats + format];
    if (receipt->number + 1 > *last) {
        *last = receipt->number + 1;
    } else if (!marked && !receipt->resent) {
        receipts->counts.order_violations++;
    }
}

static void complete(ir_tracker_t *receipts, const ir_receipt_t *receipt, int64_t now_ns) {
    receipts->counts.complete++;
    receipts->counts.complete_records += receipt->n_accepted;
    receipts->counts.last_complete_ns = now_ns;
    ir_latency_record(&receipts->latency, receipt->intended_ns, receipt->sent_ns, now_ns);
}

static void take(ir_tracker_t *receipts, ir_receipt_t *receipt, unsigned format, bool marked,
                 int64_t now_ns) {
    const uint16_t bit = (uint16_t)(1u << format);
    if ((receipt->seen & bit) != 0) {
        receipts->counts.copies++;
        return;
    }
    const bool before = is_complete(receipts, receipt);
    tally(receipts, receipt, -1);
    receipt->seen |= bit;
    tally(receipts, receipt, 1);
    receipts->counts.by_format[format]++;
    check_order(receipts, receipt, format, marked);
    if (!before && is_complete(receipts, receipt)) {
        complete(receipts, receipt, now_ns);
    }
}

void ir_tracker_arrive(ir_tracker_t *receipts, const ir_id_t *raw_id, ir_view_t mote,
                       unsigned format, bool marked, int64_t now_ns) {
    pthread_mutex_lock(&receipts->mutex);
    const uint32_t slot = find(receipts, raw_id, mote, false);
    receipts->counts.marked += marked;
    if (slot == NO_SLOT) {
        receipts->counts.foreign++;
    } else {
        take(receipts, &receipts->ring[slot], format, marked, now_ns);
    }
    pthread_mutex_unlock(&receipts->mutex);
}

void ir_tracker_reject(ir_tracker_t *receipts, const ir_id_t *raw_id, ir_view_t mote) {
    pthread_mutex_lock(&receipts->mutex);
    const uint32_t slot = find(receipts, raw_id, mote, true);
    if (slot == NO_SLOT) {
        receipts->counts.foreign++;
    } else if (!receipts->ring[slot].rejected) {
        tally(receipts, &receipts->ring[slot], -1);
        receipts->ring[slot].rejected = true;
        tally(receipts, &receipts->ring[slot], 1);
    }
    pthread_mutex_unlock(&receipts->mutex);
}

void ir_tracker_revision(ir_tracker_t *receipts) {
    pthread_mutex_lock(&receipts->mutex);
    receipts->counts.revisions++;
    pthread_mutex_unlock(&receipts->mutex);
}

/* ---- asking ---- */

void ir_tracker_count(ir_tracker_t *receipts, ir_tracker_counts_t *counts) {
    pthread_mutex_lock(&receipts->mutex);
    *counts = receipts->counts;
    pthread_mutex_unlock(&receipts->mutex);
}

void ir_tracker_take(ir_tracker_t *receipts, ir_latency_t *into) {
    pthread_mutex_lock(&receipts->mutex);
    ir_latency_add(into, &receipts->latency);
    ir_latency_reset(&receipts->latency);
    pthread_mutex_unlock(&receipts->mutex);
}
