/* `ir-feed --check`: shows on standard output how the mapping reads the files; sends nothing. */
#ifndef IR_FEED_CHECK_H
#define IR_FEED_CHECK_H

#include "common/status.h"
#include "feed/map.h"
#include "observation/registry/registry.h"

#include <stdbool.h>

/* `registry` may be NULL. `*good`: every file could be read, and every sensor in a row or in the
 * mapping is registered for its mote, with a unit that the row's unit converts to. */
ir_status_t ir_feed_check(const ir_map_t *map, const ir_registry_t *registry, bool *good,
                          ir_error_t *error);

#endif
