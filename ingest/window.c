#include "ingest/window.h"

#include "common/clock.h"
#include "common/invariant.h"
#include "common/name_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define KEY_MAX 255 /* limit for a routing key (AMQP 0-9-1) */
#define OVERTAKEN_NS (250 * IR_MILLISECOND_NS)
#define FIRST_MESSAGES 16 /* limit of a mote's open messages before the first answer */
#define LEFT_BEHIND_NS (100 * IR_MILLISECOND_NS)

/* A mote with open messages or with a shipment that is not completely sent. */
typedef struct mote {
    LIST_ENTRY(mote) chain; /* next mote with the same hash, or next free one */
    TAILQ_ENTRY(mote) turn; /* place in `ready` or `held`, while something is unsent */
    TAILQ_HEAD(, ir_outlet_window_message) open;
    ir_shipment_t *unsent; /* the shipment that is not completely sent; or NULL */
    bool ready;            /* its shipment is not completely sent, and the next message may be sent
                            * now */
    bool waits;            /* counted so */
    size_t messages, bytes, memory, late;
    size_t most; /* allowed number of open messages; grows with each confirm */
    uint32_t hash;
    size_t key_size;
    char key[KEY_MAX];
} mote_t;

struct ir_outlet_window_message {
    TAILQ_ENTRY(ir_outlet_window_message)
    age;                                           /* list of the window, or of free ones */
    TAILQ_ENTRY(ir_outlet_window_message) of_mote; /* both in the order of sending */
    mote_t *mote;                                  /* NULL: not in use */
    ir_shipment_t *shipment;
    const void *connection;
    uint64_t number; /* there */
    int64_t sent_ns;
    size_t bytes;
    bool late;
    ir_shipment_fate_t fate; /* the result if the broker's answer is positive */
};

TAILQ_HEAD(messages, ir_outlet_window_message);
TAILQ_HEAD(motes, mote);
LIST_HEAD(bucket, mote);

struct ir_outlet_window {
    ir_outlet_window_limits_t limits;
    ir_outlet_window_counts_t counts;
    struct messages open, spare;
    ir_outlet_window_message_t *next_late; /* the oldest message that is not late */
    int64_t answered_ns;                   /* when the newest answered message was sent */
    uint32_t answered_mote;                /* hash of the mote of this message */
    struct motes ready, held;
    struct bucket spare_motes, *buckets;
    size_t n_buckets; /* a power of two */
    ir_outlet_window_message_t *messages;
    mote_t *motes;
};

/* ---- life ---- */

ir_outlet_window_t *ir_outlet_window_new(const ir_outlet_window_limits_t *limits) {
    ir_outlet_window_t *window = calloc(1, sizeof *window);
    if (window == NULL) {
        return NULL;
    }
    window->limits = *limits;
    TAILQ_INIT(&window->open);
    TAILQ_INIT(&window->spare);
    TAILQ_INIT(&window->ready);
    TAILQ_INIT(&window->held);
    LIST_INIT(&window->spare_motes);
    for (window->n_buckets = 64; window->n_buckets < limits->messages;) {
        window->n_buckets *= 2;
    }
    window->buckets = calloc(window->n_buckets, sizeof *window->buckets);
    window->messages = calloc(limits->messages, sizeof *window->messages);
    window->motes = calloc(limits->messages, sizeof *window->motes);
    if (window->buckets == NULL || window->messages == NULL || window->motes == NULL) {
        ir_outlet_window_free(window);
        return NULL;
    }
    for (size_t i = limits->messages; i-- > 0;) {
        TAILQ_INSERT_HEAD(&window->spare, &window->messages[i], age);
        LIST_INSERT_HEAD(&window->spare_motes, &window->motes[i], chain);
    }
    return window;
}

void ir_outlet_window_free(ir_outlet_window_t *window) {
    if (window == NULL) {
        return;
    }
    free(window->buckets);
    free(window->messages);
    free(window->motes);
    free(window);
}

const ir_outlet_window_counts_t *ir_outlet_window_counts(const ir_outlet_window_t *window) {
    return &window->counts;
}

/* ---- motes ---- */

static struct bucket *bucket_of(const ir_outlet_window_t *window, uint32_t hash) {
    return &window->buckets[hash & (window->n_buckets - 1)];
}

static mote_t *find_mote(const ir_outlet_window_t *window, ir_view_t key, uint32_t hash) {
    mote_t *mote = NULL;
    LIST_FOREACH(mote, bucket_of(window, hash), chain) {
        if (mote->hash == hash && mote->key_size == key.size &&
            memcmp(mote->key, key.data, key.size) == 0) {
            break;
        }
    }
    return mote;
}

