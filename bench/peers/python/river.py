"""Converts a message into ids, sensors, quality flags, documents, statements and messages to publish, as
docs/reference/formats.md defines them. Gross range is the only quality test, because the comparison's registry has no other
limits."""

import datetime
import decimal
import hashlib
import json
import uuid

import bson
import rdflib
from rdflib.collection import Collection

SOSA = "http://www.w3.org/ns/sosa/"
QUDT = "http://qudt.org/schema/qudt/"
XSD = "http://www.w3.org/2001/XMLSchema#"
RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
BASE = "https://intelligent-river.example/id/"
IR = "https://intelligent-river.example/ns#"
RAW = uuid.UUID("0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a01").bytes
OBSERVATION = uuid.UUID("0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a02").bytes
SECOND_NS = 1_000_000_000

NOT_EVALUATED, GOOD, SUSPECT, FAIL = 2, 1, 3, 4
FLAGS = {NOT_EVALUATED: "not-evaluated", GOOD: "good", SUSPECT: "suspect", FAIL: "fail"}
OTHER_TESTS = ("climatology", "spike", "rate_of_change", "flat_line")

# Registered units: the UCUM code, and the divisors for values sent in other units.
UNITS = {
    "DEG_C": ("Cel", {}),
    "FT": ("[ft_i]", {"m": 0.3048}),
    "FT3-PER-SEC": ("[ft_i]3/s", {"m3/s": 0.028316846592}),
    "MicroS-PER-CentiM": ("uS/cm", {"S/m": 1e-4}),
    "MilliGM-PER-L": ("mg/L", {}),
    "NTU": ("{FNU}", {}),
    "PH": ("[pH]", {}),
}


def uuid8(time_ns, namespace, text):
    digest = bytearray(hashlib.sha256(namespace + text).digest()[:16])
    digest[:6] = (time_ns // 1_000_000).to_bytes(6, "big")
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(digest))


def number_text(value):
    """Formats a number like ECMAScript from 1e-6 to below 1e21: the fewest digits, no exponent."""
    text = repr(float(value))
    return format(decimal.Decimal(text), "f") if "e" in text else text.removesuffix(".0")


def time_text(time_ns):
    seconds, rest = divmod(time_ns, SECOND_NS)
    text = datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{rest:09}".rstrip("0") if rest else "") + "Z"


