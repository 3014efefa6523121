/* Reloads an object from its file on a signal. A thread reads the new object while the loop keeps
 * using the old one; then the loop swaps them. A thread also frees the old object, once it is
 * unused; no further reload starts before that, so there are never more than two. Loop thread only,
 * unless stated otherwise. */
#ifndef IR_COMMON_RELOAD_H
#define IR_COMMON_RELOAD_H

#include "common/status.h"

#include <stdbool.h>

struct event_base;
typedef struct ir_reload ir_reload_t;

/* What to reload. All callbacks get the same `context`. */
typedef struct ir_reload_work {
    /* Runs in the thread. On success the caller owns *made. */
    ir_status_t (*load)(void *context, void **made, ir_error_t *error);
    /* Starts using the new object and returns the old one. */
    void *(*swap)(void *context, void *made);
    /* Loading failed; the old object stays in use. */
    void (*failed)(void *context, const ir_error_t *error);
    /* Whether the old object is still in use elsewhere. NULL: never after the swap. */
    bool (*in_use)(const void *old);
    /* Runs in the thread, or in ir_reload_close. */
    void (*free)(void *old);
} ir_reload_work_t;

/* `work` and `context` must outlive the reload object. */
ir_status_t ir_reload_open(struct event_base *base, const ir_reload_work_t *work, void *context,
                           ir_reload_t **reload, ir_error_t *error);

/* Starts a reload. If one is already running, one more follows it, however many requests arrive
 * meanwhile. */
void ir_reload_request(ir_reload_t *reload);

/* Waits for the thread, then frees the object it made and the old one. NULL is allowed. */
void ir_reload_close(ir_reload_t *reload);

#endif
