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
    uint32_t behind; /* slot of the mote's next message without an id */
    uint16_t seen;   /* bits of formats */
    uint16_t n_accepted;
    uint8_t answer; /* ir_receipt_answer */
    bool all_good, resent, rejected;
    bool nameless; /* its raw id is not known yet */
    bool guessed;  /* its raw id was found by the order of messages */
} ir_receipt_t;

enum ir_receipt_answer { NO_ANSWER, CONFIRMED, REFUSED };

struct ir_tracker {
    pthread_mutex_t mutex;
    ir_receipt_t *ring; /* message N is at N % capacity */
    size_t capacity;
    uint32_t *index; /* hash table by id with open addressing; values are slots of the ring */
    size_t mask;
    const ir_motes_t *names;   /* NULL: all raw ids are known in advance */
    uint32_t *oldest, *newest; /* the oldest of each mote's messages without an id; NO_SLOT: none */
    bool *doubtful;            /* for each mote: whether ids found by order may from now on be those
                                * of a neighbouring message */
    uint64_t *last;            /* for each mote and format: 1 + the number of the latest message
                                * that came back */
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
    ir_tracker_t *tracker = calloc(1, sizeof *tracker);
    if (tracker == NULL) {
        return NULL;
    }
    const size_t slots = index_size(capacity);
    pthread_mutex_init(&tracker->mutex, NULL);
    tracker->capacity = capacity;
    tracker->mask = slots - 1;
    tracker->motes = motes;
    tracker->formats = formats;
    tracker->all = (uint16_t)((1u << formats) - 1);
    tracker->any = any;
    /* calloc: pages of a large ring take memory only when they are used. */
    tracker->ring = calloc(capacity, sizeof tracker->ring[0]);
    tracker->index = malloc(slots * sizeof tracker->index[0]);
    tracker->last = calloc((size_t)motes * formats + 1, sizeof tracker->last[0]);
    if (tracker->ring == NULL || tracker->index == NULL || tracker->last == NULL ||
        !ir_latency_init(&tracker->latency)) {
        ir_tracker_free(tracker);
        return NULL;
    }
    memset(tracker->index, 0xff, slots * sizeof tracker->index[0]);
    return tracker;
}

void ir_tracker_free(ir_tracker_t *tracker) {
    if (tracker != NULL) {
        pthread_mutex_destroy(&tracker->mutex);
        free(tracker->ring);
        free(tracker->index);
        free(tracker->last);
        free(tracker->oldest);
        free(tracker->newest);
        free(tracker->doubtful);
        ir_latency_free(&tracker->latency);
        free(tracker);
    }
}

/* ---- the index ---- */

static size_t home_of(const ir_tracker_t *tracker, const ir_id_t *id) {
    return ir_id_hash(id) & tracker->mask;
}

/* Returns the position of the id, or the free position where it belongs. */
static size_t place_of(const ir_tracker_t *tracker, const ir_id_t *id) {
    size_t place = home_of(tracker, id);
    while (tracker->index[place] != NO_SLOT &&
           ir_id_compare(&tracker->ring[tracker->index[place]].raw_id, id) != 0) {
        place = (place + 1) & tracker->mask;
    }
    return place;
}

/* Closes the gap that a removed id leaves, so that probing still finds every other id. */
static void forget(ir_tracker_t *tracker, const ir_id_t *id) {
    const size_t mask = tracker->mask;
    size_t gap = place_of(tracker, id);
    for (size_t next = (gap + 1) & mask; tracker->index[next] != NO_SLOT;
         next = (next + 1) & mask) {
        const size_t home = home_of(tracker, &tracker->ring[tracker->index[next]].raw_id);
        if (((next - home) & mask) >= ((next - gap) & mask)) {
            tracker->index[gap] = tracker->index[next];
            gap = next;
        }
    }
    tracker->index[gap] = NO_SLOT;
}

/* ---- messages without an id ---- */

