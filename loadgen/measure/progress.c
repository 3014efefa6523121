#include "loadgen/measure/progress.h"

#include "common/clock.h"

#include <string.h>

#define REDRAW_NS (250 * IR_MILLISECOND_NS)
#define LINE_NS (5 * IR_SECOND_NS)
#define RATED_NS IR_SECOND_NS
#define SMOOTHING 0.4
#define BAR_SIZE 24
#define TIME_SIZE 16

void ir_progress_init(ir_progress_t *progress, FILE *out, bool terminal, int64_t now_ns) {
    *progress = (ir_progress_t){.out = out,
                                .terminal = terminal,
                                .start_ns = now_ns,
                                .last_shown_ns = now_ns,
                                .last_rated_ns = now_ns};
}

/* ---- the data to show ---- */

static double smooth(double before, double now) {
    return before > 0 ? before + SMOOTHING * (now - before) : now;
}

static void rate(ir_progress_t *progress, const ir_progress_state_t *state) {
    const double seconds = (double)(state->now_ns - progress->last_rated_ns) / (double)IR_SECOND_NS;
    if (seconds <= 0 ||
        (state->now_ns - progress->last_rated_ns < RATED_NS && progress->sent_rate > 0)) {
        return;
    }
    progress->sent_rate =
        smooth(progress->sent_rate, (double)(state->sent - progress->last_sent) / seconds);
    progress->done_rate =
        smooth(progress->done_rate, (double)(state->done - progress->last_done) / seconds);
    progress->last_sent = state->sent;
    progress->last_done = state->done;
    progress->last_rated_ns = state->now_ns;
}

/* Returns the completed share of the run, from 0 to 1, or a negative number if it is unknown. */
static double share_done(const ir_progress_t *progress, const ir_progress_state_t *state) {
    const double passed = (double)(state->now_ns - progress->start_ns);
    double share = -1;
    if (state->length_ns > 0) {
        share = passed / (double)state->length_ns;
    } else if (state->to_send > 0) {
        share = (double)state->messages / (double)state->to_send;
    }
    return share > 1 ? 1 : share;
}

/* Seconds; below 0: unknown. */
static double time_left(const ir_progress_t *progress, const ir_progress_state_t *state) {
    const double share = share_done(progress, state);
    const double passed = (double)(state->now_ns - progress->start_ns) / (double)IR_SECOND_NS;
    return share > 0 ? passed / share - passed : -1;
}

static void format_time(double seconds, char text[static TIME_SIZE]) {
    if (seconds < 0 || seconds >= 360000) {
        snprintf(text, TIME_SIZE, "--:--");
        return;
    }
    const unsigned whole = (unsigned)(seconds + 0.5);
    if (whole < 3600) {
        snprintf(text, TIME_SIZE, "%02u:%02u", whole / 60, whole % 60);
    } else {
        snprintf(text, TIME_SIZE, "%u:%02u:%02u", whole / 3600, whole / 60 % 60, whole % 60);
    }
}

static void draw_bar(double share, char bar[static BAR_SIZE + 1]) {
    const size_t filled = share > 0 ? (size_t)(share * BAR_SIZE) : 0;
    memset(bar, '#', filled);
    memset(bar + filled, '.', BAR_SIZE - filled);
    bar[BAR_SIZE] = '\0';
}

/* ---- one plain line ---- */

static void write_line(const ir_progress_t *progress, const ir_progress_state_t *state) {
    char left[TIME_SIZE];
    char p50[IR_MS_SIZE];
    char p99[IR_MS_SIZE];
    const ir_quantiles_t *shown = state->heard ? state->back : state->confirms;
    format_time(time_left(progress, state), left);
    fprintf(progress->out, "sent %llu observations", (unsigned long long)state->sent);
    if (state->sending) {
        fprintf(progress->out, ", %.0f/s", progress->sent_rate);
    }
    if (state->sending && state->asked > 0) {
        fprintf(progress->out, " of %.0f/s", state->asked);
    }
    fprintf(progress->out, "  %s %.0f/s  backlog %.0f  p50 %s ms  p99 %s ms  errors %llu  left %s",
            state->heard ? "back" : "confirmed", progress->done_rate, state->backlog,
            ir_quantiles_text(shown, shown->p50, p50), ir_quantiles_text(shown, shown->p99, p99),
            (unsigned long long)state->failures, left);
    fprintf(progress->out, state->note != NULL ? "  (%s)\n" : "%s\n",
            state->note != NULL ? state->note : "");
}

