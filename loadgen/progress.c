#include "loadgen/progress.h"

#include "common/clock.h"

#include <string.h>

#define REDRAW_NS (200 * IR_MILLISECOND_NS)
#define LINE_NS (5 * IR_SECOND_NS)
#define RATED_NS IR_SECOND_NS
#define SMOOTHING 0.4
#define BAR_SIZE 24
#define ETA_SIZE 16

void ir_progress_init(ir_progress_t *progress, FILE *out, bool terminal, uint64_t messages,
                      uint64_t observations, int64_t now_ns) {
    *progress = (ir_progress_t){.out = out,
                                .terminal = terminal,
                                .messages = messages,
                                .observations = observations,
                                .last_shown_ns = now_ns,
                                .last_rated_ns = now_ns};
}

/* What is done is known in messages; their mean size makes observations of it. */
static double observations_done(const ir_progress_t *progress, const ir_progress_state_t *state) {
    return progress->messages > 0 ? (double)state->messages_done * (double)progress->observations /
                                        (double)progress->messages
                                  : 0;
}

static void rate(ir_progress_t *progress, const ir_progress_state_t *state) {
    const int64_t passed_ns = state->now_ns - progress->last_rated_ns;
    if (passed_ns < RATED_NS && progress->rate > 0) {
        return;
    }
    const double done = observations_done(progress, state);
    const double now_rate =
        passed_ns > 0 ? (done - progress->last_done) * 1e9 / (double)passed_ns : 0;
    progress->rate =
        progress->rate > 0 ? progress->rate + SMOOTHING * (now_rate - progress->rate) : now_rate;
    progress->last_done = done;
    progress->last_rated_ns = state->now_ns;
}

static void format_eta(const ir_progress_t *progress, const ir_progress_state_t *state,
                       char text[static ETA_SIZE]) {
    const double left = (double)progress->observations - observations_done(progress, state);
    const double seconds = progress->rate > 0 ? left / progress->rate : -1;
    if (seconds < 0 || seconds >= 360000) {
        snprintf(text, ETA_SIZE, "--:--");
        return;
    }
    const unsigned whole = (unsigned)(seconds + 0.5);
    if (whole < 3600) {
        snprintf(text, ETA_SIZE, "%02u:%02u", whole / 60, whole % 60);
    } else {
        snprintf(text, ETA_SIZE, "%u:%02u:%02u", whole / 3600, whole / 60 % 60, whole % 60);
    }
}

static void draw_bar(double share, char bar[static BAR_SIZE + 1]) {
    const size_t filled = (size_t)(share * BAR_SIZE);
    memset(bar, '#', filled);
    memset(bar + filled, '.', BAR_SIZE - filled);
    bar[BAR_SIZE] = '\0';
}

static void write_state(ir_progress_t *progress, const ir_progress_state_t *state) {
    const double share = progress->messages > 0 && state->messages_done < progress->messages
                             ? (double)state->messages_done / (double)progress->messages
                             : 1;
    const uint64_t backlog = state->messages_sent > state->messages_done
                                 ? state->messages_sent - state->messages_done
                                 : 0;
    char bar[BAR_SIZE + 1];
    char eta[ETA_SIZE];
    draw_bar(share, bar);
    format_eta(progress, state, eta);
    fprintf(progress->out,
            "%s[%s] %3d %%  sent %llu of %llu observations  %.0f/s  backlog %llu messages  ETA "
            "%s%s",
            progress->terminal ? "\r" : "", bar, (int)(share * 100),
            (unsigned long long)state->observations_sent,
            (unsigned long long)progress->observations, progress->rate, (unsigned long long)backlog,
            eta, progress->terminal ? "\033[K" : "\n");
    fflush(progress->out);
}

void ir_progress_show(ir_progress_t *progress, const ir_progress_state_t *state) {
    if (state->now_ns - progress->last_shown_ns < (progress->terminal ? REDRAW_NS : LINE_NS)) {
        return;
    }
    rate(progress, state);
    write_state(progress, state);
    progress->last_shown_ns = state->now_ns;
    progress->shown = progress->terminal;
}

void ir_progress_clear(ir_progress_t *progress) {
    if (progress->shown) {
        fputs("\r\033[K", progress->out);
        fflush(progress->out);
        progress->shown = false;
    }
}
