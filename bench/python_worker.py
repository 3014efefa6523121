"""The same job as ir-worker in plain batched Python, as a measure of what the C worker gains.

Takes SenML JSON packs from the partitions' queues, looks each sensor up in the registry, converts its
unit and checks the gross range, writes raw and processed documents to MongoDB and nine triples an
observation to a SPARQL server, publishes each message again as JSON-LD and as SenML, and acknowledges
batch by batch. Leaves out what would slow it down further: the other quality tests, hand-over of
partitions, waiting for confirms. Ends when the queues have been empty for a moment, and prints one
JSON line with messages, observations, seconds and CPU seconds.
"""

import argparse
import collections
import hashlib
import json
import resource
import time
import urllib.request
import uuid

import pika
import pymongo
import rdflib

SOSA = "http://www.w3.org/ns/sosa/"
RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
XSD = "http://www.w3.org/2001/XMLSchema#"
IRI = "https://intelligent-river.example/id/"
IRI_TERMS = "https://intelligent-river.example/ns#"
NAMESPACE = b"python"


def uuid8(seconds, *parts):
    """Ids that begin with the time, as ir-worker's do: 48 bits of milliseconds, then bits of the hash."""
    digest = bytearray(hashlib.sha256(b"\n".join((NAMESPACE, *parts))).digest()[:16])
    digest[:6] = int(seconds * 1000).to_bytes(6, "big")
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(digest))


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


# factor to the registered unit, by what the motes of the replay data send
FACTORS = {("m3/s", "FT3-PER-SEC"): 1 / 0.028316846592, ("m", "FT"): 1 / 0.3048, ("S/m", "MicroS-PER-CentiM"): 1e4}


class Sensor:
    def __init__(self, graph, node):
        def one(*path):
            found = node
            for name in path:
                found = graph.value(found, rdflib.URIRef(name)) if found is not None else None
            return found

        ir = IRI_TERMS
        self.iri = str(node)
        self.property = str(one(SOSA + "observes"))
        self.feature = str(one(ir + "featureOfInterest") or one(SOSA + "hasFeatureOfInterest"))
        unit = one("http://qudt.org/schema/qudt/hasUnit") or one(SOSA + "observes", "http://qudt.org/schema/qudt/hasUnit")
        self.unit = str(unit).rsplit("/", 1)[-1]
        span = one(ir + "limits", ir + "grossFail")
        self.span = [float(v) for v in rdflib.collection.Collection(graph, span)] if span is not None else None

    def value(self, value, unit):
        return value * FACTORS.get((unit, self.unit), 1)

    def flag(self, value):
        return 2 if self.span is None else 4 if not self.span[0] <= value <= self.span[1] else 1


def read_registry(path):
    graph = rdflib.Graph().parse(path, format="turtle", publicID=IRI)
    names = graph.subject_objects(rdflib.URIRef(IRI_TERMS + "senmlName"))
    return {str(name): Sensor(graph, node) for node, name in names}


FLAGS = {1: "good", 2: "not-evaluated", 4: "fail"}


def triples(ident, sensor, value, stamp, flag):
    subject = f"<urn:uuid:{ident}>"
    instant = f"<{IRI}instant/{stamp}>"
    return (
        f"{subject} <{SOSA}madeBySensor> <{sensor.iri}> .\n"
        f"{subject} <{SOSA}observedProperty> <{sensor.property}> .\n"
        f"{subject} <{SOSA}hasFeatureOfInterest> <{sensor.feature}> .\n"
        f'{subject} <{SOSA}hasSimpleResult> "{value!r}"^^<{XSD}double> .\n'
        f'{subject} <{SOSA}resultTime> "{stamp}"^^<{XSD}dateTime> .\n'
        f"{subject} <{SOSA}phenomenonTime> {instant} .\n"
        f"{subject} <http://www.w3.org/ns/dqv#hasQualityAnnotation> <{IRI_TERMS}{FLAGS[flag]}> .\n"
        f'{instant} <http://www.w3.org/2006/time#inXSDDateTimeStamp> "{stamp}"^^<{XSD}dateTimeStamp> .\n'
        f"{subject} <{RDF_TYPE}> <{SOSA}Observation> .\n"
    )


