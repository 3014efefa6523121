/* Quality control after QARTOD (US IOOS), as the reference implementation ioos_qc computes it,
 * streaming, per series. docs/formats.md says what each flag means.
 *
 * Streaming choices: the flat-line window takes the sensor's registered interval in place of the
 * median interval; a point's spike flag is 2 until the next point arrives and is then decided by a
 * revision (also flat-line of the second point, which ioos_qc evaluates only from three points on).
 * A late point (its time is not after the newest of its series) gets gross range and climatology
 * only, 2 for the others, and does not enter the series' state; the very same observation as the
 * newest again gets that one's flags. So does a point whose time is ahead of its message's arrival
 * by more than IR_QUALITY_AHEAD_NS, which is suspect at least. */
#ifndef IR_ANNOTATION_QUALITY_H
#define IR_ANNOTATION_QUALITY_H

#include "common/status.h"
#include "observation/batch.h"

#define IR_QUALITY_AHEAD_NS (INT64_C(600) * 1000000000)

/* A point of a series' past, as quality control and the document store exchange it. */
typedef struct ir_point {
    ir_id_t id;
    ir_id_t raw_id;
    int64_t time_ns;
    double value; /* in the sensor's unit */
    double source_value;
    char source_unit[32];
    uint8_t flags[IR_TEST_COUNT];
    uint8_t aggregate;
    int record;
} ir_point_t;

/* The aggregate of flags: the last of 9 < 2 < 1 < 3 < 4 that occurs. */
uint8_t ir_quality_aggregate(const uint8_t flags[static IR_TEST_COUNT]);

/* Reads at most `limit` points of a series that were not late, with time < before_ns, newest first,
 * into `points`; *count how many. Blocking. */
typedef ir_outcome_t (*ir_recent_fn)(void *context, const ir_sensor_t *sensor, int64_t before_ns,
                                     size_t limit, ir_point_t *points, size_t *count,
                                     ir_error_t *error);

typedef struct ir_quality ir_quality_t;

/* State for at most `max_series` series (least recently used go first and are read again when they
 * come back). `recent` may be NULL: series start cold. `revise_all`: every decided flag makes a
 * revision (for output that applies them), not only suspect and fail. One thread at a time.
 * NULL when memory is out. */
ir_quality_t *ir_quality_new(size_t max_series, ir_recent_fn recent, void *context,
                             bool revise_all);
void ir_quality_free(ir_quality_t *quality);

/* Flags every numeric observation of the batch in order, appends revisions to the
 * batch. A series whose message has another session than its state is read anew. Observations that
 * are not numbers get 2 everywhere.
 * IR_OUTCOME_RETRY when `recent` failed (the batch is then unchanged, call again); never REFUSED.
 */
ir_outcome_t ir_quality_check(ir_quality_t *quality, ir_batch_t *batch, ir_error_t *error);

/* Forgets all states (the registry was reloaded). */
void ir_quality_reset(ir_quality_t *quality);

size_t ir_quality_series(const ir_quality_t *quality);

#endif
