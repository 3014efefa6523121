"""Sends the values of a sensor over AMQP, with pika (Debian: python3-pika).

    RIVER_AMQP=HOST:PORT RIVER_MOTE=ford RIVER_TOKEN=… python3 send_amqp.py ford/temperature Cel 18.4 18.5 …

A value is safe when the broker has confirmed it. AMQP does not report to the sender why a value was refused: `ir-store
rejected list` does.
"""

import json
import os
import sys
import time

import pika

try:
    HOST, PORT = os.environ["RIVER_AMQP"].rsplit(":", 1)
    MOTE, TOKEN = os.environ["RIVER_MOTE"], os.environ["RIVER_TOKEN"]
    NAME, UNIT = sys.argv[1:3]
    VALUES = [float(each) for each in sys.argv[3:]]
except (KeyError, ValueError):
    raise SystemExit(f"usage: {__doc__.splitlines()[2].strip()}")


def main():
    login = pika.PlainCredentials(MOTE, TOKEN)
    with pika.BlockingConnection(pika.ConnectionParameters(HOST, int(PORT), "/", login)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()  # from now on, basic_publish waits for the broker's confirm, or raises
        properties = pika.BasicProperties(content_type="application/senml+json", delivery_mode=2)
        for value in VALUES:
            pack = [{"n": NAME, "u": UNIT, "t": time.time(), "v": value}]
            channel.basic_publish("amq.topic", f"ir.{MOTE}", json.dumps(pack), properties)
            print(f"{NAME} {value} {UNIT} is safe")


if __name__ == "__main__":
    try:
        main()
    except (pika.exceptions.AMQPError, OSError) as error:
        raise SystemExit(f"{HOST}:{PORT} as {MOTE}: {error!r}")
