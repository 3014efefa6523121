#include "store/command/selection.h"

#include "common/clock.h"

static ir_status_t read_time(const char *name, const char *text, int64_t *time_ns,
                             ir_error_t *error) {
    if (ir_setting_text(text) == NULL) {
        *time_ns = 0;
        return IR_OK;
    }
    return ir_clock_parse(ir_view_text(text), time_ns)
               ? IR_OK
               : ir_error_set(error, IR_ERR_USAGE,
                              "%s: '%s' is not a time such as 2026-01-31T12:00:00Z", name, text);
}

static ir_status_t check_reason(const char *reason, ir_error_t *error) {
    for (int i = 1; i < IR_REASON_COUNT && reason != NULL; i++) {
        if (ir_view_equal(ir_view_text(reason), ir_view_text(ir_reason_text((ir_reason_t)i)))) {
            return IR_OK;
        }
    }
    return reason == NULL
               ? IR_OK
               : ir_error_set(error, IR_ERR_USAGE,
                              "reason: unknown reason '%s'; docs/reference/formats.md lists them",
                              reason);
}

ir_status_t ir_store_selection(const ir_store_options_t *options, ir_raw_selection_t *selection,
                               ir_error_t *error) {
    *selection = (ir_raw_selection_t){.mote = ir_setting_text(options->mote),
                                      .reason = ir_setting_text(options->reason)};
    ir_status_t status = read_time("since", options->since, &selection->since_ns, error);
    if (status == IR_OK) {
        status = read_time("until", options->until, &selection->until_ns, error);
    }
    return status == IR_OK ? check_reason(selection->reason, error) : status;
}

ir_status_t ir_store_observations(const ir_store_options_t *options, ir_id_t *id,
                                  ir_observation_selection_t *selection, ir_error_t *error) {
    const char *after = ir_setting_text(options->after);
    *selection = ir_observations_all;
    selection->mote = ir_setting_text(options->mote);
    selection->property = ir_setting_text(options->property);
    if (after != NULL && !ir_id_parse(ir_view_text(after), id)) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "after: '%s' is not an observation id; each line of an export has one",
                            after);
    }
    selection->after = after != NULL ? id : NULL;
    int64_t until_ns = 0;
    ir_status_t status = IR_OK;
    if (ir_setting_text(options->since) != NULL) {
        status = read_time("since", options->since, &selection->from_ns, error);
    }
    if (status == IR_OK && ir_setting_text(options->until) != NULL) {
        status = read_time("until", options->until, &until_ns, error);
        selection->to_ns = until_ns - 1;
    }
    return status;
}

bool ir_store_selects(const ir_store_options_t *options) {
    return ir_setting_text(options->mote) != NULL || ir_setting_text(options->reason) != NULL ||
           ir_setting_text(options->since) != NULL || ir_setting_text(options->until) != NULL;
}

bool ir_selection_has(const ir_raw_selection_t *selection, ir_view_t mote, int64_t arrival_ns) {
    return (selection->mote == NULL || ir_view_equal(mote, ir_view_text(selection->mote))) &&
           (selection->since_ns == 0 || arrival_ns >= selection->since_ns) &&
           (selection->until_ns == 0 || arrival_ns < selection->until_ns);
}