bool ir_tracker_match(ir_tracker_t *tracker, const ir_motes_t *motes) {
    const size_t size = (size_t)tracker->motes * sizeof tracker->oldest[0];
    tracker->oldest = malloc(size + 1);
    tracker->newest = malloc(size + 1);
    tracker->doubtful = calloc((size_t)tracker->motes + 1, sizeof tracker->doubtful[0]);
    if (tracker->oldest == NULL || tracker->newest == NULL || tracker->doubtful == NULL) {
        return false;
    }
    memset(tracker->oldest, 0xff, size);
    memset(tracker->newest, 0xff, size);
    tracker->names = motes;
    return true;
}

static void line_up(ir_tracker_t *tracker, uint32_t slot) {
    ir_receipt_t *receipt = &tracker->ring[slot];
    uint32_t *newest = &tracker->newest[receipt->mote];
    receipt->behind = NO_SLOT;
    if (*newest == NO_SLOT) {
        tracker->oldest[receipt->mote] = slot;
    } else {
        tracker->ring[*newest].behind = slot;
    }
    *newest = slot;
}

/* `before`: the previous slot in the list; NO_SLOT: the slot is the first. */
static void leave_line(ir_tracker_t *tracker, uint32_t slot, uint32_t before) {
    const ir_receipt_t *receipt = &tracker->ring[slot];
    if (before == NO_SLOT) {
        tracker->oldest[receipt->mote] = receipt->behind;
    } else {
        tracker->ring[before].behind = receipt->behind;
    }
    if (tracker->newest[receipt->mote] == slot) {
        tracker->newest[receipt->mote] = before;
    }
}

/* Published messages come in each mote's order, and so do rejections, but the two streams are
 * independent. So a rejection belongs to the first message that expects one. */
static uint32_t match(ir_tracker_t *tracker, const ir_id_t *raw_id, ir_view_t name, bool rejected) {
    unsigned mote = 0;
    if (tracker->names == NULL || !ir_motes_find(tracker->names, name, &mote)) {
        return NO_SLOT;
    }
    uint32_t before = NO_SLOT;
    uint32_t slot = tracker->oldest[mote];
    while (slot != NO_SLOT &&
           (rejected ? tracker->ring[slot].all_good : tracker->ring[slot].n_accepted == 0)) {
        before = slot;
        slot = tracker->ring[slot].behind;
    }
    if (slot != NO_SLOT) {
        leave_line(tracker, slot, before);
        tracker->ring[slot].raw_id = *raw_id;
        tracker->ring[slot].nameless = false;
        tracker->ring[slot].guessed = true;
        tracker->index[place_of(tracker, raw_id)] = slot;
        tracker->counts.matched++;
    }
    return slot;
}

static uint32_t find(ir_tracker_t *tracker, const ir_id_t *raw_id, ir_view_t mote, bool rejected) {
    const uint32_t slot = tracker->index[place_of(tracker, raw_id)];
    return slot != NO_SLOT ? slot : match(tracker, raw_id, mote, rejected);
}

static void drop_from_line(ir_tracker_t *tracker, uint32_t wanted) {
    uint32_t before = NO_SLOT;
    uint32_t slot = tracker->oldest[tracker->ring[wanted].mote];
    while (slot != wanted) {
        before = slot;
        slot = tracker->ring[slot].behind;
    }
    leave_line(tracker, wanted, before);
}

/* ---- outcomes of messages ---- */

const char *ir_fate_text(ir_fate_t fate) {
    static const char *const texts[IR_FATE_COUNT] = {
        [IR_FATE_UNANSWERED] = "unanswered",   [IR_FATE_REFUSED] = "refused",
        [IR_FATE_REPUBLISHED] = "republished", [IR_FATE_REJECTED] = "rejected",
        [IR_FATE_MISSING] = "missing",
    };
    return fate < IR_FATE_COUNT ? texts[fate] : "unknown";
}

static bool is_complete(const ir_tracker_t *tracker, const ir_receipt_t *receipt) {
    return tracker->any ? receipt->seen != 0 : receipt->seen == tracker->all;
}

