/* Something that is read from a file and read again on a signal: the new one is made on a thread of
 * its own while the loop goes on with the one it has, then they are swapped in the loop. The old
 * one is freed on such a thread too, once nobody uses it, and before that no other is read: there
 * are never more than two. Loop thread only, except where it says so. */
#ifndef IR_COMMON_RELOAD_H
#define IR_COMMON_RELOAD_H

#include "common/status.h"

#include <stdbool.h>

struct event_base;
typedef struct ir_reload ir_reload_t;

/* What it is; the callbacks share one `context`. */
typedef struct ir_reload_work {
    /* On the thread. On success *made belongs to the caller. */
    ir_status_t (*load)(void *context, void **made, ir_error_t *error);
    /* Takes the new one, gives the old one away. */
    void *(*swap)(void *context, void *made);
    /* The old one stays. */
    void (*failed)(void *context, const ir_error_t *error);
    /* Whether anybody but the giver still uses the old one; NULL: nobody does after the swap. */
    bool (*in_use)(const void *old);
    /* On the thread, or from ir_reload_close. */
    void (*free)(void *old);
} ir_reload_work_t;

/* `work` and `context` outlive it. */
ir_status_t ir_reload_open(struct event_base *base, const ir_reload_work_t *work, void *context,
                           ir_reload_t **reload, ir_error_t *error);

/* Begins to read. While a reading is under way it is remembered: however often it was asked for
 * meanwhile, one more follows. */
void ir_reload_request(ir_reload_t *reload);

/* Waits for the thread and frees what it made and what is old. Takes NULL. */
void ir_reload_close(ir_reload_t *reload);

#endif