def json_ld(ident, sensor, value, stamp, flag):
    return {
        "@id": f"urn:uuid:{ident}", "@type": "Observation", "madeBySensor": sensor.iri,
        "observedProperty": sensor.property, "hasFeatureOfInterest": sensor.feature, "hasSimpleResult": repr(value),
        "resultTime": stamp, "phenomenonTime": {"@id": f"{IRI}instant/{stamp}", "time:inXSDDateTimeStamp": stamp},
        "dqv:hasQualityAnnotation": "ir:" + FLAGS[flag],
    }


class Batch:
    def __init__(self, registry):
        self.registry = registry
        self.raw, self.documents, self.statements, self.published, self.tag = [], [], [], [], None

    def add(self, tag, key, body):
        self.tag = tag
        mote = key.removeprefix("ir.")
        records = list(resolve(body))
        raw_id = uuid8(records[0][3], mote.encode(), body)
        self.raw.append({"_id": str(raw_id), "mote": mote, "body": body})
        resolved, graph = [], []
        for name, unit, sent, when in records:
            sensor = self.registry[name]
            value = sensor.value(sent, unit)
            flag = sensor.flag(value)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
            ident = uuid8(when, name.encode(), f"{int(when * 1e9)}\n{sent!r}".encode())
            self.documents.append(
                {"_id": str(ident), "raw": str(raw_id), "mote": mote, "sensor": name, "property": sensor.property,
                 "feature": sensor.feature, "time": when, "value": value, "unit": sensor.unit,
                 "source": {"value": sent, "unit": unit}, "flags": {"gross_range": flag}, "aggregate": flag}
            )
            self.statements.append(triples(ident, sensor, value, stamp, flag))
            resolved.append({"n": name, "u": unit, "v": sent, "t": when})
            graph.append(json_ld(ident, sensor, value, stamp, flag))
        self.published.append((f"senml.{mote}", json.dumps(resolved).encode()))
        self.published.append((f"jsonld.{mote}", json.dumps({"@context": CONTEXT, "@graph": graph}).encode()))


CONTEXT = {"@vocab": SOSA, "ir": IRI_TERMS, "time": "http://www.w3.org/2006/time#", "dqv": "http://www.w3.org/ns/dqv#"}


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
    parser.add_argument("--registry", required=True, help="Turtle")
    parser.add_argument("--batch", type=int, default=500, help="observations")
    parser.add_argument("--idle", type=float, default=1.0, help="seconds without messages to end after")
    options = parser.parse_args()

    database = pymongo.MongoClient(options.mongodb, w="majority", journal=True).get_default_database()
    registry = read_registry(options.registry)
    connection = pika.BlockingConnection(pika.URLParameters(options.amqp))
    channel = connection.channel()
    out = connection.channel()
    channel.basic_qos(prefetch_count=options.batch)
    for partition in range(options.partitions):
        channel.basic_consume(f"ir.observations.{partition}", lambda *a: waiting.append(a))

    waiting, messages, observations = collections.deque(), 0, 0
    begun = last = time.monotonic()
    while time.monotonic() - last < options.idle:
        connection.process_data_events(time_limit=0.05)
        while waiting:
            batch = Batch(registry)
            while waiting and len(batch.documents) < options.batch:
                _, method, _, body = waiting.popleft()
                batch.add(method.delivery_tag, method.routing_key, body)
            store(batch, database, options.sparql)
            for key, body in batch.published:
                out.basic_publish("ir.processed", key, body, pika.BasicProperties(delivery_mode=2))
            channel.basic_ack(batch.tag, multiple=True)
            messages += len(batch.raw)
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
