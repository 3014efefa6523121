/* Progress for people on standard error: a bar on a terminal, a plain line every few seconds
 * otherwise. One thread. */
#ifndef IR_LOADGEN_PROGRESS_H
#define IR_LOADGEN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct ir_progress {
    FILE *out;
    bool terminal;
    bool shown; /* a bar stands on the terminal's line */
    uint64_t messages, observations;
    int64_t last_shown_ns, last_rated_ns;
    double last_done, rate; /* observations; observations/s, smoothed */
} ir_progress_t;

typedef struct ir_progress_state {
    uint64_t messages_sent, observations_sent;
    uint64_t messages_done; /* republished, or confirmed when nobody listens */
    int64_t now_ns;         /* monotonic */
} ir_progress_state_t;

/* `messages` and `observations` are what there is to send. */
void ir_progress_init(ir_progress_t *progress, FILE *out, bool terminal, uint64_t messages,
                      uint64_t observations, int64_t now_ns);

/* Shows where things are, unless it was shown just now. */
void ir_progress_show(ir_progress_t *progress, const ir_progress_state_t *state);

/* Ends the bar's line, so that others can write. */
void ir_progress_clear(ir_progress_t *progress);

#endif
