/* The settings of ir-ingest. */
#ifndef IR_INGEST_OPTIONS_H
#define IR_INGEST_OPTIONS_H

#include "annotation/settings.h"
#include "broker/settings.h"
#include "common/settings.h"
#include "common/status.h"
#include "ingest/proxies.h"
#include "ingest/submission.h"

#include <stdbool.h>
#include <stdint.h>

/* Filled by common/settings.h; texts are owned. Durations in ns, sizes in bytes. */
typedef struct ir_ingest_options {
    char *listen;
    char *tokens;
    ir_broker_settings_t broker;
    char *registry; /* empty: none */
    ir_analysis_settings_t analysis;
    int64_t body_bytes, expanded_bytes, request_packs;
    int64_t header_bytes, header_lines;
    int64_t header_timeout_ns, body_timeout_ns, idle_timeout_ns, write_timeout_ns;
    int64_t connections, request_memory;
    int64_t in_flight, in_flight_bytes;
    int64_t mote_messages, mote_wait_ns;
    int64_t confirm_timeout_ns, timeout_ns;
    int64_t backoff_first_ns, backoff_longest_ns;
    double rate, burst;
    int64_t retry_after_ns, drain_ns, stop_timeout_ns;
    char *trusted_proxies;
    char *cors_origins;
    char *issue_tokens;
    bool issue_missing;
    int log_level;
    bool core_dumps;
    bool check, offline;
} ir_ingest_options_t;

extern const ir_program_t ir_ingest_program;

/* Values derived from the options, for several files. The options own the texts. */
void ir_ingest_broker_options(const ir_ingest_options_t *options, ir_broker_options_t *broker);
void ir_ingest_limits(const ir_ingest_options_t *options, ir_submission_limits_t *limits);

#endif
