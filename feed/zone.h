/* Time zones, and the instants that a local time may mean.
 *
 * GLib's GTimeZone reads the rules from the system's tz database, which Debian keeps current. glibc
 * supports only one zone per process (TZ), and its mktime does not distinguish an hour that occurs
 * twice from one that does not exist. ICU has its own copy of the rules, which in Debian 12 dates
 * from 2022.
 *
 * A name is an offset from UTC ("+01:00", "-5", "UTC+1", "Z"); an unambiguous abbreviation, as in
 * the USGS column tz_cd ("EST", "EDT", "MEZ"); or a name of the tz database ("Europe/Berlin"). An
 * abbreviation is always a fixed offset: "CET" has no summer time. */
#ifndef IR_FEED_ZONE_H
#define IR_FEED_ZONE_H

#include "common/view.h"

#include <stdint.h>

typedef struct ir_zones ir_zones_t;
typedef struct ir_zone ir_zone_t;

/* Caches requested zones, with a bound on their number. One thread. NULL when out of memory. */
#define IR_ZONES_MAX 1024
ir_zones_t *ir_zones_new(void);
void ir_zones_free(ir_zones_t *zones);

/* NULL if the zone is unknown or the bound is reached; also when out of memory, with errno ENOMEM.
 * Lives as long as `zones`. */
const ir_zone_t *ir_zones_find(ir_zones_t *zones, ir_view_t name);

/* The reading of a local clock: nanoseconds as if it showed UTC. */
typedef struct ir_instants {
    int count; /* 0: the local time is skipped (clocks set forward); 2: it occurs twice (clocks set
                * back) */
    int64_t first_ns, second_ns; /* UTC */
} ir_instants_t;

ir_instants_t ir_zone_instants(const ir_zone_t *zone, int64_t wall_ns);

#endif