/* ---- the view ---- */

static void end_line(ir_progress_t *progress) {
    fputs("\033[K\n", progress->out);
    progress->lines++;
}

static void write_head(ir_progress_t *progress, const ir_progress_state_t *state) {
    char bar[BAR_SIZE + 1];
    char passed[TIME_SIZE];
    char left[TIME_SIZE];
    const double share = share_done(progress, state);
    draw_bar(share, bar);
    format_time((double)(state->now_ns - progress->start_ns) / (double)IR_SECOND_NS, passed);
    format_time(time_left(progress, state), left);
    fprintf(progress->out, "[%s] ", bar);
    if (share >= 0) {
        fprintf(progress->out, "%3d %%  ", (int)(share * 100));
    }
    fprintf(progress->out, "%s passed, %s left", passed, left);
    if (state->note != NULL) {
        fprintf(progress->out, "  %s", state->note);
    }
    end_line(progress);
}

static void write_rates(ir_progress_t *progress, const ir_progress_state_t *state) {
    if (state->sending) {
        fprintf(progress->out, "  sent %.0f/s", progress->sent_rate);
    } else {
        fputs("  all sent", progress->out);
    }
    if (state->sending && state->asked > 0) {
        fprintf(progress->out, " of %.0f/s asked", state->asked);
    }
    fprintf(progress->out, ", %s %.0f/s, %llu observations in all",
            state->heard ? "back" : "confirmed", progress->done_rate,
            (unsigned long long)state->sent);
    end_line(progress);
    fprintf(progress->out, "  backlog %.0f observations, errors %llu, refused %llu messages",
            state->backlog, (unsigned long long)state->failures,
            (unsigned long long)state->refused);
    end_line(progress);
}

static void write_quantiles(ir_progress_t *progress, const char *name,
                            const ir_quantiles_t *quantiles) {
    char p50[IR_MS_SIZE];
    char p99[IR_MS_SIZE];
    char max[IR_MS_SIZE];
    fprintf(progress->out, "  %-11s p50 %s  p99 %s  max %s ms", name,
            ir_quantiles_text(quantiles, quantiles->p50, p50),
            ir_quantiles_text(quantiles, quantiles->p99, p99),
            ir_quantiles_text(quantiles, quantiles->max, max));
    end_line(progress);
}

static void write_targets(ir_progress_t *progress, const ir_progress_state_t *state) {
    for (unsigned i = 0; i < state->targets->count; i++) {
        const ir_producer_counts_t *counts = &state->by_target[i];
        fprintf(progress->out, "  %.60s  sent %llu, confirmed %llu messages, errors %llu",
                state->targets->all[i].label, (unsigned long long)counts->messages_sent,
                (unsigned long long)counts->messages_confirmed,
                (unsigned long long)counts->failures);
        end_line(progress);
    }
}

static void write_view(ir_progress_t *progress, const ir_progress_state_t *state) {
    if (progress->lines > 0) {
        fprintf(progress->out, "\033[%uA\r", progress->lines);
        progress->lines = 0;
    }
    write_head(progress, state);
    write_rates(progress, state);
    write_quantiles(progress, "confirmed", state->confirms);
    if (state->heard) {
        write_quantiles(progress, "republished", state->back);
    }
    write_targets(progress, state);
}

void ir_progress_show(ir_progress_t *progress, const ir_progress_state_t *state) {
    if (state->now_ns - progress->last_shown_ns < (progress->terminal ? REDRAW_NS : LINE_NS)) {
        return;
    }
    rate(progress, state);
    if (progress->terminal) {
        write_view(progress, state);
    } else {
        write_line(progress, state);
    }
    fflush(progress->out);
    progress->last_shown_ns = state->now_ns;
}

void ir_progress_clear(ir_progress_t *progress) {
    if (progress->lines > 0) {
        fprintf(progress->out, "\033[%uA\r\033[J", progress->lines);
        fflush(progress->out);
        progress->lines = 0;
    }
}
