"""Messages that must be refused: at least one row for each reason in the workers' code. The runner gets the list of
reasons from a worker. Refusals by the stores and the broker come from real causes: MongoDB's validator, the proxy in
front of the triplestore, and the size limit for published messages."""

import itertools
import random

import bad_packs
import harness
import proxies
import servers

from .river import PUBLISH_BYTES

REFUSED_DOCUMENT = 98765  # a value that the document store is configured to refuse
REFUSED_STATEMENT = 98764.5
FIRST_TIME = 1_000_000_000  # the poison's first time, years before the times of the motes
HEAVY = ("too-large", "too-many-records", "unpublishable")
HEAVY_EVERY = 20  # each of these is sent once while the other reasons are sent this many times


class Poison:
    """A message, its refused records, and its entries in the ledger. `unsure`: ids of which it is not known whether
    they are stored."""

    def __init__(self, case, kept=(), unsure=()):
        self.reason, self.record = case.reason, case.record
        self.key, self.body, self.content_type = case.key, case.body, case.content_type
        self.raw_id, self.kept, self.unsure = case.raw_id, list(kept), list(unsure)

    def ledger_lines(self):
        whole = self.record < 0 and not self.kept
        lines = [f"{'r' if whole else 'm'} {self.raw_id}"]
        lines += [f"o {each}" for each in self.kept]
        return lines + ([f"u {self.raw_id}", *(f"p {each}" for each in self.unsure)] if self.unsure else [])


def stored_elsewhere(mote, at):
    """Returns the poisons that the stores and the broker refuse."""
    sensor, key = f"{mote}/00010", f"ir.{mote}"

    def good(value, number):
        return {"n": sensor, "u": "Cel", "t": at + number, "v": value}

    pack = [good(11.25, 1800), good(REFUSED_DOCUMENT, 1801), good(12.5, 1802)]
    case = bad_packs.Case("a value that the database refuses", pack, "document-refused", 1, [pack[0], pack[2]], key=key)
    yield Poison(case, case.ids)
    pack = [good(11.25, 1810), good(REFUSED_STATEMENT, 1811), good(12.5, 1812)]
    case = bad_packs.Case("a statement that the triplestore refuses", pack, "graph-refused", 1, pack, key=key)
    yield Poison(case, [case.ids[0], case.ids[2]], [case.ids[1]])
    pack = [good(10 + i / 1000, 1900 + i) for i in range(PUBLISH_BYTES // 150)]
    case = bad_packs.Case("more than is republished", pack, "unpublishable", 0, pack, key=key)
    yield Poison(case, case.ids)


def of(mote, other, at):
    """Returns all poisons for one mote and hour."""
    return [Poison(each, each.ids) for each in bad_packs.cases(mote, other, at)] + list(stored_elsewhere(mote, at))


def stream(motes, seed):
    """Yields poisons for ever, in random order. All reasons are equally frequent, but large messages become rare after
    the first turn."""
    dice = random.Random(seed)
    first = seed % 10**5 * 100
    for hour in itertools.count(first):
        mote, other = dice.sample(motes, 2)
        by_reason = {}
        for each in of(mote, other, FIRST_TIME + 3600 * hour % 300_000_000):
            by_reason.setdefault(each.reason, []).append(each)
        turn = [dice.choice(each) for reason, each in by_reason.items()
                if hour == first or reason not in HEAVY or dice.randrange(HEAVY_EVERY) == 0]
        dice.shuffle(turn)
        yield from turn


def prepare(river):
    """Configures the stores to refuse what they must refuse."""
    rule = {"collMod": "observations", "validator": {"value": {"$ne": REFUSED_DOCUMENT}}}
    if servers.mongodb.DONE not in (answer := river.document_server.command(rule, "river")):
        raise servers.ServerError(f"mongod does not take the rule {rule}: {answer!r}")
    refused_text = f'"{harness.number_text(REFUSED_STATEMENT)}"'.encode()

    def refuse(_method, _path, content_type, body):
        refused = "n-quads" in content_type and b"urn:uuid:" in body and refused_text in body
        return proxies.http_answer(400, b"not this value") if refused else None

    river.graph_proxy.fault = refuse


def check(river):
    """Checks that the reasons here are the same as those that the workers know."""
    known = {series.split('"')[1] for series in river.workers[0].metrics() if series.startswith("ir_rejected_total{")}
    here = {each.reason for each in of("a", "b", FIRST_TIME)}
    if known != here:
        raise servers.ServerError(f"tests/faults/poisons.py lacks {sorted(known - here)}, and has {sorted(here - known)}, "
                                  "which the workers do not know")
