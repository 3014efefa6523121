#include "loadgen/options.h"

#include "common/clock.h"
#include "loadgen/source/source_open.h"

void ir_loadgen_broker_options(const ir_loadgen_options_t *options, const char *role,
                               ir_broker_options_t *broker) {
    ir_broker_settings_options(&options->broker, role, options->timeout_ns, broker);
}

/* 0 when none is given. */
static ir_status_t parse_start(const char *text, int64_t *start_ns, ir_error_t *error) {
    *start_ns = 0;
    if (ir_setting_text(text) != NULL && !ir_clock_parse(ir_view_text(text), start_ns)) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "start: '%s' is not a time such as 2025-05-01T04:00:00Z", text);
    }
    return IR_OK;
}

ir_status_t ir_loadgen_source(const ir_loadgen_options_t *options, ir_source_t *source,
                              ir_error_t *error) {
    ir_source_options_t wanted = {
        .format = (ir_pack_format_t)options->format,
        .messages = (uint64_t)options->messages,
        .pace = options->pace,
        .replay = options->replay,
        .repeat = options->repeat,
        .single_records = options->single_records,
        .simulate = (unsigned)options->simulate,
        .seed = (uint64_t)options->seed,
        .records = (unsigned)options->records,
        .interval_ns = options->interval_ns,
        .faults = options->faults,
        .timings = options->timings,
    };
    ir_plan_t plan;
    ir_status_t status = ir_loadgen_plan(options, &plan, error);
    if (status == IR_OK) {
        wanted.likely = ir_plan_observations(&plan) / (double)options->records;
        status = parse_start(options->start, &wanted.start_ns, error);
    }
    return status == IR_OK ? ir_source_open(&wanted, source, error) : status;
}

/* Settings of one thread. */
static unsigned connections_of(const ir_loadgen_options_t *options) {
    const int64_t threads = options->threads;
    const int64_t connections = options->connections;
    return connections > 0 ? (unsigned)((connections + threads - 1) / threads) : 0;
}

ir_status_t ir_loadgen_targets(const ir_loadgen_options_t *options, const ir_mote_tokens_t *tokens,
                               ir_targets_t *targets, ir_error_t *error) {
    ir_target_options_t shared = {
        .ca = ir_setting_text(options->send.ca),
        .mqtt_password = ir_setting_text(options->send.mqtt_password),
        .tokens = tokens,
        .connections = connections_of(options),
        .packs = (unsigned)options->send.request_packs,
        .timeout_ns = options->timeout_ns,
    };
    ir_loadgen_broker_options(options, "ir-loadgen sender", &shared.broker);
    return ir_targets_parse(ir_setting_text(options->target), &shared, targets, error);
}

ir_status_t ir_loadgen_plan(const ir_loadgen_options_t *options, ir_plan_t *plan,
                            ir_error_t *error) {
    const ir_plan_options_t wanted = {
        .pattern = {.rate = options->rate,
                    .pace = options->pace,
                    .arrivals = (ir_arrivals_t)options->arrivals,
                    .seed = (uint64_t)options->seed},
        .duration_ns = options->duration_ns,
        .steps = ir_setting_text(options->rate_steps),
        .search = options->find_max,
        .warm_up_ns = options->warm_up_ns,
        .trial_ns = options->trial_ns,
        .p99_bound_ms = (double)options->p99_bound_ns / (double)IR_MILLISECOND_NS,
    };
    return ir_plan_init(plan, &wanted, error);
}

ir_status_t ir_loadgen_formats(const ir_loadgen_options_t *options, ir_loadgen_formats_t *formats,
                               ir_error_t *error) {
    const ir_format_t *named[IR_FORMATS_MAX];
    size_t count = 0;
    const ir_status_t status = ir_formats_parse(options->formats, named, &count, error);
    if (status != IR_OK) {
        return status;
    }
    *formats = (ir_loadgen_formats_t){.any = count == 0};
    const ir_format_t *const *wanted = count > 0 ? named : ir_formats(&count);
    for (size_t i = 0; i < count; i++) {
        formats->names[formats->count++] = wanted[i]->name;
    }
    return IR_OK;
}
