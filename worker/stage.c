#include "worker/stage.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/invariant.h"
#include "common/log.h"
#include "common/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_INTERVAL_NS (10 * IR_SECOND_NS)

struct ir_stage {
    ir_stage_work_t work;
    ir_stage_options_t options;
    ir_ring_t *in;
    pthread_t thread;
    atomic_bool started;
    atomic_bool refused; /* the server refused the credentials before it was ever available; `fault`
                          * has the reason */
    atomic_bool abandoned;
    atomic_bool dropped; /* whether a batch was passed on undone */
    atomic_size_t in_hand;
    pthread_mutex_t lock; /* protects `fault` and the condition */
    pthread_cond_t changed;
    char fault[sizeof(((ir_error_t *)0)->text)]; /* empty: no back-off */
    ir_backoff_t backoff;
    int64_t last_logged_ns;
};

static void wake_loop(const ir_stage_t *stage) {
    const uint64_t one = 1;
    /* Wakes the loop. The eventfd's counter practically never overflows. If it did (EAGAIN), the
     * descriptor would be readable anyway. */
    (void)!write(stage->options.wake_fd, &one, sizeof one);
}

static void set_fault(ir_stage_t *stage, const char *text) {
    pthread_mutex_lock(&stage->lock);
    const bool same = strcmp(stage->fault, text) == 0;
    snprintf(stage->fault, sizeof stage->fault, "%s", text);
    pthread_mutex_unlock(&stage->lock);
    if (!same) {
        wake_loop(stage);
    }
}

/* Sleeps until the back-off is over or the stage is abandoned. */
static void wait_backoff(ir_stage_t *stage) {
    const int64_t until = ir_clock_monotonic() + ir_backoff_next(&stage->backoff);
    const struct timespec deadline = {.tv_sec = until / IR_SECOND_NS,
                                      .tv_nsec = until % IR_SECOND_NS};
    pthread_mutex_lock(&stage->lock);
    int waited = 0;
    while (!atomic_load(&stage->abandoned) && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&stage->changed, &stage->lock, &deadline);
    }
    pthread_mutex_unlock(&stage->lock);
}

static void log_failure(ir_stage_t *stage, const ir_error_t *error) {
    if (error->status == IR_ERR_VANISHED) { /* logged once, by the call that detected it */
        ir_log(IR_LOG_ERROR, "%s: %s", stage->work.name, error->text);
        stage->last_logged_ns = ir_clock_monotonic();
        return;
    }
    ir_log_limited(&stage->last_logged_ns, LOG_INTERVAL_NS, IR_LOG_WARN,
                   "%s: %s; messages in progress are kept and retried", stage->work.name,
                   error->text);
}

static void on_failure(ir_stage_t *stage, const ir_error_t *error) {
    set_fault(stage, error->text);
    ir_metric_increase(stage->options.retries, 1);
    log_failure(stage, error);
    wait_backoff(stage);
}

static void on_success(ir_stage_t *stage) {
    if (stage->last_logged_ns != 0) {
        ir_log(IR_LOG_INFO, "%s: working again", stage->work.name);
        stage->last_logged_ns = 0;
    }
    ir_backoff_reset(&stage->backoff);
    set_fault(stage, "");
}

/* If the credentials were never accepted, a setting is wrong, and the worker ends. */
static void on_refusal(ir_stage_t *stage, const ir_error_t *error) {
    set_fault(stage, error->text);
    atomic_store(&stage->refused, true);
    wake_loop(stage);
    while (!atomic_load(&stage->abandoned)) {
        wait_backoff(stage);
    }
}

static void become_ready(ir_stage_t *stage) {
    while (stage->work.ready != NULL && !atomic_load(&stage->abandoned)) {
        ir_error_t error = {.status = IR_OK};
        if (stage->work.ready(stage->work.context, &error) == IR_OK) {
            break;
        }
        if (error.status == IR_ERR_AUTH) {
            on_refusal(stage, &error);
        } else {
            on_failure(stage, &error);
        }
    }
    if (!atomic_load(&stage->abandoned)) {
        on_success(stage);
        atomic_store(&stage->started, true);
        wake_loop(stage);
    }
}

static bool run_once(ir_stage_t *stage, ir_batch_t *batch, ir_error_t *error) {
    if (stage->work.run(stage->work.context, batch, error) != IR_OUTCOME_OK) {
        return false;
    }
    if (stage->options.doubts != NULL && !ir_doubts_note(stage->options.doubts, batch)) {
        ir_error_set(error, IR_ERR_MEMORY, "out of memory for a mote in doubt");
        return false;
    }
    return true;
}