static mote_t *add_mote(ir_outlet_window_t *window, ir_view_t key, uint32_t hash) {
    mote_t *mote = LIST_FIRST(&window->spare_motes);
    IR_INVARIANT(mote != NULL && key.size <= KEY_MAX);
    LIST_REMOVE(mote, chain);
    LIST_INSERT_HEAD(bucket_of(window, hash), mote, chain);
    TAILQ_INIT(&mote->open);
    mote->unsent = NULL;
    mote->ready = mote->waits = false;
    mote->messages = mote->bytes = mote->memory = mote->late = 0;
    mote->most = window->limits.mote_messages < FIRST_MESSAGES ? window->limits.mote_messages
                                                               : FIRST_MESSAGES;
    mote->hash = hash;
    mote->key_size = key.size;
    memcpy(mote->key, key.data, key.size);
    return mote;
}

static bool has_room(const ir_outlet_window_t *window, const mote_t *mote) {
    return mote->messages == 0 ||
           (mote->messages < mote->most && mote->bytes < window->limits.mote_bytes);
}

static bool must_wait(const ir_outlet_window_t *window, const mote_t *mote) {
    return mote->late > 0 || !has_room(window, mote);
}

static void count_waiting(ir_outlet_window_counts_t *counts, const mote_t *mote, size_t sign) {
    counts->motes_waiting += sign;
    counts->messages_waiting += sign * mote->messages;
    counts->bytes_waiting += sign * mote->bytes;
    counts->memory_waiting += sign * mote->memory;
}

/* Call before and after every change of a mote's counts. */
static void begin_change(ir_outlet_window_t *window, const mote_t *mote) {
    if (mote->waits) {
        count_waiting(&window->counts, mote, (size_t)-1);
    }
}

static void end_change(ir_outlet_window_t *window, mote_t *mote) {
    mote->waits = must_wait(window, mote);
    if (mote->waits) {
        count_waiting(&window->counts, mote, 1);
    }
}

/* Moves a mote to its list: to the end of the ready motes, to the held motes, or to none. */
static void leave_turn(ir_outlet_window_t *window, mote_t *mote) {
    TAILQ_REMOVE(mote->ready ? &window->ready : &window->held, mote, turn);
}

static void enter_turn(ir_outlet_window_t *window, mote_t *mote) {
    mote->ready = !must_wait(window, mote);
    struct motes *list = mote->ready ? &window->ready : &window->held;
    TAILQ_INSERT_TAIL(list, mote, turn);
}

static void settle_mote(ir_outlet_window_t *window, mote_t *mote) {
    if (mote->unsent != NULL && mote->ready == must_wait(window, mote)) {
        leave_turn(window, mote);
        enter_turn(window, mote);
    } else if (mote->unsent == NULL && mote->messages == 0) {
        LIST_REMOVE(mote, chain);
        LIST_INSERT_HEAD(&window->spare_motes, mote, chain);
    }
}

/* ---- sending ---- */

bool ir_outlet_window_crowded(const ir_outlet_window_t *window) {
    return LIST_EMPTY(&window->spare_motes);
}

ir_admission_t ir_outlet_window_admit(ir_outlet_window_t *window, ir_shipment_t *shipment) {
    const ir_view_t key = shipment->routing_key;
    const uint32_t hash = ir_name_table_hash(key);
    mote_t *mote = find_mote(window, key, hash);
    if (mote != NULL && (mote->waits || mote->unsent != NULL)) {
        return mote->waits ? IR_ADMISSION_HELD : IR_ADMISSION_LATER;
    }
    mote = mote != NULL ? mote : add_mote(window, key, hash);
    mote->memory += shipment->bytes;
    window->counts.memory += shipment->bytes;
    mote->unsent = shipment;
    mote->ready = true;
    TAILQ_INSERT_HEAD(&window->ready, mote, turn);
    return IR_ADMISSION_TAKEN;
}

ir_shipment_t *ir_outlet_window_next(const ir_outlet_window_t *window) {
    const mote_t *mote = TAILQ_FIRST(&window->ready);
    return mote != NULL && !TAILQ_EMPTY(&window->spare) ? mote->unsent : NULL;
}

