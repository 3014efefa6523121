/* An uplink of a LoRaWAN network server, one JSON object, to a reading. What the devices sent must
 * have been decoded by the network (a payload formatter or codec); its fields are the columns,
 * those of objects inside by dots and those of arrays by numbers ("soil.0.moisture"). `mote =
 * column:NAME` takes an id of the device.
 *
 * tts         https://www.thethingsindustries.com/docs/the-things-stack/concepts/data-formats/
 *             ids: device_id, dev_eui; time: uplink_message.received_at, that of the network server
 * chirpstack  https://www.chirpstack.io/docs/chirpstack/integrations/events.html
 *             ids: devEui, deviceName; time: time, when the network server received it */
#ifndef IR_FEED_UPLINK_H
#define IR_FEED_UPLINK_H

#include "common/view.h"
#include "feed/reading.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_uplink_kind {
    const char *topic; /* of all devices' uplinks */
    int qos;           /* that the server offers */
    /* Paths in the object, separated by dots; of several the first that is there. */
    const char *ids[3]; /* what a mote's column may be, NULL at the end */
    const char *times[3];
    const char *payload, *frame;
    const char *event; /* what tells an uplink from other messages */
} ir_uplink_kind_t;

extern const ir_uplink_kind_t ir_uplink_tts, ir_uplink_chirpstack;

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
