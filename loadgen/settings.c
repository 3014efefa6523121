#include "loadgen/settings.h"

#include "loadgen/modes.h"
#include "loadgen/options.h"
#include "loadgen/produce/producer.h"
#include "loadgen/source/simulation.h"

#include <stddef.h>

#define IR_OPTIONS ir_loadgen_options_t
static const ir_setting_t settings[] = {IR_LOADGEN_SETTINGS(IR_SETTING_ROW, IR_SETTING_ROWS)};

static ir_status_t check(const void *given, ir_error_t *error) {
    const ir_loadgen_options_t *options = given;
    ir_loadgen_formats_t formats;
    ir_plan_t plan;
    ir_targets_t targets;
    if (ir_setting_text(options->replay) == NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "replay: name the file to send");
    }
    if (options->dump && options->format != IR_PACK_JSON) {
        return ir_error_set(error, IR_ERR_USAGE, "dump: CBOR has no lines; use --format json");
    }
    if (options->timings.relative + options->timings.clockless > 1) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "relative-share and clockless-share add up to more than 1");
    }
    if (ir_setting_text(options->write_registry) != NULL && options->simulate == 0) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "write-registry: needs --simulate N; the registry of the replay is "
                            "loadgen/usgs_river.ttl");
    }
    ir_status_t status = ir_broker_settings_check(&options->broker, error);
    if (status == IR_OK) {
        status = ir_loadgen_formats(options, &formats, error);
    }
    if (status == IR_OK) {
        status = ir_loadgen_plan(options, &plan, error);
    }
    if (status == IR_OK) {
        status = ir_loadgen_targets(options, NULL, &targets, error);
    }
    if (status == IR_OK) {
        ir_targets_free(&targets);
    }
    return status;
}

const ir_program_t ir_loadgen_program = {
    .name = "ir-loadgen",
    .purpose = "Sends observations as motes would, and measures how long they take until they are "
               "published.",
    .usage = "",
    .notes = "Examples:\n"
             "  ir-loadgen --amqp amqp://HOST --out DIR --rate 2000 --duration 60s\n"
             "  ir-loadgen --target http://GATEWAY:8080 --mote-tokens FILE --amqp amqp://HOST "
             "--rate-steps 1000:5000:1000:30 --out DIR\n"
             "  ir-loadgen --target mqtt://user@HOST --amqp amqp://HOST --find-max --p99-bound "
             "500ms\n"
             "  ir-loadgen --target null: --threads 2 --rate 400000 --duration 10s\n"
             "Signals: on SIGINT, SIGTERM and SIGHUP it stops sending, waits for the confirms, "
             "writes ledger and summary, and exits; after a second signal it does not wait.\n"
             "Exit status: 0 the run is complete (whole duration, rate kept, all messages "
             "confirmed and, unless --no-wait or --no-subscribe, back) and its figures are valid; "
             "2 wrong usage or settings; 1 anything else.\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
    .check = check,
    .applies = ir_modes_check,
};
