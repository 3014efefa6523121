#include "worker/doubts.h"

#include <pthread.h>
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct mote {
    ir_view_t id;
    size_t n_messages; /* number of messages that are set aside and not settled */
    uint64_t since;    /* number of the batch in which the mote became in doubt */
    char text[];
} mote_t;

struct ir_doubts {
    pthread_mutex_t lock;
    void *tree; /* motes by id (search.h) */
    atomic_size_t n_motes;
    size_t n_messages;
};

static int compare(const void *a, const void *b) {
    const ir_view_t one = ((const mote_t *)a)->id;
    const ir_view_t other = ((const mote_t *)b)->id;
    const size_t shorter = one.size < other.size ? one.size : other.size;
    const int order = shorter > 0 ? memcmp(one.data, other.data, shorter) : 0;
    return order != 0 ? order : (one.size > other.size) - (one.size < other.size);
}

ir_doubts_t *ir_doubts_new(void) {
    ir_doubts_t *doubts = calloc(1, sizeof *doubts);
    if (doubts != NULL) {
        pthread_mutex_init(&doubts->lock, NULL);
    }
    return doubts;
}

void ir_doubts_free(ir_doubts_t *doubts) {
    if (doubts != NULL) {
        tdestroy(doubts->tree, free);
        pthread_mutex_destroy(&doubts->lock);
        free(doubts);
    }
}

static mote_t *find(const ir_doubts_t *doubts, ir_view_t id) {
    const mote_t key = {.id = id};
    mote_t *const *found = tfind(&key, &doubts->tree, compare);
    return found != NULL ? *found : NULL;
}

/* Returns NULL when memory is exhausted. */
static mote_t *add(ir_doubts_t *doubts, ir_view_t id, uint64_t since) {
    mote_t *mote = malloc(sizeof *mote + id.size);
    if (mote == NULL) {
        return NULL;
    }
    *mote = (mote_t){.id = ir_view(mote->text, id.size), .since = since};
    if (id.size > 0) {
        memcpy(mote->text, id.data, id.size);
    }
    if (tsearch(mote, &doubts->tree, compare) == NULL) {
        free(mote);
        return NULL;
    }
    doubts->n_motes++;
    return mote;
}

static void count_message(ir_doubts_t *doubts, mote_t *mote, ir_message_t *message) {
    message->aside = IR_ASIDE_NOTED;
    mote->n_messages++;
    doubts->n_messages++;
}

void ir_doubts_mark(ir_doubts_t *doubts, ir_batch_t *batch) {
    if (doubts->n_motes == 0) {
        return;
    }
    pthread_mutex_lock(&doubts->lock);
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        ir_message_t *message = &batch->messages[i];
        mote_t *mote = message->aside == IR_ASIDE_NOT ? find(doubts, message->mote) : NULL;
        if (mote != NULL && batch->sequence > mote->since) {
            count_message(doubts, mote, message);
            batch->n_aside++;
        }
    }
    pthread_mutex_unlock(&doubts->lock);
}

bool ir_doubts_note(ir_doubts_t *doubts, ir_batch_t *batch) {
    bool good = true;
    if (batch->n_aside == 0) {
        return true;
    }
    pthread_mutex_lock(&doubts->lock);
    for (uint32_t i = 0; good && i < batch->n_messages; i++) {
        ir_message_t *message = &batch->messages[i];
        if (message->aside == IR_ASIDE_NEWLY) {
            mote_t *mote = find(doubts, message->mote);
            mote = mote != NULL ? mote : add(doubts, message->mote, batch->sequence);
            good = mote != NULL;
            if (good) {
                mote->since = batch->sequence < mote->since ? batch->sequence : mote->since;
                count_message(doubts, mote, message);
            }
        }
    }
    pthread_mutex_unlock(&doubts->lock);
    return good;
}

bool ir_doubts_settle(ir_doubts_t *doubts, ir_view_t id) {
    pthread_mutex_lock(&doubts->lock);
    mote_t *mote = find(doubts, id);
    const bool last = mote != NULL && mote->n_messages == 1;
    if (mote != NULL) {
        mote->n_messages--;
        doubts->n_messages--;
    }
    if (last) {
        tdelete(mote, &doubts->tree, compare);
        free(mote);
        doubts->n_motes--;
    }
    pthread_mutex_unlock(&doubts->lock);
    return last;
}

size_t ir_doubts_motes(ir_doubts_t *doubts) {
    return doubts->n_motes;
}

size_t ir_doubts_messages(ir_doubts_t *doubts) {
    pthread_mutex_lock(&doubts->lock);
    const size_t count = doubts->n_messages;
    pthread_mutex_unlock(&doubts->lock);
    return count;
}
