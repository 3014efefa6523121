#include "loadgen/measure/timeline.h"

#include "common/clock.h"
#include "loadgen/measure/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ir_timeline {
    FILE *file;
    char *path;
};

static const char header[] =
    "seconds,asked,intended,sent,confirmed,refused,republished,messages_sent,messages_confirmed,"
    "messages_refused,messages_republished,messages_rejected,backlog,confirm_p50_ms,"
    "confirm_p99_ms,confirm_max_ms,republished_p50_ms,republished_p99_ms,republished_max_ms,"
    "late_p99_ms,late_max_ms,errors\n";

ir_status_t ir_timeline_create(const char *path, ir_timeline_t **timeline, ir_error_t *error) {
    ir_timeline_t *made = calloc(1, sizeof *made);
    if (made == NULL || (made->path = strdup(path)) == NULL) {
        free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for %s", path);
    }
    made->file = fopen(path, "we");
    if (made->file == NULL) {
        const int code = errno;
        (void)ir_timeline_close(made, NULL);
        return ir_error_set(error, IR_ERR_IO, "cannot create %s: %s", path, strerror(code));
    }
    fputs(header, made->file);
    *timeline = made;
    return IR_OK;
}

static void write_counts(FILE *file, const ir_measurement_t *measurement) {
    const ir_producer_counts_t *from = &measurement->begin.sent;
    const ir_producer_counts_t *to = &measurement->end.sent;
    const ir_tracker_counts_t *back_from = &measurement->begin.back;
    const ir_tracker_counts_t *back_to = &measurement->end.back;
    fprintf(file, ",%.0f",
            ir_snapshot_due(&measurement->end) - ir_snapshot_due(&measurement->begin));
    const uint64_t counts[] = {
        to->observations_sent - from->observations_sent,
        to->observations_confirmed - from->observations_confirmed,
        to->observations_refused - from->observations_refused,
        back_to->complete_records - back_from->complete_records,
        to->messages_sent - from->messages_sent,
        to->messages_confirmed - from->messages_confirmed,
        to->messages_refused - from->messages_refused,
        back_to->complete - back_from->complete,
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        fprintf(file, ",%llu", (unsigned long long)counts[i]);
    }
    /* This count may fall, because a message that was in ir.rejected may be republished later. */
    fprintf(file, ",%lld,%.0f",
            (long long)(back_to->by_fate[IR_FATE_REJECTED] - back_from->by_fate[IR_FATE_REJECTED]),
            ir_snapshot_backlog(&measurement->end));
}

void ir_timeline_write(ir_timeline_t *timeline, const ir_measurement_t *measurement,
                       int64_t start_ns, double asked) {
    ir_quantiles_t confirms;
    ir_quantiles_t back;
    ir_quantiles_t late;
    ir_quantiles_of(measurement->confirms.corrected, &confirms);
    ir_quantiles_of(measurement->back.corrected, &back);
    ir_quantiles_of(measurement->late, &late);
    fprintf(timeline->file, "%.3f,%.6g",
            (double)(measurement->end.at_ns - start_ns) / (double)IR_SECOND_NS, asked);
    write_counts(timeline->file, measurement);
    fprintf(
        timeline->file, ",%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%llu\n", confirms.p50,
        confirms.p99, confirms.max, back.p50, back.p99, back.max, late.p99, late.max,
        (unsigned long long)(measurement->end.sent.failures - measurement->begin.sent.failures));
    fflush(timeline->file);
}

ir_status_t ir_timeline_close(ir_timeline_t *timeline, ir_error_t *error) {
    if (timeline == NULL) {
        return IR_OK;
    }
    ir_status_t status = IR_OK;
    if (timeline->file != NULL) {
        const bool failed = ferror(timeline->file) != 0;
        if (fclose(timeline->file) != 0 || failed) {
            status = ir_error_set(error, IR_ERR_IO, "cannot write %s", timeline->path);
        }
    }
    free(timeline->path);
    free(timeline);
    return status;
}
