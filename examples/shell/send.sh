#!/bin/sh
# Sends one value of a sensor, over HTTP with curl or over MQTT with mosquitto_pub (Debian: mosquitto-clients).
#
#     RIVER_HTTP=http://HOST:PORT RIVER_TOKEN=… ./send.sh ford/temperature Cel 18.4
#     RIVER_MQTT=HOST:PORT RIVER_MOTE=ford RIVER_TOKEN=… ./send.sh ford/temperature Cel 18.4
#
# Put it into a crontab. The pack contains the time, so a pack that is sent again after a failure does not count as
# another reading.
set -eu
if [ $# -ne 3 ]; then
    sed -n '4,5s/^# */usage: /p' "$0" >&2
    exit 2
fi
: "${RIVER_TOKEN:?is not set: it is the token of the mote}"

pack=$(printf '[{"n":"%s","u":"%s","t":%s,"v":%s}]' "$1" "$2" "$(date +%s)" "$3")

if [ -n "${RIVER_HTTP:-}" ]; then
    # curl ends with 0 only for a 2xx answer. Without an answer, or after 408, 429 or 503, it tries again; it obeys
    # Retry-After.
    curl --silent --show-error --fail-with-body --retry 10 --retry-connrefused --max-time 30 \
        "$RIVER_HTTP/v1/observations" -H "Authorization: Bearer $RIVER_TOKEN" \
        -H 'Content-Type: application/senml+json' -d "$pack"
else
    # QoS 1: mosquitto_pub ends with 0 when the broker has acknowledged.
    mosquitto_pub -h "${RIVER_MQTT%:*}" -p "${RIVER_MQTT##*:}" -q 1 -u "$RIVER_MOTE" -P "$RIVER_TOKEN" \
        -t "ir/$RIVER_MOTE" -m "$pack"
fi
echo
