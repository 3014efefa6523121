/* Time zones, and what instants a local time may stand for.
 *
 * The rules come from the system's tz database by GLib's GTimeZone, which Debian keeps current.
 * glibc would do it only for one zone of the whole process (TZ), and its mktime does not tell an
 * hour that occurs twice from one that does not exist. ICU has a copy of the rules of its own, in
 * Debian 12 that of 2022, which knows nothing of the changes since.
 *
 * A name is one of: an offset from UTC ("+01:00", "-5", "UTC+1", "Z"); an abbreviation that is in
 * use for one offset only, as in the column tz_cd of the USGS ("EST", "EDT", "MEZ"); a name of the
 * tz database ("Europe/Berlin"). An abbreviation is always an offset: "CET" has no summer time. */
#ifndef IR_FEED_ZONE_H
#define IR_FEED_ZONE_H

#include "common/view.h"

#include <stdint.h>

typedef struct ir_zones ir_zones_t;
typedef struct ir_zone ir_zone_t;

/* Keeps zones that were asked for, at most so many. One thread. NULL when memory is out. */
#define IR_ZONES_MAX 1024
ir_zones_t *ir_zones_new(void);
void ir_zones_free(ir_zones_t *zones);

/* NULL: not known or the bound is reached, or memory is out: then errno is ENOMEM. Lives as long as
 * `zones`. */
const ir_zone_t *ir_zones_find(ir_zones_t *zones, ir_view_t name);

/* What a clock on the wall showed: nanoseconds as if it showed UTC. */
typedef struct ir_instants {
    int count; /* 0: the clocks were set forward over it; 2: they were set back, it occurs twice */
    int64_t first_ns, second_ns; /* UTC */
} ir_instants_t;

ir_instants_t ir_zone_instants(const ir_zone_t *zone, int64_t wall_ns);

#endif
