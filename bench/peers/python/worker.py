"""A worker that does the job of ir-worker in batched Python, written as someone who knows the libraries would write it.

It takes SenML JSON packs from the partitions' queues and annotates them (river.py). It writes raw messages and
observations to MongoDB and, in parallel, statements to a SPARQL server. Then it republishes each message as JSON-LD and
as SenML, in one transaction per batch, and acknowledges. It omits some duties of ir-worker: handing over partitions,
quality tests other than gross range, proving refusals.

bench/peers/README.md says how to run a peer.
"""

import argparse
import collections
import json
import signal
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import bson
import pika
import pymongo

import river

HTTP_SECONDS = 60
DUPLICATE = 11000


class Batch:
    def __init__(self, registry):
        self.registry = registry
        self.raw, self.documents, self.statements, self.published = [], [], [], []
        self.tag = None

    def add(self, tag, key, properties, body):
        self.tag = tag
        mote = key.removeprefix("ir.")
        records = list(river.resolve(body))
        raw = river.uuid8(records[0][3], river.RAW, b"absolute\n" + mote.encode() + b"\n" + body)
        arrival_ns = properties.headers["timestamp_in_ms"] * 1_000_000
        self.raw.append({"_id": raw, "mote": mote, "routing_key": key, "content_type": properties.content_type,
                         "body": bson.Binary(body), "received": river.instant(arrival_ns),
                         "received_ns": bson.Int64(arrival_ns), "status": "accepted"})
        resolved, graph, previous = [], [], None
        for number, (name, unit, sent, time_ns) in enumerate(records):
            sensor = self.registry[name]
            value = sensor.convert(sent, unit)
            flag = sensor.flag(value)
            stamp = river.time_text(time_ns)
            text = f"{name}\n{time_ns}\nv\n{river.number_text(sent)}"
            ident = river.uuid8(time_ns, river.OBSERVATION, text.encode())
            source = {"value": float(sent), **({"unit": unit} if unit else {})}
            self.documents.append(river.document(ident, raw, mote, name, sensor, time_ns, value, source, flag, number))
            self.statements.append(river.statements(ident, sensor, stamp, value, flag, time_ns != previous))
            if time_ns != previous:
                graph.append(river.json_ld_instant(stamp))
            graph.append(river.json_ld(ident, sensor, stamp, value, flag))
            resolved.append({"n": name, "u": unit, "v": sent, "t": time_ns / river.SECOND_NS})
            previous = time_ns
        self.publish("jsonld", mote, raw, "application/ld+json", {"@context": river.CONTEXT, "@graph": graph})
        self.publish("senml", mote, raw, "application/senml+json", resolved)

    def publish(self, form, mote, raw, content_type, content):
        properties = pika.BasicProperties(delivery_mode=2, content_type=content_type, message_id=str(raw))
        self.published.append((f"{form}.{mote}", json.dumps(content, separators=(",", ":")).encode(), properties))


def insert(collection, documents):
    """Inserts documents. One that an earlier delivery already inserted is fine."""
    try:
        collection.insert_many(documents, ordered=False)
    except pymongo.errors.BulkWriteError as error:
        if any(each["code"] != DUPLICATE for each in error.details["writeErrors"]):
            raise


def write_documents(database, batch):
    insert(database.raw, batch.raw)
    insert(database.observations, batch.documents)


def write_statements(sparql, batch):
    body = "".join(batch.statements).encode()
    request = urllib.request.Request(sparql, body, {"Content-Type": "application/n-triples"})
    with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:
        answer.read()


class Worker:
    def __init__(self, options):
        self.options = options
        self.registry = river.read_registry(options.registry)
        client = pymongo.MongoClient(options.mongodb, w="majority", journal=True, uuidRepresentation="standard")
        self.database = client.get_default_database()
        self.pool = ThreadPoolExecutor(2)
        self.waiting = collections.deque()
        self.connection = pika.BlockingConnection(pika.URLParameters(options.amqp))
        self.channel = self.connection.channel()
        self.out = self.connection.channel()
        self.out.tx_select()
        self.channel.basic_qos(prefetch_count=options.batch)

    def consume(self):
        for partition in range(self.options.partitions):
            self.channel.basic_consume(f"ir.observations.{partition}", lambda *delivery: self.waiting.append(delivery))

    def collect(self):
        batch = Batch(self.registry)
        while self.waiting and len(batch.documents) < self.options.batch:
            _, method, properties, body = self.waiting.popleft()
            batch.add(method.delivery_tag, method.routing_key, properties, body)
        return batch

    def store(self, batch):
        stores = (self.pool.submit(write_documents, self.database, batch),
                  self.pool.submit(write_statements, self.options.sparql, batch))
        for each in stores:
            each.result()
        for key, body, properties in batch.published:
            self.out.basic_publish("ir.processed", key, body, properties)
        self.out.tx_commit()
        self.channel.basic_ack(batch.tag, multiple=True)

    def run(self):
        done = 0
        while done < self.options.observations:
            self.connection.process_data_events(time_limit=0 if self.waiting else 1)
            if self.waiting:
                batch = self.collect()
                self.store(batch)
                done += len(batch.documents)
        self.connection.process_data_events(time_limit=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amqp", required=True)
    parser.add_argument("--mongodb", required=True)
    parser.add_argument("--sparql", required=True, help="address that takes N-Triples by POST")
    parser.add_argument("--registry", required=True, help="Turtle")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--batch", type=int, default=500, help="observations")
    parser.add_argument("--observations", type=int, required=True, help="to end after")
    worker = Worker(parser.parse_args())
    print("ready", flush=True)
    worker.consume()
    worker.run()
    print("done", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
