#include "feed/uplink_kind.h"

#include <stddef.h>

const ir_uplink_kind_t ir_uplink_tts = {
    .topic = "v3/+/devices/+/up",
    .qos = 0,
    .ids = {"end_device_ids.device_id", "end_device_ids.dev_eui"},
    .times = {"uplink_message.received_at", "received_at"},
    .payload = "uplink_message.decoded_payload",
    .frame = "uplink_message.f_cnt",
    .event = "uplink_message",
};

const ir_uplink_kind_t ir_uplink_chirpstack = {
    .topic = "application/+/device/+/event/up",
    .qos = 1,
    .ids = {"deviceInfo.devEui", "deviceInfo.deviceName"},
    .times = {"time"},
    .payload = "object",
    .frame = "fCnt",
    .event = "rxInfo",
};
