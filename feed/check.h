/* `ir-feed --check`: what the mapping makes of the files, on standard output; nothing is sent. */
#ifndef IR_FEED_CHECK_H
#define IR_FEED_CHECK_H

#include "common/status.h"
#include "feed/map.h"
#include "observation/registry/registry.h"

#include <stdbool.h>

/* `registry` may be NULL. `*good`: every file could be read, and every sensor that was met or is
 * named is registered, for its mote and in a unit that converts. */
ir_status_t ir_feed_check(const ir_map_t *map, const ir_registry_t *registry, bool *good,
                          ir_error_t *error);

#endif
