"""Shows processed observations as they are published, with pika (Debian: python3-pika).

    RIVER_CONSUMERS=HOST:PORT RIVER_PASSWORD=… python3 subscribe.py [FORMAT.MOTE]

FORMAT is one of those that the river publishes (make up FORMATS=), MOTE a mote; * stands for any: senml.*, jsonld.ford.
The password is that of the user `viewer` (river/brokers/passwords).
"""

import os
import sys

import pika

try:
    HOST, PORT = os.environ["RIVER_CONSUMERS"].rsplit(":", 1)
    LOGIN = pika.PlainCredentials("viewer", os.environ["RIVER_PASSWORD"])
except (KeyError, ValueError):
    raise SystemExit(f"usage: {__doc__.splitlines()[2].strip()}")


def show(channel, method, properties, body):
    late = " (a verdict that changed)" if (properties.headers or {}).get("revision") else ""
    print(f"{method.routing_key}{late}: {body.decode()}", flush=True)
    channel.basic_ack(method.delivery_tag)


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else "senml.*"
    with pika.BlockingConnection(pika.ConnectionParameters(HOST, int(PORT), "/", LOGIN)) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue  # it ends with this program
        channel.queue_bind(queue, "ir.processed", pattern)
        channel.basic_qos(prefetch_count=100)
        channel.basic_consume(queue, show)
        print(f"waiting for {pattern}", flush=True)
        try:
            channel.start_consuming()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    try:
        main()
    except (pika.exceptions.AMQPError, OSError) as error:
        raise SystemExit(f"{HOST}:{PORT} as viewer: {error!r}")
