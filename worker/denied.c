#include "worker/denied.h"

#include "common/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct ir_denied_key {
    char text[256]; /* AMQP's longest key, and a NUL */
    int64_t asked_ns;
    ir_error_t why;
} ir_denied_key_t;

struct ir_denied {
    pthread_mutex_t lock;
    int64_t ask_ns;
    atomic_size_t count;
    ir_denied_key_t keys[IR_DENIED_MAX];
};

ir_denied_t *ir_denied_new(int64_t ask_ns) {
    ir_denied_t *denied = calloc(1, sizeof *denied);
    if (denied != NULL) {
        pthread_mutex_init(&denied->lock, NULL);
        denied->ask_ns = ask_ns;
    }
    return denied;
}

void ir_denied_free(ir_denied_t *denied) {
    if (denied != NULL) {
        pthread_mutex_destroy(&denied->lock);
        free(denied);
    }
}

static ir_denied_key_t *find(ir_denied_t *denied, ir_view_t key) {
    for (size_t i = 0; i < denied->count; i++) {
        if (ir_view_equal(ir_view_text(denied->keys[i].text), key)) {
            return &denied->keys[i];
        }
    }
    return NULL;
}

static ir_denied_key_t *take_place(ir_denied_t *denied) {
    if (denied->count < IR_DENIED_MAX) {
        return &denied->keys[denied->count++];
    }
    ir_denied_key_t *oldest = denied->keys;
    for (size_t i = 1; i < IR_DENIED_MAX; i++) {
        oldest = denied->keys[i].asked_ns < oldest->asked_ns ? &denied->keys[i] : oldest;
    }
    return oldest;
}

void ir_denied_add(ir_denied_t *denied, ir_view_t key, const ir_error_t *why) {
    pthread_mutex_lock(&denied->lock);
    ir_denied_key_t *place = find(denied, key);
    place = place != NULL ? place : take_place(denied);
    *place = (ir_denied_key_t){.asked_ns = ir_clock_monotonic(), .why = *why};
    snprintf(place->text, sizeof place->text, "%.*s", IR_VIEW_ARG(key));
    pthread_mutex_unlock(&denied->lock);
}

void ir_denied_remove(ir_denied_t *denied, ir_view_t key) {
    pthread_mutex_lock(&denied->lock);
    ir_denied_key_t *place = find(denied, key);
    if (place != NULL) {
        *place = denied->keys[--denied->count];
    }
    pthread_mutex_unlock(&denied->lock);
}

ir_denial_t ir_denied_find(ir_denied_t *denied, ir_view_t key, ir_error_t *why) {
    if (denied->count == 0) {
        return IR_DENIAL_NONE;
    }
    ir_denial_t denial = IR_DENIAL_NONE;
    pthread_mutex_lock(&denied->lock);
    ir_denied_key_t *place = find(denied, key);
    if (place != NULL) {
        const int64_t now_ns = ir_clock_monotonic();
        const bool due = now_ns - place->asked_ns >= denied->ask_ns;
        place->asked_ns = due ? now_ns : place->asked_ns;
        *why = place->why;
        denial = due ? IR_DENIAL_DUE : IR_DENIAL_STANDS;
    }
    pthread_mutex_unlock(&denied->lock);
    return denial;
}
