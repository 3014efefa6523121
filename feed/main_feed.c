#include "common/log.h"
#include "common/program.h"
#include "feed/check.h"
#include "feed/map.h"
#include "feed/options.h"
#include "feed/run.h"
#include "feed/subscription.h"

static ir_status_t check_subscriptions(const char *path, const ir_map_t *map, ir_error_t *error) {
    ir_error_t inner;
    for (size_t i = 0; i < map->n_positions; i++) {
        if (ir_setting_text(map->positions[i]->subscribe) != NULL &&
            ir_subscription_check(map->positions[i], &inner) != IR_OK) {
            return ir_error_set(error, inner.status, "%s: %s", path, inner.text);
        }
    }
    return IR_OK;
}

static ir_status_t check(const ir_feed_options_t *options, const ir_map_t *map, bool *good,
                         ir_error_t *error) {
    const char *path = ir_setting_text(options->registry);
    ir_registry_t *registry = NULL;
    ir_status_t status =
        path != NULL ? ir_registry_load(path, &registry, &ir_log_teller, error) : IR_OK;
    if (status == IR_OK) {
        status = ir_feed_check(map, registry, good, error);
    }
    ir_registry_unref(registry);
    return status == IR_OK ? ir_program_flush(stdout, error) : status;
}

static ir_status_t use(const ir_feed_options_t *options, const ir_map_t *map, bool *good,
                       ir_error_t *error) {
    const ir_status_t status = check_subscriptions(ir_setting_text(options->map), map, error);
    if (status != IR_OK) {
        return status;
    }
    return options->check ? check(options, map, good, error)
                          : ir_feed_run(options, map, good, error);
}

static int run(const ir_feed_options_t *options) {
    ir_log_open(ir_feed_program.name, (ir_log_level_t)options->log_level);
    ir_error_t error = {.status = IR_OK};
    ir_map_t *map = NULL;
    bool good = true;
    ir_status_t status =
        ir_setting_text(options->map) != NULL
            ? ir_map_load(options->map, &map, &ir_log_teller, &error)
            : ir_error_set(&error, IR_ERR_USAGE, "map: must name the mapping file");
    if (status == IR_OK && map != NULL) {
        status = use(options, map, &good, &error);
    }
    if (status != IR_OK) {
        ir_log(IR_LOG_ERROR, "%s", error.text);
    }
    ir_map_free(map);
    return status == IR_OK && !good ? IR_EXIT_FAILED : ir_program_exit(status);
}

int main(int argc, char **argv) {
    ir_feed_options_t options = {0};
    int first = argc;
    int code = IR_EXIT_DONE;
    if (ir_program_begin(&ir_feed_program, argc, argv, &options, &first, &code)) {
        code = run(&options);
    }
    ir_settings_free(&ir_feed_program, &options);
    return code;
}
