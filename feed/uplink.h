/* An uplink of a LoRaWAN network server, one JSON object, to a reading. What the devices sent must
 * have been decoded by the network (a payload formatter or codec); its fields are the columns,
 * those of objects inside by dots and those of arrays by numbers ("soil.0.moisture"). `mote =
 * column:NAME` takes an id of the device.
 */
#ifndef IR_FEED_UPLINK_H
#define IR_FEED_UPLINK_H

#include "common/view.h"
#include "feed/reading.h"
#include "feed/uplink_kind.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_uplink_result {
    IR_UPLINK_READ,
    IR_UPLINK_NOTHING, /* nothing that can be used; why is reported, unless it is no uplink */
    IR_UPLINK_ENCODED  /* the payload was not decoded; `reading` has the mote */
} ir_uplink_result_t;

/* One line. A gap in the frame counter is reported as a remark. `missed` gets how many frames are
 * missing before this one. */
ir_uplink_result_t ir_uplink_read(const ir_reading_context_t *context, ir_view_t line,
                                  ir_reading_t *reading, uint64_t *missed);

#endif
