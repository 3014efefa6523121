"""Messages that must be refused, completely or in part: at least one for each reason that does not depend on the stores
or the broker."""

import json
import time

import cbor2

import harness
from harness import SENML_CBOR, SENML_JSON


class Case:
    """One message and its expected result: the first refusal, and the records that are kept."""

    def __init__(self, name, body, reason, record=-1, kept=(), detail="", key="", content_type=SENML_JSON):
        self.name, self.reason, self.record = name, reason, record
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.kept, self.detail = list(kept), detail
        self.key, self.content_type = key, content_type

    @property
    def raw_id(self):
        """Returns the id that the message must get."""
        mote = self.key.removeprefix("ir.") if self.reason != "no-routing-key" else ""
        if self.record >= 0 or self.reason == "unknown-mote":
            return harness.absolute_raw_id(mote, self.body)
        return harness.raw_id(mote, self.body, kind="plain")

    @property
    def ids(self):
        """Returns the ids of the observations that result from the message."""
        return [harness.observation_id(each["n"], round(each["t"] * 1e9), each["v"]) for each in self.kept]


def cases(mote, other, at):
    """The bad messages of a mote; one of them uses a sensor of the other mote. Their times lie within one hour from
    `at`, so the good records in them are new for each mote and hour."""
    return [*refused_whole(mote, at), *refused_in_part(mote, other, at)]


def good(mote, value, when):
    return {"n": f"{mote}/00010", "u": "Cel", "t": when, "v": value}


def refused_whole(mote, at):
    sensor, record = f"{mote}/00010", good(mote, 1, at)

    def case(name, body, reason, **more):
        return Case(name, body, reason, **{"key": f"ir.{mote}", **more})

    cbor = {"content_type": SENML_CBOR}
    huge = b'[{"n":"' + sensor.encode() + b'","t":%d,"vs":"' % at + b"x" * (10 * 2**20) + b'"}]'
    return [
        case("not JSON", b"21 degrees", "not-json"),
        case("cut JSON", b'[{"n":"a', "not-json"),
        case("JSON of wrong encoding", b'[{"n":"\xff\xfe","v":1}]', "not-json"),
        case("not CBOR", b"\x81\x1c", "not-cbor", **cbor),
        case("CBOR array of indefinite length", b"\x9f\xff", "not-senml", **cbor),
        case("cut CBOR", cbor2.dumps([{0: sensor, 2: 1.0, 6: at}])[:-3], "not-cbor", **cbor),
        case("an object, no array", {"n": sensor, "v": 1}, "not-senml"),
        case("an array of numbers", [1, 2], "not-senml"),
        case("CBOR map, no array", cbor2.dumps({0: sensor}), "not-senml", **cbor),
        case("base name that is a number", [{"bn": 5, "n": "a", "v": 1}], "not-senml"),
        case("higher version", [{"bver": 11, **record}], "version"),
        case("unknown label that must be understood", [{"x_": 1, **record}], "unknown-label", detail="x_"),
        case("empty pack", [], "empty-pack"),
        case("empty CBOR pack", cbor2.dumps([]), "empty-pack", **cbor),
        case("10 MB", huge, "too-large"),
        case("10,000 nested arrays", b"[" * 10000 + b"]" * 10000, "too-deep"),
        case("10,000 nested CBOR arrays", b"\x81" * 10000 + b"\x01", "not-senml", **cbor),
        case("10,000 nested CBOR arrays in a record", b"\x81\xa1\x61x" + b"\x81" * 10000 + b"\x01", "too-deep", **cbor),
        case("too many records", [{"n": "a", "v": 1}] * 10001, "too-many-records"),
        case("wrong content type", [record], "content-type", content_type="text/html", detail="text/html"),
        case("text", b"warm", "content-type", content_type="text/plain", detail="text/plain"),
        case("half of a gzip", b"\x1f\x8b\x08\0\0\0", "not-gzip"),
        case("routing key that is no mote's", [record], "no-routing-key", key="other", detail="other"),
        case("no routing key", [record], "no-routing-key", key=""),
        case("unknown mote", [record], "unknown-mote", key="ir.nobody", detail="nobody"),
    ]


def refused_in_part(mote, other, at):
    """One record is refused; the others of the pack are kept."""
    sensor, key, bad = f"{mote}/00010", f"ir.{mote}", good(mote, 1, at)

    def case(name, number, record, reason, detail=""):
        """Makes a pack in which only the middle record is bad."""
        around = [good(mote, 11.25, at + number), good(mote, 12.5, at + number + 900)]
        return Case(name, [around[0], record, around[1]], reason, 1, around, detail, key)

    def in_cbor(name, number, value):
        pack = [{0: sensor, 2: 11.25, 6: at + number}, {0: sensor, 2: value, 6: at + number + 1}]
        kept = [good(mote, 11.25, at + number)]
        return Case(name, cbor2.dumps(pack), "not-finite", 1, kept, key=key, content_type=SENML_CBOR)

    twice = [good(mote, 11.25, at + 13), good(mote, 11.25, at + 13), good(mote, 12.5, at + 14)]
    return [
        case("illegal character", 0, {"n": "a b", "v": 1, "t": at}, "bad-name"),
        case("name that begins with a slash", 1, {"n": "/a", "v": 1, "t": at}, "bad-name"),
        case("no value", 2, {"n": sensor, "t": at}, "no-value"),
        case("two values", 3, {"n": sensor, "v": 1, "vs": "x", "t": at}, "many-values"),
        case("text as value", 4, {"n": sensor, "v": "1", "t": at}, "bad-field"),
        case("number as unit", 5, {"n": sensor, "v": 1, "u": 5, "t": at}, "bad-field"),
        case("time out of range", 6, {**bad, "t": 1e30}, "out-of-range"),
        case("far future", 7, good(mote, 1, time.time() + 90 * 86400), "future"),
        case("unknown sensor", 8, {"n": f"{mote}/99999", "v": 1, "t": at}, "unknown-sensor", "99999"),
        case("sensor of another mote", 9, {**bad, "n": f"{other}/00010"}, "foreign-sensor"),
        case("unit that does not convert", 10, {**bad, "u": "mg/l"}, "unit", "mg/l"),
        case("unknown unit", 11, {**bad, "u": "furlong"}, "unit", "furlong"),
        case("text for a sensor of numbers", 12, {"n": sensor, "vs": "warm", "t": at}, "value-type"),
        Case("same measurement twice", twice, "duplicate", 1, [twice[0], twice[2]], key=key),
        in_cbor("NaN", 15, float("nan")),
        in_cbor("infinity", 17, float("inf")),
    ]