static void process(ir_stage_t *stage, ir_batch_t *batch) {
    const int64_t begun = ir_clock_monotonic();
    bool done = false;
    IR_INVARIANT(batch->stage == stage);
    if (stage->options.doubts != NULL) {
        ir_doubts_mark(stage->options.doubts, batch);
    }
    while (!done && !batch->undone && !atomic_load(&stage->abandoned)) {
        ir_error_t error = {.status = IR_OK};
        done = run_once(stage, batch, &error);
        if (!done && !atomic_load(&stage->abandoned)) {
            on_failure(stage, &error);
        }
    }
    if (done) {
        on_success(stage);
        ir_metric_histogram_record(stage->options.seconds, ir_clock_monotonic() - begun);
    } else {
        batch->undone = true;
        atomic_store(&stage->dropped, true);
    }
}

static void look_idle(ir_stage_t *stage) {
    ir_error_t error = {.status = IR_OK};
    if (stage->work.idle != NULL) {
        stage->work.idle(stage->work.context);
    }
    if (stage->work.present == NULL) {
        return;
    }
    if (stage->work.present(stage->work.context, &error) == IR_OK) {
        on_success(stage);
    } else {
        on_failure(stage, &error);
    }
}

static void pass_on(ir_stage_t *stage, ir_batch_t *batch) {
    batch->stage = NULL;
    if (stage->options.next != NULL) {
        ir_stage_give(stage->options.next, batch);
    } else {
        const bool pushed = ir_ring_push(stage->options.done, batch);
        IR_INVARIANT(pushed);
    }
    wake_loop(stage);
}

static void *run(void *argument) {
    ir_stage_t *stage = argument;
    become_ready(stage);
    for (;;) {
        ir_batch_t *batch = ir_ring_wait(stage->in, IR_SECOND_NS);
        if (batch == NULL && ir_ring_closed(stage->in)) {
            break;
        }
        if (batch == NULL) {
            look_idle(stage);
            continue;
        }
        process(stage, batch);
        atomic_fetch_sub(&stage->in_hand, 1);
        pass_on(stage, batch);
    }
    return NULL;
}

ir_status_t ir_stage_start(const ir_stage_work_t *work, const ir_stage_options_t *options,
                           ir_stage_t **stage, ir_error_t *error) {
    ir_stage_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory", work->name);
    }
    made->work = *work;
    made->options = *options;
    ir_thread_init_condition(&made->lock, &made->changed);
    ir_backoff_init(&made->backoff, options->backoff_first_ns, options->backoff_longest_ns);
    made->in = ir_ring_new(options->capacity, false);
    const int failed = made->in != NULL ? ir_thread_start(&made->thread, run, made) : ENOMEM;
    if (failed != 0) {
        ir_ring_free(made->in);
        free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "%s: cannot start a thread: %s", work->name,
                            strerror(failed));
    }
    *stage = made;
    return IR_OK;
}

void ir_stage_give(ir_stage_t *stage, ir_batch_t *batch) {
    IR_INVARIANT(batch->stage == NULL);
    batch->stage = stage;
    atomic_fetch_add(&stage->in_hand, 1);
    const bool pushed = ir_ring_push(stage->in, batch);
    IR_INVARIANT(pushed);
}

bool ir_stage_started(const ir_stage_t *stage) {
    return atomic_load(&stage->started);
}

bool ir_stage_refused(ir_stage_t *stage, ir_error_t *why) {
    if (!atomic_load(&stage->refused)) {
        return false;
    }
    pthread_mutex_lock(&stage->lock);
    ir_error_set(why, IR_ERR_AUTH, "%s", stage->fault);
    pthread_mutex_unlock(&stage->lock);
    return true;
}

bool ir_stage_ready(ir_stage_t *stage, ir_buffer_t *reasons) {
    pthread_mutex_lock(&stage->lock);
    const bool ready = stage->fault[0] == '\0';
    if (!ready) {
        ir_buffer_append_format(reasons, "%s: %s\n", stage->work.name, stage->fault);
    }
    pthread_mutex_unlock(&stage->lock);
    return ready && atomic_load(&stage->started);
}

bool ir_stage_idle(const ir_stage_t *stage) {
    return atomic_load(&stage->in_hand) == 0;
}

void ir_stage_abandon(ir_stage_t *stage) {
    pthread_mutex_lock(&stage->lock);
    atomic_store(&stage->abandoned, true);
    pthread_cond_broadcast(&stage->changed);
    pthread_mutex_unlock(&stage->lock);
}

bool ir_stage_join(ir_stage_t *stage) {
    if (stage == NULL) {
        return true;
    }
    ir_ring_close(stage->in);
    pthread_join(stage->thread, NULL);
    const bool complete = !atomic_load(&stage->dropped);
    ir_ring_free(stage->in);
    pthread_cond_destroy(&stage->changed);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
    return complete;
}
