/* Quality control after QARTOD (US IOOS), computed like the reference implementation ioos_qc, but
 * as a stream, one series at a time. docs/explanation/quality.md explains the flags.
 *
 * Streaming differs from ioos_qc in these points. The flat-line window uses the sensor's registered
 * interval instead of the median interval. A point's spike flag stays 2 (not evaluated) until the
 * next point arrives; a revision then sets it. The same holds for the flat-line flags of a series'
 * first two points, which ioos_qc evaluates from the third point on.
 *
 * A late point, not newer than the newest of its series, gets only the gross-range and climatology
 * flags, 2 for the other tests, and does not change the series' state. If it is the newest
 * observation again, it gets that observation's flags. A point more than IR_QUALITY_AHEAD_NS ahead
 * of its message's arrival is treated like a late one, and its aggregate is at least suspect.
 *
 * A missing value (the sent value means "no measurement") is not added to its series: its
 * neighbours get the flags that they would have if nothing had been sent. In ioos_qc a neighbour of
 * a missing value is not tested for spikes, and the point after it not for its rate of change. */
#ifndef IR_ANNOTATION_QUALITY_QUALITY_H
#define IR_ANNOTATION_QUALITY_QUALITY_H

#include "annotation/quality/point.h"
#include "common/status.h"
#include "observation/batch.h"

#define IR_QUALITY_AHEAD_NS (INT64_C(600) * 1000000000)

/* The aggregate flag is the worst one: fail (4), else suspect (3), else good (1), else not
 * evaluated (2), else missing (9). */
uint8_t ir_quality_aggregate(const uint8_t flags[static IR_TEST_COUNT]);

/* Reads up to `limit` points of a series into `points`, newest first: those with time < before_ns
 * that were not late. *count is their number. Blocks. */
typedef ir_outcome_t (*ir_recent_fn)(void *context, const ir_sensor_t *sensor, int64_t before_ns,
                                     size_t limit, ir_point_t *points, size_t *count,
                                     ir_error_t *error);

typedef struct ir_quality ir_quality_t;

/* Keeps the state of at most `max_series` series. The least recently used are dropped and read
 * again when needed. With `recent` NULL, series start without a past. With `revise_all`, every flag
 * that is decided later makes a revision (for output that applies revisions); otherwise only
 * suspect and fail do. One thread at a time. Returns NULL when memory is exhausted. */
ir_quality_t *ir_quality_new(size_t max_series, ir_recent_fn recent, void *context,
                             bool revise_all);
void ir_quality_free(ir_quality_t *quality);

/* Sets the flags of every numeric observation of the batch, in order, and appends revisions to the
 * batch. Missing ones get 9 for every test, other observations 2. The state of a series is read
 * again when the message belongs to another session than the state. IR_OUTCOME_RETRY when `recent`
 * failed: the batch has no revisions, call again. Never REFUSED. */
ir_outcome_t ir_quality_check(ir_quality_t *quality, ir_batch_t *batch, ir_error_t *error);

/* Discards all states, because the registry was reloaded. */
void ir_quality_reset(ir_quality_t *quality);

size_t ir_quality_series(const ir_quality_t *quality);

#endif
