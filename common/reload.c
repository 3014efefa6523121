#include "common/reload.h"

#include "common/clock.h"
#include "common/thread.h"

#include <event2/event.h>

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_NS (100 * IR_MILLISECOND_NS)

typedef enum ir_reload_state {
    IR_RELOAD_IDLE,
    IR_RELOAD_LOADING,  /* the thread is running; it owns `made`, `status` and `error` */
    IR_RELOAD_RETIRING, /* the new object is in use, but somebody still uses `old` */
    IR_RELOAD_FREEING   /* the thread is running; it owns `old` */
} ir_reload_state_t;

struct ir_reload {
    const ir_reload_work_t *work;
    void *context;
    ir_reload_state_t state;
    bool wanted; /* another reload was requested */
    pthread_t thread;
    int done_fd;
    struct event *done, *check;
    void *made, *old;
    ir_status_t status;
    ir_error_t error;
};

/* ---- the thread ---- */

static void *run(void *argument) {
    ir_reload_t *reload = argument;
    if (reload->state == IR_RELOAD_LOADING) {
        reload->status = reload->work->load(reload->context, &reload->made, &reload->error);
    } else {
        reload->work->free(reload->old);
        reload->old = NULL;
    }
    (void)!write(reload->done_fd, &(uint64_t){1}, sizeof(uint64_t));
    return NULL;
}

static int start_thread(ir_reload_t *reload, ir_reload_state_t state) {
    reload->state = state;
    return ir_thread_start(&reload->thread, run, reload);
}

/* ---- steps ---- */

static void start_loading(ir_reload_t *reload) {
    reload->wanted = false;
    reload->made = NULL;
    const int failed = start_thread(reload, IR_RELOAD_LOADING);
    if (failed != 0) {
        ir_error_t error;
        ir_error_set(&error, IR_ERR_MEMORY, "cannot start a thread to read it: %s",
                     strerror(failed));
        reload->state = IR_RELOAD_IDLE;
        reload->work->failed(reload->context, &error);
    }
}

static void check_old(ir_reload_t *reload) {
    static const struct timeval later = {.tv_usec = LOOK_NS / 1000};
    if (reload->work->in_use != NULL && reload->work->in_use(reload->old)) {
        evtimer_add(reload->check, &later);
    } else if (start_thread(reload, IR_RELOAD_FREEING) != 0) {
        reload->state = IR_RELOAD_RETIRING;
        evtimer_add(reload->check, &later);
    }
}

static void finish_loading(ir_reload_t *reload) {
    reload->state = IR_RELOAD_IDLE;
    if (reload->status != IR_OK) {
        reload->work->failed(reload->context, &reload->error);
        return;
    }
    reload->old = reload->work->swap(reload->context, reload->made);
    reload->made = NULL;
    if (reload->old != NULL) {
        reload->state = IR_RELOAD_RETIRING;
        check_old(reload);
    }
}

static void advance(ir_reload_t *reload) {
    if (reload->state == IR_RELOAD_IDLE && reload->wanted) {
        start_loading(reload);
    }
}

static void on_done(evutil_socket_t fd, short what, void *context) {
    (void)what;
    ir_reload_t *reload = context;
    uint64_t count = 0;
    (void)!read(fd, &count, sizeof count);
    pthread_join(reload->thread, NULL);
    if (reload->state == IR_RELOAD_LOADING) {
        finish_loading(reload);
    } else {
        reload->state = IR_RELOAD_IDLE;
    }
    advance(reload);
}

static void on_check(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    check_old(context);
}

/* ---- functions for the owner ---- */

ir_status_t ir_reload_open(struct event_base *base, const ir_reload_work_t *work, void *context,
                           ir_reload_t **reload, ir_error_t *error) {
    ir_reload_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "reload: out of memory");
    }
    made->work = work;
    made->context = context;
    made->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    made->done = made->done_fd >= 0
                     ? event_new(base, made->done_fd, EV_READ | EV_PERSIST, on_done, made)
                     : NULL;
    made->check = evtimer_new(base, on_check, made);
    if (made->done == NULL || made->check == NULL || event_add(made->done, NULL) != 0) {
        ir_reload_close(made);
        return ir_error_set(error, IR_ERR_MEMORY, "reload: out of memory or descriptors");
    }
    *reload = made;
    return IR_OK;
}

void ir_reload_request(ir_reload_t *reload) {
    reload->wanted = true;
    advance(reload);
}

void ir_reload_close(ir_reload_t *reload) {
    if (reload == NULL) {
        return;
    }
    if (reload->state == IR_RELOAD_LOADING || reload->state == IR_RELOAD_FREEING) {
        pthread_join(reload->thread, NULL);
    }
    if (reload->made != NULL) {
        reload->work->free(reload->made);
    }
    if (reload->old != NULL) {
        reload->work->free(reload->old);
    }
    if (reload->done != NULL) {
        event_free(reload->done);
    }
    if (reload->check != NULL) {
        event_free(reload->check);
    }
    if (reload->done_fd >= 0) {
        close(reload->done_fd);
    }
    free(reload);
}
