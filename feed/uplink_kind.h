/* The LoRaWAN network servers whose uplinks are read: where the fields stand in their JSON objects.
 *
 * tts         https://www.thethingsindustries.com/docs/the-things-stack/concepts/data-formats/
 *             ids: device_id, dev_eui; time: uplink_message.received_at, that of the network server
 * chirpstack  https://www.chirpstack.io/docs/chirpstack/integrations/events.html
 *             ids: devEui, deviceName; time: time, when the network server received it */
#ifndef IR_FEED_UPLINK_KIND_H
#define IR_FEED_UPLINK_KIND_H

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

#endif
