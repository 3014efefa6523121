/* Translates the settings of ir-loadgen (loadgen/settings.h) into the options of its parts. */
#ifndef IR_LOADGEN_OPTIONS_H
#define IR_LOADGEN_OPTIONS_H

#include "annotation/formats/format.h"
#include "broker/settings.h"
#include "common/settings.h"
#include "common/status.h"
#include "loadgen/plan.h"
#include "loadgen/source/source.h"
#include "loadgen/track/tracker.h"
#include "send/settings.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

/* Filled by common/settings.h; texts are owned. Durations in ns. */
typedef struct ir_loadgen_options {
    char *replay;
    int64_t repeat;
    int64_t messages;
    bool single_records;
    int64_t simulate, seed, records, interval_ns;
    char *start;
    ir_faults_t faults;
    ir_timings_t timings;
    char *write_registry, *write_motes;
    int format; /* ir_pack_format_t */
    double rate, pace;
    int arrivals; /* ir_arrivals_t */
    int64_t duration_ns;
    char *rate_steps;
    bool find_max;
    int64_t p99_bound_ns, trial_ns, warm_up_ns, late_bound_ns;
    char *target;
    int64_t threads, connections, window;
    ir_send_settings_t send;
    bool dump;
    bool subscribe, no_subscribe; /* the second one takes precedence */
    char *formats;
    int64_t outstanding;
    bool no_wait;
    int64_t drain_timeout_ns;
    int64_t retry_for_ns;
    char *out;
    bool json, no_ledger;
    int64_t series_interval_ns;
    ir_broker_settings_t broker;
    int64_t timeout_ns;
    int log_level;
    bool core_dumps;
} ir_loadgen_options_t;

/* Derives the options of one part. The options own the texts. */
void ir_loadgen_broker_options(const ir_loadgen_options_t *options, const char *role,
                               ir_broker_options_t *broker);
ir_status_t ir_loadgen_source(const ir_loadgen_options_t *options, ir_source_t *source,
                              ir_error_t *error);

/* `tokens` may be NULL. The tokens and the options must outlive the targets. */
ir_status_t ir_loadgen_targets(const ir_loadgen_options_t *options, const ir_mote_tokens_t *tokens,
                               ir_targets_t *targets, ir_error_t *error);
ir_status_t ir_loadgen_plan(const ir_loadgen_options_t *options, ir_plan_t *plan,
                            ir_error_t *error);

typedef struct ir_loadgen_formats {
    const char *names[IR_FORMATS_MAX]; /* constants */
    unsigned count;
    bool any; /* no format was named: subscribes to all, and the first to arrive counts */
} ir_loadgen_formats_t;

ir_status_t ir_loadgen_formats(const ir_loadgen_options_t *options, ir_loadgen_formats_t *formats,
                               ir_error_t *error);

static inline bool ir_loadgen_subscribes(const ir_loadgen_options_t *options) {
    return options->subscribe && !options->no_subscribe;
}

/* The run writes files and sends nothing. */
static inline bool ir_loadgen_writes(const ir_loadgen_options_t *options) {
    return ir_setting_text(options->write_registry) != NULL ||
           ir_setting_text(options->write_motes) != NULL;
}

#endif