def instant(time_ns):
    """A time for MongoDB, which stores milliseconds."""
    return bson.DatetimeMS(time_ns // 1_000_000)


class Sensor:
    def __init__(self, graph, node):
        def one(*path):
            found = node
            for name in path:
                found = graph.value(found, rdflib.URIRef(name)) if found is not None else None
            return found

        def span(name):
            members = one(IR + "limits", IR + name)
            return [float(each) for each in Collection(graph, members)] if members is not None else None

        self.iri = str(node)
        self.property = str(one(SOSA + "observes"))
        self.feature = str(one(SOSA + "isHostedBy", IR + "featureOfInterest"))
        self.procedure = str(one("http://www.w3.org/ns/ssn/implements"))
        self.unit_iri = str(one(QUDT + "hasUnit"))
        self.unit, self.divisors = UNITS[self.unit_iri.rpartition("/")[2]]
        self.fail, self.suspect = span("grossFail"), span("grossSuspect")
        self.newest = None

    def convert(self, value, unit):
        divisor = self.divisors.get(unit)
        return value if divisor is None else float(f"{value / divisor:.15g}")

    def flag(self, value):
        if self.fail is None:
            return NOT_EVALUATED
        if not self.fail[0] <= value <= self.fail[1]:
            return FAIL
        return SUSPECT if self.suspect and not self.suspect[0] <= value <= self.suspect[1] else GOOD

    def is_late(self, time_ns):
        late = self.newest is not None and time_ns <= self.newest
        self.newest = self.newest if late else time_ns
        return late


def read_registry(path):
    """Reads a registry: {SenML name: Sensor}."""
    graph = rdflib.Graph().parse(path, format="turtle", publicID=BASE)
    return {str(name): Sensor(graph, node) for node, name in graph.subject_objects(rdflib.URIRef(IR + "senmlName"))}


def resolve(body):
    """The records of a pack, as (name, unit, value, time in ns)."""
    base_name, base_time, base_unit = "", 0, ""
    for record in json.loads(body):
        base_name = record.get("bn", base_name)
        base_time = record.get("bt", base_time)
        base_unit = record.get("bu", base_unit)
        time_ns = round((base_time + record.get("t", 0)) * 1_000_000) * 1000
        yield base_name + record.get("n", ""), record.get("u", base_unit), record["v"], time_ns


def document(ident, raw, mote, name, sensor, time_ns, value, source, flag, record):
    return {
        "_id": ident, "raw": raw, "mote": mote, "sensor": name, "sensor_iri": sensor.iri,
        "property": sensor.property.rpartition("/")[2], "property_iri": sensor.property, "feature": sensor.feature,
        "procedure": sensor.procedure, "time": instant(time_ns), "time_ns": bson.Int64(time_ns), "value": float(value),
        "unit": sensor.unit, "unit_iri": sensor.unit_iri, "source": source,
        "flags": {"gross_range": flag, **dict.fromkeys(OTHER_TESTS, NOT_EVALUATED)}, "aggregate": flag,
        "quality": FLAGS[flag], "late": sensor.is_late(time_ns), "record": record,
    }


def statements(ident, sensor, stamp, value, flag, with_instant):
    subject, when = f"<urn:uuid:{ident}>", f"<{BASE}instant/{stamp}>"
    failed = f"{subject} <{IR}grossRangeFlag> <{IR}{FLAGS[flag]}> .\n" if flag in (SUSPECT, FAIL) else ""
    described = f'{when} <http://www.w3.org/2006/time#inXSDDateTimeStamp> "{stamp}"^^<{XSD}dateTimeStamp> .\n'
    return (
        f"{described if with_instant else ''}"
        f"{subject} <{SOSA}madeBySensor> <{sensor.iri}> .\n"
        f"{subject} <{SOSA}observedProperty> <{sensor.property}> .\n"
        f"{subject} <{SOSA}hasFeatureOfInterest> <{sensor.feature}> .\n"
        f'{subject} <{SOSA}hasSimpleResult> "{number_text(value)}"^^<{XSD}double> .\n'
        f'{subject} <{SOSA}resultTime> "{stamp}"^^<{XSD}dateTime> .\n'
        f"{subject} <{SOSA}phenomenonTime> {when} .\n"
        f"{subject} <http://www.w3.org/ns/dqv#hasQualityAnnotation> <{IR}{FLAGS[flag]}> .\n"
        f"{failed}"
        f"{subject} <{RDF_TYPE}> <{SOSA}Observation> .\n"
    )


CONTEXT = {
    "@vocab": SOSA, "time": "http://www.w3.org/2006/time#", "dqv": "http://www.w3.org/ns/dqv#", "xsd": XSD, "ir": IR,
    **{term: {"@type": "@id"} for term in ("madeBySensor", "observedProperty", "hasFeatureOfInterest", "phenomenonTime",
                                           "dqv:hasQualityAnnotation")},
    "hasSimpleResult": {"@type": "xsd:double"}, "resultTime": {"@type": "xsd:dateTime"},
    "time:inXSDDateTimeStamp": {"@type": "xsd:dateTimeStamp"},
}


def json_ld(ident, sensor, stamp, value, flag):
    return {
        "@id": f"urn:uuid:{ident}", "@type": "Observation", "madeBySensor": sensor.iri, "observedProperty": sensor.property,
        "hasFeatureOfInterest": sensor.feature, "hasSimpleResult": number_text(value), "resultTime": stamp,
        "phenomenonTime": f"{BASE}instant/{stamp}", "dqv:hasQualityAnnotation": f"ir:{FLAGS[flag]}",
        **({"ir:grossRangeFlag": {"@id": f"ir:{FLAGS[flag]}"}} if flag in (SUSPECT, FAIL) else {}),
    }


def json_ld_instant(stamp):
    return {"@id": f"{BASE}instant/{stamp}", "time:inXSDDateTimeStamp": stamp}
