#include "common/culprits.h"

#include "common/clock.h"
#include "common/legible.h"
#include "common/log.h"

#include <string.h>

#define LOG_EVERY_NS (10 * IR_SECOND_NS)

void ir_culprits_open(ir_culprits_t *culprits, ir_metrics_t *metrics, const char *name,
                      const char *help) {
    *culprits = (ir_culprits_t){.recent = 0};
    for (size_t i = 0; i < IR_CULPRITS_MOST; i++) {
        culprits->places[i].metric = ir_metrics_add(metrics, IR_METRIC_GAUGE, name, NULL, help);
        ir_metric_label(culprits->places[i].metric, "mote", NULL);
    }
}

static ir_culprit_t *find(ir_culprits_t *culprits, const char *name) {
    ir_culprit_t *least = &culprits->places[0];
    for (size_t i = 0; i < IR_CULPRITS_MOST; i++) {
        ir_culprit_t *place = &culprits->places[i];
        if (place->count > 0 && strcmp(place->name, name) == 0) {
            return place;
        }
        least = place->count < least->count ? place : least;
    }
    strcpy(least->name, name);
    least->recent = 0;
    ir_metric_label(least->metric, "mote", name);
    return least;
}

static void tell(ir_culprits_t *culprits, const char *why) {
    const int64_t now_ns = ir_clock_monotonic();
    if (culprits->logged_ns != 0 && now_ns - culprits->logged_ns < LOG_EVERY_NS) {
        return;
    }
    const ir_culprit_t *most = &culprits->places[0];
    for (size_t i = 1; i < IR_CULPRITS_MOST; i++) {
        most = culprits->places[i].recent > most->recent ? &culprits->places[i] : most;
    }
    ir_log(IR_LOG_WARN,
           "refused since the last report: %llu, of these %llu of mote %s; the latest: %s",
           (unsigned long long)culprits->recent, (unsigned long long)most->recent, most->name, why);
    culprits->logged_ns = now_ns;
    culprits->recent = 0;
    for (size_t i = 0; i < IR_CULPRITS_MOST; i++) {
        culprits->places[i].recent = 0;
    }
}

void ir_culprits_count(ir_culprits_t *culprits, ir_view_t mote, uint64_t count) {
    char name[IR_CULPRIT_SIZE];
    ir_legible_line(name, sizeof name, mote);
    ir_culprit_t *culprit = find(culprits, name);
    culprit->count += count;
    culprit->recent += count;
    culprits->recent += count;
    ir_metric_set(culprit->metric, (int64_t)culprit->count);
}

void ir_culprits_add(ir_culprits_t *culprits, ir_view_t mote, uint64_t count, const char *why) {
    ir_culprits_count(culprits, mote, count);
    tell(culprits, why);
}
