#!/usr/bin/env python3
"""Makes the fuzzers' seed corpora and dictionaries from the data of the other tests.

seeds.py FOLDER writes FOLDER/TARGET/NAME for every target, and FOLDER/TARGET.dict where words help. Former findings are
in tests/data/fuzz/TARGET/ and become seeds too, so that every run tries them again.
"""

import argparse
import gzip
import re
import shutil
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "ingest"))

import guard  # noqa: E402

DATA = ROOT / "tests" / "data"
MANY = 3000  # records of a decompression bomb; a seed has at most 64 KiB
ID = "018f6d0a-5b3c-8e2d-9a41-0123456789ab"


def lines_of(path, count):
    return path.read_bytes().splitlines()[:count]


# ---- SenML ----

def json_packs():
    bodies = re.findall(rb"(?m)^body (.*)$", (DATA / "senml" / "json.cases").read_bytes())
    real = [line for each in ("lake", "mere") for line in lines_of(DATA / "annotate" / f"{each}.jsonl", 3)]
    return bodies + real + [
        b"[" + b",".join([b"{}"] * MANY) + b"]",  # every record is refused
        b"[" + b",".join([b"0"] * MANY) + b"]",
        b'[{"n":"a",' + b",".join(b'"%d":0' % i for i in range(MANY)) + b',"v":1}]',
        b"[" * 40 + b"]" * 40,
        b'[{"n":"a","v":NaN},{"n":"b","v":-Infinity},{"n":"c","v":1}]',
        b'\xef\xbb\xbf[{"n":"a","v":1}]\0',
        b'[\n  {\n    "bn": "a/",\n    "n": "x",\n    "v": 1e300, "s": 2, "ut": 5\n  }\n]\n',
        b'[{"bn":"' + b"a" * 255 + b'","v":1}]',
        b'[{"n":"a","vd":"' + b"aGkgCg" * 500 + b'"}]',
    ]


def cbor_packs():
    bodies = re.findall(r"(?m)^body ([0-9a-f]+)$", (DATA / "senml" / "cbor.cases").read_text())
    return [bytes.fromhex(each) for each in bodies] + [
        b"\x99" + struct.pack(">H", MANY) + b"\xa0" * MANY,
        b"\x82\xa2\x21\x61a\x02\x01\xa1\x22\x1a\x4c\x0e\x85\x6c",
        b"\x81" * 40,
        b"\x81\xa2\x00\x7f" + b"\x61a" * 60 + b"\xff\x02\x01",  # a name that consists of chunks
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\xa2\x00\x61a\x08\x5b\x00\x00\x00\xff\xff\xff\xff\xff",
    ]


# ---- HTTP ----

def bodies():
    packs = json_packs() + cbor_packs()
    many = b"\n".join(json_packs()[:20])
    return packs + [many, b"\r\n \n" + many + b"\n\n"] + [gzip.compress(each, mtime=0) for each in packs[:12] + [many]] + [
        gzip.compress(b"[" + b"{}," * 1398101 + b"{}]", mtime=0),  # 4 MiB of nothing
        gzip.compress(b"[]", mtime=0) * 400,  # many gzip members
        gzip.compress(bytes(5 << 20), mtime=0),
    ]


def request(body=b'[{"n":"a","v":1}]', head=b"POST /v1/observations HTTP/1.1", lines=(), length=True):
    fields = [b"Host: a", b"Authorization: Bearer abc", b"Content-Type: application/senml+json", *lines]
    fields += [b"Content-Length: %d" % len(body)] if length else []
    return head + b"\r\n" + b"\r\n".join(fields) + b"\r\n\r\n" + body


def chunked(*chunks, end=b"0\r\n\r\n"):
    text = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks) + end
    return request(text, lines=[b"Transfer-Encoding: chunked"], length=False)


