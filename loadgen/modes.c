#include "loadgen/modes.h"

#include "loadgen/options.h"

#include <string.h>

/* ---- modes ---- */

static bool sends(const ir_loadgen_options_t *options) {
    return !options->dump && !ir_loadgen_writes(options);
}

static bool replays(const ir_loadgen_options_t *options) {
    return options->simulate == 0;
}

static bool simulates(const ir_loadgen_options_t *options) {
    return options->simulate > 0;
}

static bool searches(const ir_loadgen_options_t *options) {
    return sends(options) && options->find_max;
}

static bool has_rate(const ir_loadgen_options_t *options) {
    return sends(options) &&
           (options->rate > 0 || options->find_max || ir_setting_text(options->rate_steps) != NULL);
}

static bool is_arriving(const ir_loadgen_options_t *options) {
    return options->timings.relative + options->timings.clockless > 0;
}

static bool repeats_bodies(const ir_loadgen_options_t *options) {
    return simulates(options) && options->timings.clockless > 0;
}

static bool has_chance(const ir_loadgen_options_t *options) {
    return simulates(options) || is_arriving(options) ||
           (has_rate(options) && options->arrivals == IR_ARRIVALS_POISSON);
}

/* ---- targets ---- */

typedef bool (*has_fn)(const ir_target_t *target);

static bool is_http(const ir_target_t *target) {
    return strncmp(target->uri, "http", 4) == 0;
}

static bool is_by_network(const ir_target_t *target) {
    return strncmp(target->uri, "null:", 5) != 0;
}

static bool is_by_tls(const ir_target_t *target) {
    const char *end = strstr(target->uri, "://");
    return end != NULL && end > target->uri && end[-1] == 's';
}

static bool any_target(const ir_loadgen_options_t *options, has_fn has) {
    ir_targets_t targets;
    bool any = false;
    if (!sends(options) || ir_loadgen_targets(options, NULL, &targets, NULL) != IR_OK) {
        return false;
    }
    for (unsigned i = 0; i < targets.count; i++) {
        any = any || has(&targets.all[i]);
    }
    ir_targets_free(&targets);
    return any;
}

static bool posts(const ir_loadgen_options_t *options) {
    return any_target(options, is_http);
}

static bool connects(const ir_loadgen_options_t *options) {
    return any_target(options, is_by_network);
}

static bool encrypts(const ir_loadgen_options_t *options) {
    return any_target(options, is_by_tls);
}

static bool listens(const ir_loadgen_options_t *options) {
    return ir_loadgen_subscribes(options) && connects(options);
}

static bool drains(const ir_loadgen_options_t *options) {
    return listens(options) || searches(options);
}

/* ---- settings and their modes ---- */

typedef struct ir_mode {
    bool (*is)(const ir_loadgen_options_t *options);
    const char *text;
} ir_mode_t;

static const ir_mode_t sending = {sends,
                                  "when sending (not with dump, write-registry or write-motes)"};
static const ir_mode_t replay = {replays, "with a replay (not simulate)"};
static const ir_mode_t simulation = {simulates, "with simulate"};
static const ir_mode_t search = {searches, "with find-max"};
static const ir_mode_t rate = {has_rate, "with rate, rate-steps or find-max"};
static const ir_mode_t arriving = {is_arriving, "with relative-share or clockless-share"};
static const ir_mode_t bodies = {repeats_bodies, "with simulate and clockless-share"};
static const ir_mode_t chance = {
    has_chance, "with simulate, relative-share, clockless-share or arrivals=poisson"};
static const ir_mode_t http = {posts, "with an HTTP target"};
static const ir_mode_t network = {connects, "with a target other than null:"};
static const ir_mode_t tls = {encrypts, "with a TLS target"};
static const ir_mode_t listening = {listens, "with a subscription (subscribe, and a target other "
                                             "than null:)"};
static const ir_mode_t draining = {drains, "with a subscription or find-max"};

/* Settings that are not listed apply in every mode. So do late-bound and the settings that only
 * reduce work (no-subscribe, no-wait, no-ledger). */
static const struct {
    const char *setting;
    const ir_mode_t *mode;
} rules[] = {
    {"repeat", &replay},
    {"single-records", &replay},
    {"seed", &chance},
    {"records", &simulation},
    {"interval", &simulation},
    {"start", &simulation},
    {"fault-duplicates", &simulation},
    {"fault-late", &simulation},
    {"fault-malformed", &simulation},
    {"fault-unknown", &simulation},
    {"fault-skew", &simulation},
    {"fault-bursts", &simulation},
    {"named-share", &arriving},
    {"repeated-share", &bodies},
    {"rate", &sending},
    {"arrivals", &rate},
    {"pace", &sending},
    {"duration", &sending},
    {"rate-steps", &sending},
    {"find-max", &sending},
    {"p99-bound", &rate},
    {"trial", &search},
    {"warm-up", &search},
    {"target", &sending},
    {"threads", &sending},
    {"connections", &network},
    {"request-packs", &http},
    {"ca", &tls},
    {"mote-tokens", &http},
    {"window", &sending},
    {"formats", &listening},
    {"outstanding", &listening},
    {"drain-timeout", &draining},
    {"retry-for", &network},
    {"timeout", &network},
    {"out", &sending},
    {"json", &sending},
    {"series-interval", &sending},
};

ir_status_t ir_modes_check(const void *options, const char *setting, ir_error_t *error) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].setting, setting) == 0 && !rules[i].mode->is(options)) {
            return ir_error_set(error, IR_ERR_USAGE, "%s: has no effect here; it applies only %s",
                                setting, rules[i].mode->text);
        }
    }
    return IR_OK;
}
