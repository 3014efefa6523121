/* Turns an uplink of a LoRaWAN network server, one JSON object, into a reading. The network must
 * have decoded the payload (with a payload formatter or codec). Its fields are the columns; nested
 * fields have dotted names, with numbers for array items ("soil.0.moisture"). `mote = column:NAME`
 * uses an id of the device.
 * */
#ifndef IR_FEED_UPLINK_H
#define IR_FEED_UPLINK_H

#include "common/view.h"
#include "feed/reading.h"
#include "feed/uplink_kind.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_uplink_result {
    IR_UPLINK_READ,
    IR_UPLINK_NOTHING, /* nothing usable; the reason is reported, unless it is not an uplink */
    IR_UPLINK_ENCODED  /* the payload was not decoded; `reading` has the mote */
} ir_uplink_result_t;

/* Reads one line. Reports a gap in the frame counter as a remark; `missed` is set to the number of
 * frames missing before this one. */
ir_uplink_result_t ir_uplink_read(const ir_reading_context_t *context, ir_view_t line,
                                  ir_reading_t *reading, uint64_t *missed);

#endif