static ir_fate_t fate_of(const ir_tracker_t *tracker, const ir_receipt_t *receipt) {
    if (receipt->answer != CONFIRMED) {
        return receipt->answer == REFUSED ? IR_FATE_REFUSED : IR_FATE_UNANSWERED;
    }
    if (is_complete(tracker, receipt)) {
        return IR_FATE_REPUBLISHED;
    }
    return receipt->rejected ? IR_FATE_REJECTED : IR_FATE_MISSING;
}

/* Whether parts of the message are still expected to come back. */
static bool is_waiting(const ir_tracker_t *tracker, const ir_receipt_t *receipt) {
    return receipt->answer == CONFIRMED && !is_complete(tracker, receipt) &&
           !(receipt->rejected && receipt->n_accepted == 0);
}

/* Call it before a message changes, to subtract the message from the counts (`sign` -1), and
 * afterwards, to add it again (1). */
static void tally(ir_tracker_t *tracker, const ir_receipt_t *receipt, int sign) {
    ir_tracker_counts_t *counts = &tracker->counts;
    const uint64_t one = sign < 0 ? UINT64_MAX : 1;
    const bool whole = is_complete(tracker, receipt);
    counts->by_fate[fate_of(tracker, receipt)] += one;
    counts->waiting += is_waiting(tracker, receipt) ? one : 0;
    counts->waiting_records += is_waiting(tracker, receipt) ? one * receipt->n_accepted : 0;
    counts->stray += whole && receipt->answer != CONFIRMED ? one : 0;
    counts->partly_rejected += whole && receipt->rejected ? one : 0;
    counts->unmeant += receipt->rejected && receipt->all_good ? one : 0;
}

/* ---- sending ---- */

static bool is_done(const ir_tracker_t *tracker, const ir_receipt_t *receipt) {
    return receipt->answer == REFUSED ||
           (receipt->answer == CONFIRMED && !is_waiting(tracker, receipt));
}

static bool make_room(ir_tracker_t *tracker) {
    if (tracker->counts.expected < tracker->capacity) {
        return true;
    }
    const size_t slot = (size_t)(tracker->counts.expected % tracker->capacity);
    const ir_receipt_t *oldest = &tracker->ring[slot];
    if (!is_done(tracker, oldest)) {
        return false;
    }
    if (oldest->nameless) {
        drop_from_line(tracker, (uint32_t)slot);
    } else {
        forget(tracker, &oldest->raw_id);
    }
    return true;
}

bool ir_tracker_expect(ir_tracker_t *tracker, const ir_expected_t *expected, uint64_t *ticket) {
    pthread_mutex_lock(&tracker->mutex);
    const bool room = make_room(tracker);
    if (room) {
        const uint64_t number = tracker->counts.expected++;
        const size_t slot = (size_t)(number % tracker->capacity);
        tracker->ring[slot] =
            (ir_receipt_t){.intended_ns = expected->intended_ns,
                           .sent_ns = expected->sent_ns,
                           .number = number,
                           .mote = expected->mote,
                           .n_accepted = (uint16_t)expected->n_accepted,
                           .all_good = expected->n_accepted == expected->n_records,
                           .nameless = expected->raw_id == NULL};
        if (expected->raw_id == NULL) {
            line_up(tracker, (uint32_t)slot);
        } else {
            tracker->ring[slot].raw_id = *expected->raw_id;
            tracker->index[place_of(tracker, expected->raw_id)] = (uint32_t)slot;
        }
        tally(tracker, &tracker->ring[slot], 1);
        *ticket = number;
    }
    pthread_mutex_unlock(&tracker->mutex);
    return room;
}

void ir_tracker_resent(ir_tracker_t *tracker, uint64_t ticket) {
    pthread_mutex_lock(&tracker->mutex);
    ir_receipt_t *receipt = &tracker->ring[ticket % tracker->capacity];
    receipt->resent = true;
    if (receipt->nameless || receipt->guessed) {
        tracker->doubtful[receipt->mote] = true;
    }
    pthread_mutex_unlock(&tracker->mutex);
}

void ir_tracker_gap(ir_tracker_t *tracker) {
    pthread_mutex_lock(&tracker->mutex);
    for (unsigned i = 0; tracker->names != NULL && i < tracker->motes; i++) {
        tracker->doubtful[i] = true;
    }
    pthread_mutex_unlock(&tracker->mutex);
}