def requests():
    pack = b'[{"n":"a","v":1}]'
    return [
        request(),
        request() * 3,
        request() + b"\r\n" + request(),
        request(lines=[b"Connection: close"]),
        request(lines=[b"Expect: 100-continue", b"X-Forwarded-For: 10.0.0.1, 127.0.0.2"]),
        request(lines=[b'Idempotency-Key: "k1"', b"Idempotency-Key: k2"]),
        request(gzip.compress(pack, mtime=0), lines=[b"Content-Encoding: gzip"]),
        request(gzip.compress(b"{}," * 200000, mtime=0), lines=[b"Content-Encoding: gzip"]),
        request(b"", b"GET /metrics HTTP/1.1"),
        request(b"", b"HEAD /v1/observations HTTP/1.0", length=False),
        request(pack, b"TRACE / HTTP/1.1"),
        request(b"", b"OPTIONS * HTTP/1.1"),
        request(b"", b"CONNECT a:1 HTTP/1.1"),
        request(pack, b"POST http://u:p@h:80/v1/observations?x#y HTTP/1.1"),
        request(lines=[b"Content-Length: 3"]),
        request(lines=[b"Transfer-Encoding: chunked, chunked"]),
        request(lines=[b"Transfer-Encoding: identity", b"A:" + b"b" * 9000]),
        request(lines=[b"A%d: b" % i for i in range(40)]),
        request(lines=[b" folded", b"X : y", b":", b"no colon"]),
        request(pack, b"POST  /v1/observations  HTTP/9.9"),
        request().replace(b"\r\n", b"\n"),
        chunked(pack),
        chunked(pack[:5], pack[5:]),
        chunked(b"a" * 70000),
        chunked(pack, end=b"0;ext=1\r\nTrailer: x\r\n\r\n"),
        chunked(pack, end=b"ffffffffffffffff\r\n"),
        chunked(pack, end=b"-1\r\n"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"AMQP\x00\x00\x09\x01",
        b"\r\n" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]


# ---- AMQP ----

def short(text):
    return bytes([len(text)]) + text


def long(text):
    return struct.pack(">I", len(text)) + text


def table(*entries):
    return long(b"".join(short(name) + kind + value for name, kind, value in entries))


PROPERTIES = ("content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id", "reply_to",
              "expiration", "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id")


def properties(**values):
    """The flags and the values in their order (AMQP 0-9-1, section 4.2.6.1)."""
    flags = sum(1 << (15 - PROPERTIES.index(name)) for name in values)
    return struct.pack(">H", flags) + b"".join(values[name] for name in PROPERTIES if name in values)


def headers():
    now = 1764300000
    stamp = (b"timestamp_in_ms", b"l", struct.pack(">q", now * 1000))
    arrival = (b"ir-arrival", b"l", struct.pack(">q", now * 1000000))
    deep = b""
    for _ in range(90):
        deep = table((b"k", b"F", deep or table()))
    scalars = [(b"t", b"t", b"\1"), (b"b", b"b", b"\xff"), (b"B", b"B", b"\xff"), (b"s", b"s", b"\xff\xff"),
               (b"u", b"u", b"\xff\xff"), (b"I", b"I", b"\xff" * 4), (b"i", b"i", b"\xff" * 4),
               (b"f", b"f", b"\x7f\xc0\0\0"), (b"d", b"d", b"\x7f\xf8" + bytes(6)), (b"D", b"D", b"\2\0\0\1\0"),
               (b"S", b"S", long(b"text")), (b"x", b"x", long(b"\0\xff")), (b"T", b"T", struct.pack(">Q", now)),
               (b"V", b"V", b""), (b"A", b"A", long(b"t\1t\0")), (b"F", b"F", table(stamp))]
    return [
        properties(),
        properties(content_type=short(b"application/senml+json"), headers=table(stamp), delivery_mode=b"\2"),
        properties(content_type=short(b"application/json; charset=utf-8"), content_encoding=short(b"gzip")),
        properties(content_type=short(b"text/plain"), headers=table(stamp, arrival), user_id=short(b"gateway")),
        properties(headers=table(stamp, stamp), timestamp=struct.pack(">Q", now), message_id=short(b"m-1")),
        properties(headers=table((b"timestamp_in_ms", b"T", struct.pack(">Q", now)))),
        properties(headers=table(*scalars)),
        properties(headers=deep),
        properties(headers=table(*[(b"h%d" % i, b"t", b"\1") for i in range(MANY)])),
        properties(headers=table((b"k", b"S", long(b"a" * 60000)))),
        properties(headers=struct.pack(">I", 0xffffffff)),
        properties(headers=table((b"x-death", b"A", long(b"F" + table((b"count", b"l", b"\xff" * 8)))))),
        properties(**{each: short(b"x" * 255) for each in PROPERTIES if each not in
                      ("headers", "delivery_mode", "priority", "timestamp")}),
    ]


def frames():
    """Writes frames in the form that fuzz_assembly.c reads."""
    deliver = b"\0\1" + short(b"ir.a")
    header = b"\1\1" + short(b"application/senml+json") + short(b"m-1") + short(b"gateway") + b"\0\0"
    body = b"\2" + short(b"12345678")
    return [deliver + header + body, (deliver + header + body) * 3, deliver + deliver, header + body,
            deliver + header + b"\2" + short(b"1234") + b"\2" + short(b"5678"), deliver + header + body + body]


# ---- files ----

def registries():
    files = [*(DATA / "registry").glob("*.ttl"), *(DATA / "registry" / "many").glob("*.ttl"), *(DATA / "annotate").glob("*.ttl")]
    return [each.read_bytes() for each in sorted(files)] + [
        b"@prefix : <a#> .\n" + b":a :b " + b"[ :c " * 99 + b":d " + b"] " * 99 + b".",
        b"<a> <b> " + b"(" * 99 + b")" * 99 + b" .",
        b"<a> <b> " + b",".join(b'"%d"' % i for i in range(MANY)) + b" .",
    ]


def stations():
    head = "mote,latitude,longitude,sensor,property,unit,low,high\n"
    return [each.encode() for each in (
        head + "elbe,51.056,13.739,temperature,water temperature,Cel,-2,40\nelbe,,,door,https://example.org/door,,,\n",
        "\ufeffunit;mote;label;feature;interval;sensor;property;owner\r\n"
        'FNU;a:b_c;"Say ""A"" \\";Elbe km 5;900,5;t;turbidity;x\r\n',
        "mote\tsensor\tproperty\tunit\na\ta/1\tph\tpH\nb\t1\tAlgae.x\tug/l", head + "a,1,,t,temprature,cel,2,1\n" * 30)]


def settings():
    example = (ROOT / "river.conf").read_text()
    whole = re.sub(r"(?m)^;([a-z0-9-]+ =)", r"\1", example)
    sections = re.split(r"(?m)^(?=\[)", whole)[1:]
    return [each.encode() for each in [example, whole, *sections]] + [
        b"[common]\namqp = amqp://u:p%40@h1:5672/v,amqps://u@[::1]\n",
        b"\xef\xbb\xbf[ir-worker]\r\nlimits = 1\r\n",
        b"[ir-worker]\nname = " + b"a" * 5000 + b"\n",
        b"[ir-ingest]\nbody-bytes = 99999999999Gi\nheader-timeout = 1e400d\nrate = nan\n",
        b"[" + b"a" * 300 + b"]\n=\n:\n  folded\n",
    ]


def tokens():
    digest = b"sha256:" + b"0123456789abcdef" * 4
    return [
        b"# motes\n\ncreek-1 " + digest + b"\n",
        b"creek-1 " + digest + b"\ncreek-1 sha256:" + b"f" * 64 + b"\n",
        b"creek-1 " + digest + b"\ncreek-2 " + digest + b"\n",
        b"".join(b"m%d sha256:%064x\n" % (i, i) for i in range(500)),
        b"\xef\xbb\xbfcreek-1 " + digest + b" x\r\n",
        b"a" * 60000,
        b"Bearer  abc",
        b"Basic YTphYmM=",
    ]


def replays():
    rows = gzip.decompress((ROOT / "loadgen" / "usgs_river_observations.csv.gz").read_bytes()).splitlines()
    some = b"\n".join([rows[0], *rows[1:20], *rows[-20:]]) + b"\n"
    return [some, gzip.compress(some, mtime=0), some.replace(b"\n", b"\r\n"), rows[0], some + some.splitlines()[3] + b"\n",
            rows[0] + b"\n" + b"s,00010,2011-11-05T05:00:00Z,1e308,ft3/s,\n", rows[0] + b"\n" + b"a" * 60000,
            gzip.compress(rows[0] + b"\n" + bytes(1 << 20), mtime=0)]


def ledgers():
    body = f"m {ID}\no {ID}\nu {ID}\np {ID}\nr {ID}\nt {ID} creek-1 2 1 1\nt {ID} creek-1 2 3 1 {ID} name\n"
    head = "# ir-ledger 2\n"
    texts = [head + body + "# end\n", head + body, head + body[:-20], head + "o " + ID + "\n", "# ir-ledger 1\n",
             head + "# end\nm " + ID + "\n", head + f"t {ID} a 4294967296 1 1\n", head + "m " + "x" * 2000 + "\n"]
    return [each.encode() for each in texts]


def answers():
    row = '{"head":{"vars":["n"]},"results":{"bindings":[{"n":{"type":"literal","value":"42"}}]}}'
    return [each.encode() for each in [
        row, row.replace("42", "-1"), row.replace("42", "99999999999999999999"), '{"head":{},"boolean":true}', "[]",
        'n\r\n"https://example.org/a"\r\n<b>\n"\n', "[" * 3000, "[" + "0," * MANY + "0]", "a" * 60000]]


def loggers():
    """Writes logger files in the form that fuzz_logger.c reads: the first byte selects a position of its mapping."""
    csv = (DATA / "feed" / "logger.csv").read_bytes()
    toa5 = (b'"TOA5","CR1000","CR1000","1234","CR1000.Std.25","CPU:a.CR1","1","Min15"\r\n"TIMESTAMP","RECORD","Temp"\r\n'
            b'"TS","RN","Deg C"\r\n"","","Avg"\r\n"2012-05-25 10:15:00.25",0,21.5\r\n"2012-05-25 10:30:00",1,"NAN"\r\n')
    rdb = (b"# USGS\nagency_cd\tsite_no\tdatetime\ttz_cd\t1_00060\t1_00060_cd\n5s\t15s\t20d\t6s\t14n\t10s\n"
           b"USGS\t08068500\t2011-11-06 01:30\tCDT\t17\tA\nUSGS\t08068500\t2011-11-06 01:30\tCST\tIce\tA\n")
    rows = b"station,parameter,time_utc,value\nA,00010,2011-05-01T04:00:00Z,19.6\nA,00060,2011-05-01T04:00:00Z,1\n"
    zones = b"t,z,v\n2025-10-26 02:30,Europe/Berlin,1\n2025-10-26 02:15,Europe/Berlin,2\n2025-03-30 02:15,+01:00,3\n"
    return [bytes([place]) + text for place, texts in enumerate((
        [csv, csv.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + csv, csv[:-5], csv * 3],
        [b"# x\n2025-01-01 12:00 1.5 2\n2025-01-01 12:15   .5   -3e2 \n"],
        [toa5, toa5 * 2], [rdb, rdb * 2, rdb + b"#\n" + rdb.replace(b"00060", b"00010")], [rows],
        [zones, zones.replace(b"Europe/Berlin", b"Australia/Lord_Howe")])) for text in texts]


def uplinks():
    return [line for each in ("tts", "chirpstack") for line in lines_of(DATA / "feed" / f"{each}.jsonl", 10)]


def mappings():
    text = (ROOT / "feed" / "README.md").read_text()
    return [block.split("```", 1)[0].encode() for block in text.split("```ini\n")[1:]] + [
        b"[a]\nfiles = x\n" * 300, b"[" + b"a" * 300 + b"]\n", b"[a]\nmissing = ,,,, ,\n"]


def pack_files():
    real = (DATA / "annotate" / "lake.jsonl").read_bytes()[:20000]
    return [real, real.replace(b",", b",\n"), b"[{\n}]\n[\n[{}]\r\n[\"\n", b"[" + b" " * 40000 + b"]\n[1]\n", b'["\\"]\n[',
            b"\n" * 1000]


def backups():
    """The sums; documents of BSON; statements."""
    document = b"\x16\0\0\0\x02a\0\x06\0\0\0hello\0\x08b\0\x01\0"
    statement = b"<urn:a> <urn:b> \"c\" .\n"
    plain = [b"%064d  backup.json\n" % 0 * 3, b"%064d  ../../../dev/zero\n" % 0, b"%064d  " % 0 + b"a/" * 3000, document * 3,
             b"\x05\0\0\0\0" * 500, document[:-1], b"\xff\xff\xff\xff" + document, b"\0\0\0\1" + bytes(60000),
             statement * 50, b"a" * 60000]
    return plain + [gzip.compress(each, mtime=0) for each in plain] + [
        gzip.compress(b"\xff\xff\xff\x7f" + bytes(60 << 20), mtime=0), gzip.compress(b"a" * (60 << 20), mtime=0)]


def management():
    overview, policy = b'{"rabbitmq_version":"3.10.8"}', (
        b'[{"name":"a","pattern":"^ir\\\\.","apply-to":"queues","priority":1,"definition":{"delivery-limit":5,"max-length":9}}]')
    queues = (b'{"items":[{"name":"ir.observations.0","type":"quorum","arguments":{"x-overflow":"reject-publish",'
              b'"x-dead-letter-exchange":"ir.rejected"}}]}')
    return [b"\0".join(parts) for parts in ((overview, queues, policy, b"[]"), (overview, queues, b"[]", policy), (overview, queues),
                                            (overview, queues, policy.replace(b"^ir", b"(a*)*(b|c"), b"[]"))]


TARGETS = {
    "senml_json": json_packs,
    "senml_cbor": cbor_packs,
    "message": lambda: json_packs() + cbor_packs() + [gzip.compress(each, mtime=0) for each in json_packs()[:12]] + [
        gzip.compress(b"[" + b"{}," * 300000 + b"{}]", mtime=0), gzip.compress(bytes(2 << 20), mtime=0)],
    "submission": bodies,
    "http": requests,
    "amqp": headers,
    "assembly": frames,
    "registry": registries,
    "stations": stations,
    "settings": settings,
    "tokens": tokens,
    "replay": replays,
    "ledger": ledgers,
    "sparql": answers,
    "logger": loggers,
    "uplink": uplinks,
    "mapping": mappings,
    "packs": pack_files,
    "backup": backups,
    "policies": management,
}

# ---- words ----

LABELS = ["bver", "bn", "bt", "bu", "bv", "bs", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut", "Cel", "m3/s", "1e308"]


def terms():
    """Returns the terms that a registry knows."""
    text = (ROOT / "observation" / "registry" / "terms.c").read_text()
    return sorted({each for each in re.findall(r'"([A-Za-z:/#.-]{3,60})"', text)}) + ["[ ", " ]", "( ", " )", "a ", "^^xsd:double"]


WORDS = {
    "senml_json": lambda: [f'"{each}":' for each in LABELS],
    "message": lambda: [f'"{each}":' for each in LABELS],
    "submission": lambda: [f'"{each}":' for each in LABELS],
    "http": lambda: ["Content-Length: ", "Transfer-Encoding: chunked", "Content-Encoding: gzip", "Expect: 100-continue",
                     "Connection: close", "Host: ", "Idempotency-Key: ", "HTTP/1.0", "HTTP/1.1", "POST ", "0\\x0d\\x0a\\x0d\\x0a"],
    "registry": terms,
    "stations": lambda: ["mote", "latitude", "longitude", "sensor", "property", "unit", "low", "high", "label", "feature", "interval",
                         "Cel", "degree Celsius", "water-level", "https://", "\\x22\\x22"],
    "settings": lambda: re.findall(r'"([^"]+)"', (ROOT / "common" / "setting_names.inc").read_text()),
    "amqp": lambda: ["timestamp_in_ms", "ir-arrival", "gateway", "redelivered"],
    "replay": lambda: ["ft3/s", "deg C", "ft", "mg/l", "2011-11-05T05:00:00Z"],
    "ledger": lambda: [ID, "# end"],
    "logger": lambda: ["TOA5", "agency_cd", "Datum;Temp;Pegel", "Europe/Berlin", "26.10.2025 02:30", ";NAN", "\\x22\\x22"],
    "uplink": lambda: ["uplink_message", "decoded_payload", "end_device_ids", "received_at", "f_cnt", "rxInfo", "object"],
    "backup": lambda: ["\\x05\\x00\\x00\\x00\\x00", "  ", "../", "\\x1f\\x8b\\x08"],
    "policies": lambda: re.findall(r'"([a-z-]{3,40})"', (ROOT / "worker" / "policies.c").read_text()),
    "mapping": lambda: re.findall(r'\{"([a-z-]+)"', (ROOT / "feed" / "map.c").read_text()),
}


def write(folder):
    shutil.rmtree(folder, ignore_errors=True)
    for target, make in TARGETS.items():
        corpus = folder / target
        corpus.mkdir(parents=True)
        for number, data in enumerate(make()):
            (corpus / f"{number:03}").write_bytes(data)
        for finding in sorted((DATA / "fuzz" / target).glob("*")):
            shutil.copy(finding, corpus)
        if target in WORDS:
            words = [each if "\\x" in each else each.replace("\\", "\\\\").replace('"', '\\"') for each in WORDS[target]()]
            (folder / f"{target}.dict").write_text("".join(f'"{each}"\n' for each in words))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    write(parser.parse_args().folder)


if __name__ == "__main__":
    guard.run("seeds.py", main)