ir_outlet_window_message_t *ir_outlet_window_send(ir_outlet_window_t *window, int64_t now_ns) {
    mote_t *mote = TAILQ_FIRST(&window->ready);
    ir_outlet_window_message_t *message = TAILQ_FIRST(&window->spare);
    IR_INVARIANT(mote != NULL && mote->unsent != NULL && message != NULL);
    ir_shipment_t *shipment = mote->unsent;
    IR_INVARIANT(shipment->sent < shipment->n_messages);
    TAILQ_REMOVE(&window->spare, message, age);
    message->mote = mote;
    message->shipment = shipment;
    message->sent_ns = now_ns;
    message->bytes = shipment->messages[shipment->sent++].body.size;
    message->connection = NULL;
    message->late = false;
    message->fate = IR_SHIPMENT_CONFIRMED;
    TAILQ_INSERT_TAIL(&window->open, message, age);
    TAILQ_INSERT_TAIL(&mote->open, message, of_mote);
    window->next_late = window->next_late != NULL ? window->next_late : message;
    window->counts.messages++;
    window->counts.bytes += message->bytes;
    begin_change(window, mote);
    mote->messages++;
    mote->bytes += message->bytes;
    end_change(window, mote);
    leave_turn(window, mote);
    if (shipment->sent < shipment->n_messages) {
        enter_turn(window, mote);
    } else {
        mote->unsent = NULL;
    }
    return message;
}

void ir_outlet_window_number(ir_outlet_window_message_t *message, const void *connection,
                             uint64_t number) {
    message->connection = connection;
    message->number = number;
}

/* ---- answers ---- */

/* Returns the shipment if all its messages have results; then its memory no longer counts for its
 * mote. */
static ir_shipment_t *complete(ir_outlet_window_t *window, mote_t *mote, ir_shipment_t *shipment) {
    if (shipment->open > 0) {
        return NULL;
    }
    IR_INVARIANT(mote->memory >= shipment->bytes && window->counts.memory >= shipment->bytes);
    mote->memory -= shipment->bytes;
    window->counts.memory -= shipment->bytes;
    return shipment;
}

static void drop_unsent(ir_outlet_window_t *window, mote_t *mote) {
    ir_shipment_t *shipment = mote->unsent;
    leave_turn(window, mote);
    mote->unsent = NULL;
    ir_shipment_settle(shipment, shipment->n_messages - shipment->sent, IR_SHIPMENT_UNSENT);
}

static void take_out(ir_outlet_window_t *window, ir_outlet_window_message_t *message) {
    mote_t *mote = message->mote;
    IR_INVARIANT(window->counts.messages > 0 && mote->messages > 0 &&
                 mote->bytes >= message->bytes);
    if (window->next_late == message) {
        window->next_late = TAILQ_NEXT(message, age);
    }
    TAILQ_REMOVE(&window->open, message, age);
    TAILQ_REMOVE(&mote->open, message, of_mote);
    TAILQ_INSERT_HEAD(&window->spare, message, age);
    window->counts.messages--;
    window->counts.bytes -= message->bytes;
    window->counts.late -= message->late;
    mote->messages--;
    mote->bytes -= message->bytes;
    mote->late -= message->late;
    message->mote = NULL;
}

static ir_shipment_t *close_message(ir_outlet_window_t *window, ir_outlet_window_message_t *message,
                                    ir_shipment_fate_t fate, bool with_unsent) {
    mote_t *mote = message->mote;
    ir_shipment_t *shipment = message->shipment;
    IR_INVARIANT(mote != NULL);
    begin_change(window, mote);
    take_out(window, message);
    ir_shipment_settle(shipment, 1, fate);
    if (with_unsent && mote->unsent == shipment) {
        drop_unsent(window, mote);
    }
    ir_shipment_t *done = complete(window, mote, shipment);
    end_change(window, mote);
    settle_mote(window, mote);
    return done;
}

ir_shipment_t *ir_outlet_window_answer(ir_outlet_window_t *window,
                                       ir_outlet_window_message_t *message, bool confirmed) {
    IR_INVARIANT(message->mote != NULL);
    if (message->sent_ns > window->answered_ns) {
        window->answered_ns = message->sent_ns;
        window->answered_mote = message->mote->hash;
    }
    mote_t *mote = message->mote;
    begin_change(window, mote);
    mote->most += confirmed && mote->most < window->limits.mote_messages;
    end_change(window, mote);
    return close_message(window, message, confirmed ? message->fate : IR_SHIPMENT_REFUSED, false);
}

ir_shipment_t *ir_outlet_window_give_up(ir_outlet_window_t *window,
                                        ir_outlet_window_message_t *message,
                                        ir_shipment_fate_t fate) {
    return close_message(window, message, fate, true);
}

