/* Writes summary.json, which describes a run and its results, and the histograms. */
#ifndef IR_LOADGEN_SUMMARY_H
#define IR_LOADGEN_SUMMARY_H

#include "common/status.h"
#include "loadgen/conclusion.h"
#include "loadgen/folder.h"
#include "loadgen/measure/measurement.h"
#include "loadgen/measure/result.h"
#include "loadgen/options.h"
#include "loadgen/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct ir_summary {
    const ir_loadgen_options_t *options;
    const ir_targets_t *targets;
    const ir_producer_counts_t *by_target;
    const ir_loadgen_formats_t *formats;
    const ir_plan_t *plan;
    uint64_t messages, observations; /* number to send, or number due in the duration */
    const ir_measurement_t *whole;   /* measurement of the whole run */
    const ir_result_t *results;      /* results of its phases */
    size_t n_results;
    bool heard;         /* the run subscribed to published messages, … */
    bool sees_rejected; /* … also to ir.rejected */
    uint64_t gaps;      /* number of gaps in the subscription */
    ir_conclusion_t conclusion;
    int64_t cpu_ns;
    bool interrupted;
} ir_summary_t;

/* Writes one JSON object (loadgen/README.md lists the keys). `name` is for error messages. */
ir_status_t ir_summary_write(const ir_summary_t *summary, FILE *out, const char *name,
                             ir_error_t *error);

/* Writes the histograms (in ms) to the folder: confirm.hgrm and confirm_corrected.hgrm and, if the
 * run subscribed, latency.hgrm and latency_corrected.hgrm. Then writes summary.json. */
ir_status_t ir_summary_save(const ir_summary_t *summary, const ir_folder_t *folder,
                            ir_error_t *error);

#endif
