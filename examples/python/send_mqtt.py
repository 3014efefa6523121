"""Sends the values of a sensor over MQTT, with paho-mqtt (Debian: python3-paho-mqtt; version 1 or 2).

    RIVER_MQTT=HOST:PORT RIVER_MOTE=ford RIVER_TOKEN=… python3 send_mqtt.py ford/temperature Cel 18.4 18.5 …

A value is safe when the broker has acknowledged it, so the script uses QoS 1. MQTT does not report to the sender why a
value was refused: `ir-store rejected list` does.
"""

import json
import os
import sys
import time

import paho.mqtt.client as mqtt

try:
    HOST, PORT = os.environ["RIVER_MQTT"].rsplit(":", 1)
    MOTE, TOKEN = os.environ["RIVER_MOTE"], os.environ["RIVER_TOKEN"]
    NAME, UNIT = sys.argv[1:3]
    VALUES = [float(each) for each in sys.argv[3:]]
except (KeyError, ValueError):
    raise SystemExit(f"usage: {__doc__.splitlines()[2].strip()}")


def connected():
    version = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []
    client = mqtt.Client(*version, client_id=MOTE, clean_session=False)
    client.username_pw_set(MOTE, TOKEN)
    client.connect(HOST, int(PORT))
    client.loop_start()
    return client


def main():
    client = connected()
    for value in VALUES:
        pack = [{"n": NAME, "u": UNIT, "t": time.time(), "v": value}]
        sent = client.publish(f"ir/{MOTE}", json.dumps(pack), qos=1)
        sent.wait_for_publish(60)
        if not sent.is_published():
            raise SystemExit("not acknowledged: is the token right? keep the value and send it again")
        print(f"{NAME} {value} {UNIT} is safe")
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        raise SystemExit(f"{HOST}:{PORT}: {error}")