ir_shipment_t *ir_outlet_window_give_up_unsent(ir_outlet_window_t *window) {
    ir_shipment_t *done = NULL;
    while (done == NULL) {
        mote_t *mote = TAILQ_FIRST(&window->ready);
        mote = mote != NULL ? mote : TAILQ_FIRST(&window->held);
        if (mote == NULL) {
            return NULL;
        }
        ir_shipment_t *shipment = mote->unsent;
        begin_change(window, mote);
        drop_unsent(window, mote);
        done = complete(window, mote, shipment);
        end_change(window, mote);
        settle_mote(window, mote);
    }
    return done;
}

/* If only one message was open, it is the returned one. Otherwise it is unknown which of them
 * arrived. */
void ir_outlet_window_return(ir_outlet_window_t *window, ir_view_t routing_key) {
    const mote_t *mote = find_mote(window, routing_key, ir_name_table_hash(routing_key));
    ir_outlet_window_message_t *message = NULL;
    if (mote == NULL) {
        return;
    }
    TAILQ_FOREACH(message, &mote->open, of_mote) {
        message->fate = mote->messages == 1 ? IR_SHIPMENT_REFUSED : IR_SHIPMENT_UNKNOWN;
    }
}

/* ---- age ---- */

static void become_late(ir_outlet_window_t *window, ir_outlet_window_message_t *message) {
    mote_t *mote = message->mote;
    begin_change(window, mote);
    message->late = true;
    mote->late++;
    window->counts.late++;
    end_change(window, mote);
    settle_mote(window, mote);
}

void ir_outlet_window_judge(ir_outlet_window_t *window, int64_t now_ns, bool full) {
    int64_t bound_ns = now_ns - window->limits.late_ns;
    full = full || window->counts.memory > window->limits.memory / 2;
    if (full && window->answered_ns - OVERTAKEN_NS > bound_ns) {
        bound_ns = window->answered_ns - OVERTAKEN_NS;
    }
    while (window->next_late != NULL && window->next_late->sent_ns < bound_ns) {
        ir_outlet_window_message_t *message = window->next_late;
        window->next_late = TAILQ_NEXT(message, age);
        become_late(window, message);
    }
}

ir_outlet_window_message_t *ir_outlet_window_excess(const ir_outlet_window_t *window) {
    const ir_outlet_window_counts_t *counts = &window->counts;
    const ir_outlet_window_limits_t *limits = &window->limits;
    ir_outlet_window_message_t *oldest = TAILQ_FIRST(&window->open);
    const bool over = counts->messages_waiting > limits->messages / 2 ||
                      counts->bytes_waiting > limits->bytes / 2 ||
                      counts->memory_waiting > limits->memory / 2;
    return over && oldest != NULL && oldest->late ? oldest : NULL;
}

bool ir_outlet_window_all_silent(const ir_outlet_window_t *window, int64_t before_ns) {
    const mote_t *silent = NULL;
    const ir_outlet_window_message_t *each = TAILQ_LAST(&window->open, messages);
    for (; each != NULL && each->sent_ns > window->answered_ns;
         each = TAILQ_PREV(each, messages, age)) {
        if (each->sent_ns < before_ns) {
            if (silent != NULL && each->mote != silent) {
                return true;
            }
            silent = each->mote;
        }
    }
    return silent != NULL && (window->answered_ns == 0 || window->answered_mote == silent->hash);
}

size_t ir_outlet_window_left_behind(const ir_outlet_window_t *window, const void *connection,
                                    size_t most) {
    const int64_t bound_ns = window->answered_ns - LEFT_BEHIND_NS;
    const ir_outlet_window_message_t *each = TAILQ_FIRST(&window->open);
    size_t count = 0;
    while (count < most && each != NULL && each->sent_ns < bound_ns) {
        count += each->connection == connection;
        each = TAILQ_NEXT(each, age);
    }
    return count;
}

void ir_outlet_window_hold(ir_outlet_window_t *window) {
    ir_outlet_window_judge(window, INT64_MAX, false);
}

ir_outlet_window_message_t *ir_outlet_window_oldest(const ir_outlet_window_t *window,
                                                    const void *connection) {
    ir_outlet_window_message_t *each = TAILQ_FIRST(&window->open);
    while (each != NULL && each->connection != connection) {
        each = TAILQ_NEXT(each, age);
    }
    return each;
}

const void *ir_outlet_window_message_connection(const ir_outlet_window_message_t *message) {
    return message->connection;
}

uint64_t ir_outlet_window_message_number(const ir_outlet_window_message_t *message) {
    return message->number;
}
