"""The same job as ir-worker in plain batched Python, as a measure of what the C worker gains.

Takes SenML JSON packs from the partitions' queues, writes raw and processed documents to MongoDB and
nine triples an observation to a SPARQL server, publishes each message once more, and acknowledges
batch by batch. Leaves out what would slow it down further: quality control, units, the registry's
checks, hand-over of partitions, waiting for confirms. Ends when the queues have been empty for a moment, and prints one JSON
line with messages, observations, seconds and CPU seconds.
"""

import argparse
import json
import resource
import time
import urllib.request
import uuid

import pika
import pymongo

SOSA = "http://www.w3.org/ns/sosa/"
RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
XSD = "http://www.w3.org/2001/XMLSchema#"
IRI = "https://intelligent-river.example/id/"
NAMESPACE = uuid.UUID("0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a02")


def resolve(body):
    """The resolved records of a pack: (name, unit, value, time)."""
    base_name, base_time = "", 0.0
    for record in json.loads(body):
        base_name = record.get("bn", base_name)
        base_time = record.get("bt", base_time)
        yield (
            base_name + record.get("n", ""),
            record.get("u", ""),
            record.get("v"),
            base_time + record.get("t", 0.0),
        )


def triples(ident, mote, name, value, when):
    subject = f"<urn:uuid:{ident}>"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    instant = f"<{IRI}instant/{stamp}>"
    prop = name.rsplit("/", 1)[-1]
    return (
        f"{subject} <{SOSA}madeBySensor> <{IRI}sensor/{name}> .\n"
        f"{subject} <{SOSA}observedProperty> <{IRI}property/{prop}> .\n"
        f"{subject} <{SOSA}hasFeatureOfInterest> <{IRI}feature/{mote}> .\n"
        f'{subject} <{SOSA}hasSimpleResult> "{value!r}"^^<{XSD}double> .\n'
        f'{subject} <{SOSA}resultTime> "{stamp}"^^<{XSD}dateTime> .\n'
        f"{subject} <{SOSA}phenomenonTime> {instant} .\n"
        f"{subject} <http://www.w3.org/ns/dqv#hasQualityAnnotation> "
        "<https://intelligent-river.example/ns#not-evaluated> .\n"
        f'{instant} <http://www.w3.org/2006/time#inXSDDateTimeStamp> "{stamp}"^^<{XSD}dateTimeStamp> .\n'
        f"{subject} <{RDF_TYPE}> <{SOSA}Observation> .\n"
    )


class Batch:
    def __init__(self):
        self.raw, self.documents, self.statements, self.published = [], [], [], []

    def add(self, key, body):
        mote = key.removeprefix("ir.")
        raw_id = uuid.uuid5(NAMESPACE, mote + "\n" + body.decode())
        self.raw.append({"_id": str(raw_id), "mote": mote, "body": body})
        resolved = []
        for name, unit, value, when in resolve(body):
            ident = uuid.uuid5(NAMESPACE, f"{name}\n{int(when * 1e9)}\n{value!r}")
            self.documents.append(
                {"_id": str(ident), "raw": str(raw_id), "mote": mote, "sensor": name,
                 "time": when, "value": value, "unit": unit}
            )
            self.statements.append(triples(ident, mote, name, value, when))
            resolved.append({"n": name, "u": unit, "v": value, "t": when})
        self.published.append((f"senml.{mote}", json.dumps(resolved).encode()))


def insert(collection, documents):
    try:
        collection.insert_many(documents, ordered=False)
    except pymongo.errors.BulkWriteError as error:
        if any(e["code"] != 11000 for e in error.details["writeErrors"]):
            raise


def store(batch, database, sparql):
    insert(database.raw, batch.raw)
    insert(database.observations, batch.documents)
    request = urllib.request.Request(
        sparql, "".join(batch.statements).encode(), {"Content-Type": "application/n-triples"}
    )
    urllib.request.urlopen(request, timeout=60).read()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amqp", required=True)
    parser.add_argument("--mongodb", required=True)
    parser.add_argument("--sparql", required=True, help="address that takes N-Triples by POST")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--batch", type=int, default=500, help="messages")
    parser.add_argument("--idle", type=float, default=1.0, help="seconds without messages to end after")
    options = parser.parse_args()

    database = pymongo.MongoClient(options.mongodb, w="majority", journal=True).get_default_database()
    connection = pika.BlockingConnection(pika.URLParameters(options.amqp))
    channel = connection.channel()
    out = connection.channel()
    channel.basic_qos(prefetch_count=options.batch * 2)
    for partition in range(options.partitions):
        channel.basic_consume(f"ir.observations.{partition}", lambda *a: waiting.append(a))

    waiting, messages, observations = [], 0, 0
    begun = last = time.monotonic()
    while time.monotonic() - last < options.idle:
        connection.process_data_events(time_limit=0.05)
        while waiting:
            taken, waiting = waiting[: options.batch], waiting[options.batch :]
            batch = Batch()
            for _, method, _, body in taken:
                batch.add(method.routing_key, body)
            store(batch, database, options.sparql)
            for key, body in batch.published:
                out.basic_publish("ir.processed", key, body, pika.BasicProperties(delivery_mode=2))
            channel.basic_ack(taken[-1][1].delivery_tag, multiple=True)
            messages += len(taken)
            observations += len(batch.documents)
            last = time.monotonic()
            connection.process_data_events(time_limit=0)
    connection.close()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "messages": messages, "observations": observations, "seconds": last - begun,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }))


if __name__ == "__main__":
    main()
