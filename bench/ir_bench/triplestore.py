"""A SPARQL client over one persistent HTTP connection: stores an observation's statements, and reads them back by
subject."""

import http.client
import time
import urllib.parse

SECONDS = 60
SUBJECT = "urn:uuid:0b6a0e0e-0000-8000-8000-{:012x}"
STATEMENTS = """\
<{s}> <http://www.w3.org/ns/sosa/madeBySensor> <https://intelligent-river.example/id/sensor/sim-0000001/00010> .
<{s}> <http://www.w3.org/ns/sosa/observedProperty> <https://intelligent-river.example/id/property/water-temperature> .
<{s}> <http://www.w3.org/ns/sosa/hasFeatureOfInterest> <https://intelligent-river.example/id/river/1> .
<{s}> <http://www.w3.org/ns/sosa/hasSimpleResult> "18.7"^^<http://www.w3.org/2001/XMLSchema#double> .
<{s}> <http://www.w3.org/ns/sosa/resultTime> "2011-05-01T04:00:00Z"^^<http://www.w3.org/2001/XMLSchema#dateTime> .
<{s}> <http://www.w3.org/ns/sosa/phenomenonTime> <https://intelligent-river.example/id/instant/2011-05-01T04:00:00Z> .
<{s}> <http://www.w3.org/ns/dqv#hasQualityAnnotation> <https://intelligent-river.example/ns#good> .
<{s}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/sosa/Observation> .
"""
ROWS = STATEMENTS.count("\n")


class TriplestoreError(Exception):
    pass


class Client:
    """`uri`: in the form of the settings, sparql+http://HOST:PORT/PATH?…; queries go to PATH/query, as in Fuseki."""

    def __init__(self, uri):
        place = urllib.parse.urlsplit(uri.removeprefix("sparql+"))
        self.path = place.path
        self.connection = http.client.HTTPConnection(place.hostname, place.port, timeout=SECONDS)

    def call(self, method, path, body=None, **headers):
        self.connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status // 100 != 2:
            raise TriplestoreError(f"{method} {path.partition('?')[0]}: status {answer.status}: {text[:200]!r}")
        return text

    def post(self, triples):
        self.call("POST", self.path, triples, Content_Type="application/n-triples")

    def insert(self, number):
        self.post(STATEMENTS.format(s=SUBJECT.format(number)).encode())

    def retrieve(self, number):
        query = urllib.parse.quote(f"SELECT ?p ?o {{ <{SUBJECT.format(number)}> ?p ?o }}")
        rows = self.call("GET", f"{self.path}/query?query={query}", Accept="text/csv").count(b"\n") - 1
        if rows != ROWS:
            raise TriplestoreError(f"observation {number} has {rows} statements, not {ROWS}")


def timed(operation, numbers):
    """The seconds of each operation, run one after the other."""
    begun = time.monotonic()
    for number in numbers:
        operation(number)
    return time.monotonic() - begun
