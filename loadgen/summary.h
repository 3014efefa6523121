/* What a run was and what came of it: summary.json and the histograms. */
#ifndef IR_LOADGEN_SUMMARY_H
#define IR_LOADGEN_SUMMARY_H

#include "common/status.h"
#include "loadgen/balance.h"
#include "loadgen/options.h"
#include "loadgen/plan.h"
#include "loadgen/result.h"
#include "loadgen/stretch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct ir_summary {
    const ir_loadgen_options_t *options;
    const ir_targets_t *targets;
    const ir_feed_counts_t *by_target;
    const ir_loadgen_formats_t *formats;
    const ir_plan_t *plan;
    uint64_t messages, observations; /* there were to send */
    const ir_stretch_t *whole;       /* of the run */
    const ir_result_t *results;      /* of its stretches */
    size_t n_results;
    bool heard;         /* somebody listened, … */
    bool sees_rejected; /* … also to ir.rejected */
    uint64_t gaps;      /* in the subscription */
    ir_balance_t balance;
    int64_t cpu_ns;
    bool interrupted;
    bool complete;
    const char *invalid; /* why the run is not valid; NULL: it is */
} ir_summary_t;

/* Everything was sent and confirmed and, when that was waited for, came back, as was meant. */
bool ir_summary_is_complete(const ir_summary_t *summary);

/* One JSON object (loadgen/README.md names the keys). `name` is for messages. */
ir_status_t ir_summary_write(const ir_summary_t *summary, FILE *out, const char *name,
                             ir_error_t *error);

/* summary.json and the histograms (values in ms) into the directory: confirm.hgrm and
 * confirm_corrected.hgrm, and latency.hgrm and latency_corrected.hgrm when somebody listened. */
ir_status_t ir_summary_save(const ir_summary_t *summary, const char *directory, ir_error_t *error);

/* DIRECTORY/NAME into `path`; IR_ERR_RANGE when it does not fit. */
#define IR_PATH_SIZE 4096
ir_status_t ir_summary_path(const char *directory, const char *name, char path[static IR_PATH_SIZE],
                            ir_error_t *error);

#endif