void ir_tracker_answer(ir_tracker_t *tracker, uint64_t ticket, bool confirmed) {
    pthread_mutex_lock(&tracker->mutex);
    ir_receipt_t *receipt = &tracker->ring[ticket % tracker->capacity];
    tally(tracker, receipt, -1);
    receipt->answer = confirmed ? CONFIRMED : REFUSED;
    tally(tracker, receipt, 1);
    pthread_mutex_unlock(&tracker->mutex);
}

/* ---- arriving ---- */

static void check_order(ir_tracker_t *tracker, const ir_receipt_t *receipt, unsigned format,
                        bool marked) {
    if (receipt->guessed && tracker->doubtful[receipt->mote]) {
        return;
    }
    uint64_t *last = &tracker->last[(size_t)receipt->mote * tracker->formats + format];
    if (receipt->number + 1 > *last) {
        *last = receipt->number + 1;
    } else if (!marked && !receipt->resent) {
        tracker->counts.order_violations++;
    }
}

static void complete(ir_tracker_t *tracker, const ir_receipt_t *receipt, int64_t now_ns) {
    tracker->counts.complete++;
    tracker->counts.complete_records += receipt->n_accepted;
    tracker->counts.last_complete_ns = now_ns;
    ir_latency_record(&tracker->latency, receipt->intended_ns, receipt->sent_ns, now_ns);
}

static void take(ir_tracker_t *tracker, ir_receipt_t *receipt, unsigned format, bool marked,
                 int64_t now_ns) {
    const uint16_t bit = (uint16_t)(1u << format);
    if ((receipt->seen & bit) != 0) {
        tracker->counts.copies++;
        return;
    }
    const bool before = is_complete(tracker, receipt);
    tally(tracker, receipt, -1);
    receipt->seen |= bit;
    tally(tracker, receipt, 1);
    tracker->counts.by_format[format]++;
    check_order(tracker, receipt, format, marked);
    if (!before && is_complete(tracker, receipt)) {
        complete(tracker, receipt, now_ns);
    }
}

void ir_tracker_arrive(ir_tracker_t *tracker, const ir_id_t *raw_id, ir_view_t mote,
                       unsigned format, bool marked, int64_t now_ns) {
    pthread_mutex_lock(&tracker->mutex);
    const uint32_t slot = find(tracker, raw_id, mote, false);
    tracker->counts.marked += marked;
    if (slot == NO_SLOT) {
        tracker->counts.foreign++;
    } else {
        take(tracker, &tracker->ring[slot], format, marked, now_ns);
    }
    pthread_mutex_unlock(&tracker->mutex);
}

void ir_tracker_reject(ir_tracker_t *tracker, const ir_id_t *raw_id, ir_view_t mote) {
    pthread_mutex_lock(&tracker->mutex);
    const uint32_t slot = find(tracker, raw_id, mote, true);
    if (slot == NO_SLOT) {
        tracker->counts.foreign++;
    } else if (!tracker->ring[slot].rejected) {
        tally(tracker, &tracker->ring[slot], -1);
        tracker->ring[slot].rejected = true;
        tally(tracker, &tracker->ring[slot], 1);
    }
    pthread_mutex_unlock(&tracker->mutex);
}

void ir_tracker_revision(ir_tracker_t *tracker) {
    pthread_mutex_lock(&tracker->mutex);
    tracker->counts.revisions++;
    pthread_mutex_unlock(&tracker->mutex);
}

/* ---- asking ---- */

void ir_tracker_count(ir_tracker_t *tracker, ir_tracker_counts_t *counts) {
    pthread_mutex_lock(&tracker->mutex);
    *counts = tracker->counts;
    pthread_mutex_unlock(&tracker->mutex);
}

void ir_tracker_take(ir_tracker_t *tracker, ir_latency_t *into) {
    pthread_mutex_lock(&tracker->mutex);
    ir_latency_add(into, &tracker->latency);
    ir_latency_reset(&tracker->latency);
    pthread_mutex_unlock(&tracker->mutex);
}
