/* What a run was and what came of it: summary.json and the histograms. */
#ifndef IR_LOADGEN_SUMMARY_H
#define IR_LOADGEN_SUMMARY_H

#include "common/status.h"
#include "loadgen/feed.h"
#include "loadgen/options.h"
#include "loadgen/receipts.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct ir_summary {
    const ir_loadgen_options_t *options;
    uint64_t messages, observations; /* there were to send */
    ir_feed_counts_t sent;
    const ir_loadgen_formats_t *formats;
    ir_receipts_t *receipts; /* NULL: nobody listened */
    ir_receipts_counts_t back;
    uint64_t gaps; /* in the subscription */
    int64_t cpu_ns;
    bool interrupted;
    bool complete;
} ir_summary_t;

/* Everything was confirmed and, when that was waited for, came back. */
bool ir_summary_is_complete(const ir_summary_t *summary);

/* One JSON object (loadgen/README.md names the keys). `name` is for messages. */
ir_status_t ir_summary_write(const ir_summary_t *summary, FILE *out, const char *name,
                             ir_error_t *error);

/* summary.json and, when somebody listened, latency.hgrm and latency_corrected.hgrm (values in ms)
 * into the directory. */
ir_status_t ir_summary_save(const ir_summary_t *summary, const char *directory, ir_error_t *error);

/* DIRECTORY/NAME into `path`; IR_ERR_RANGE when it does not fit. */
#define IR_PATH_SIZE 4096
ir_status_t ir_summary_path(const char *directory, const char *name, char path[static IR_PATH_SIZE],
                            ir_error_t *error);

#endif
