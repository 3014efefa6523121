/* The supported LoRaWAN network servers, with the paths of fields in their JSON objects.
 *
 * tts         https://www.thethingsindustries.com/docs/the-things-stack/concepts/data-formats/
 *             ids: device_id, dev_eui; time: uplink_message.received_at, that of the network server
 * chirpstack  https://www.chirpstack.io/docs/chirpstack/integrations/events.html
 *             ids: devEui, deviceName; time: time, when the network server received it */
#ifndef IR_FEED_UPLINK_KIND_H
#define IR_FEED_UPLINK_KIND_H

typedef struct ir_uplink_kind {
    const char *topic; /* topic of the uplinks of all devices */
    int qos;           /* the QoS that the server offers */
    /* Paths in the object, separated by dots; the first existing one is used. */
    const char *ids[3]; /* possible names for the mote's column, terminated by NULL */
    const char *times[3];
    const char *payload, *frame;
    const char *event; /* path of a member that only uplinks have */
} ir_uplink_kind_t;

extern const ir_uplink_kind_t ir_uplink_tts, ir_uplink_chirpstack;

#endif
