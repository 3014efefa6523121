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

HOST, PORT = os.environ["RIVER_AMQP"].rsplit(":", 1)
MOTE, TOKEN = os.environ["RIVER_MOTE"], os.environ["RIVER_TOKEN"]


def main():
    name, unit, *values = sys.argv[1:]
    login = pika.PlainCredentials(MOTE, TOKEN)
    with pika.BlockingConnection(pika.ConnectionParameters(HOST, int(PORT), "/", login)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()  # from here on, basic_publish returns when the broker has confirmed, or raises
        properties = pika.BasicProperties(content_type="application/senml+json", delivery_mode=2)
        for value in values:
            pack = [{"n": name, "u": unit, "t": time.time(), "v": float(value)}]
            channel.basic_publish("amq.topic", f"ir.{MOTE}", json.dumps(pack), properties)
            print(f"{name} {value} {unit} is safe")


if __name__ == "__main__":
    main()
