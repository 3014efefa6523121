#include "worker/denied.h"

#include "common/clock.h"

#include <stdio.h>
#include <string.h>

#define ASK_NS (10 * IR_SECOND_NS)

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
    ir_denied_key_t *place = ir_denied_find(denied, key);
    place = place != NULL ? place : take_place(denied);
    *place = (ir_denied_key_t){.asked_ns = ir_clock_monotonic(), .why = *why};
    snprintf(place->text, sizeof place->text, "%.*s", IR_VIEW_ARG(key));
}

ir_denied_key_t *ir_denied_find(ir_denied_t *denied, ir_view_t key) {
    for (size_t i = 0; i < denied->count; i++) {
        if (ir_view_equal(ir_view_text(denied->keys[i].text), key)) {
            return &denied->keys[i];
        }
    }
    return NULL;
}

void ir_denied_remove(ir_denied_t *denied, ir_denied_key_t *key) {
    *key = denied->keys[--denied->count];
}

bool ir_denied_ask(ir_denied_key_t *key) {
    const int64_t now_ns = ir_clock_monotonic();
    const bool due = now_ns - key->asked_ns >= ASK_NS;
    key->asked_ns = due ? now_ns : key->asked_ns;
    return due;
}
