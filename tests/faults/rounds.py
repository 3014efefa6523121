"""One round: a load, the planned faults, a recovery after each, and a verdict when no message is in progress."""

import contextlib
import random
import time

import pika
import servers

from .kinds.kind import behind
from .motes import Motes
from .verdict import judge_motes, judge_stores

NEVER = 10  # the run is abandoned if a recovery takes this many times the limit, on any machine
DRAIN_SECONDS = 120
JOIN_SECONDS = 60  # time for separated brokers to join again
TROUBLES = (servers.ServerError, pika.exceptions.AMQPError, OSError)


class Rounds:
    """`watch` and `verdicts` are shared by all rounds. `settings` are those of cli.py. `tell(text)` reports
    progress."""

    def __init__(self, river, watch, verdicts, settings, tell):
        self.river, self.watch, self.verdicts, self.settings, self.tell = river, watch, verdicts, settings, tell
        self.few = max(20, 2 * river.message_rate)
        # of each round since the last comparison: (the motes' summary, whether all faults were behind the broker)
        self.not_compared = []

    def run(self, planned):
        """Runs the round. Returns its row, and the rows of its faults. The field "wrong" lists parts of ours that died
        unexpectedly, late recoveries, and wrongly stored data."""
        motes = Motes(self.river, f"{planned.number:04}", planned.ways)
        self.river.ledgers.append(motes.directory)
        self.watch.motes = motes
        begun = self.watch.now()
        motes.start(planned.number, planned.observations, self.settings.rate)
        rows = self.break_things(planned, begun)
        wrong = [f"{row['fault']}: {text}" for row in rows for text in row["wrong"]]
        if self.watch.await_drained(self.settings.patience * DRAIN_SECONDS) is None:
            wrong.append(f"not all through {self.settings.patience * DRAIN_SECONDS} s later: {self.watch.trouble(0)}")
        wrong += [text for ask in self.river.afterwards for text in ask()]
        self.river.afterwards.clear()
        roles = {self.river.roles[each.target] for each in planned.faults}
        all_behind = all(map(behind, roles))
        summary = motes.end(all_behind, DRAIN_SECONDS)
        self.not_compared.append((summary, all_behind))
        wrong += judge_motes(summary, all_behind)
        if "broker" in roles and not self.river.await_joined(self.settings.patience * JOIN_SECONDS):
            wrong.append("the brokers' databases stay separated")
        return {"round": planned.number, "begun": begun, "ended": self.watch.now(), "ways": "+".join(planned.ways),
                "messages": summary["messages_confirmed"], "observations": summary["observations_confirmed"],
                "resent": summary["resent"], "order_violations": summary["order_violations"], "wrong": wrong,
                "faults": rows}

    def compare(self, row):
        """Compares what the stores received since the last comparison, and adds the result to the row of the last
        round. Then shrinks the graph's files, which would otherwise fill its disk during a long run."""
        verdict = self.verdicts.of(self.watch.motes)
        row["wrong"] += judge_stores(verdict, self.not_compared)
        row.update(verdict)
        self.not_compared.clear()
        if self.river.settings.graph == "fuseki":
            self.watch.motes.compact()

    def break_things(self, planned, begun):
        """Injects every fault at its time and ends it. If two faults overlap, both end together."""
        rows = []
        with contextlib.ExitStack() as going_on:
            for fault in planned.faults:
                time.sleep(max(0, begun + fault.at - self.watch.now()))
                rows.append(self.begin(planned, fault, going_on))
            last = max(row["begun"] + fault.lasts for row, fault in zip(rows, planned.faults))
            time.sleep(max(0, last - self.watch.now()))
            by_itself = self.ended_by_itself(planned.faults)
            try:
                going_on.pop_all().close()
            except TROUBLES as error:
                rows[-1]["wrong"].append(f"{error!r}")
        self.river.revive()
        ended = self.watch.now()
        self.recover(planned, rows, ended)
        rows[0]["wrong"] += [f"{name} ended by itself" for name in by_itself]
        return rows

    def begin(self, planned, fault, going_on):
        name = f"{fault.target} {fault.kind.name}"
        self.tell(f"round {planned.number}: {fault.target} {fault.kind.what}, {fault.lasts:.1f} s")
        row = {"fault": name, "kind": fault.kind.name, "target": fault.target, "begun": self.watch.now(), "wrong": []}
        try:
            end = fault.kind.begin(self.river, fault.target, random.Random(fault.seed))
        except TROUBLES as error:
            row["wrong"].append(f"could not be done: {error!r}")
            end = None
        if end:
            going_on.callback(end)
        return row

    def ended_by_itself(self, faults):
        """Returns the workers and gateways that died although no fault killed them."""
        killed = {name for fault in faults for name in (
            self.river.named(self.river.roles[fault.target]) if fault.kind.of_all else [fault.target])}
        return [name for name, role in self.river.roles.items()
                if role in ("worker", "gateway") and name not in killed and not self.river.alive(name)]

    def recover(self, planned, rows, ended):
        """Waits until everything is normal again."""
        usual = sum(each.kind.bound_of(self.river.roles[each.target]) for each in planned.faults)
        bound = self.settings.patience * usual
        normal = self.watch.await_normal(self.few, bound)
        if normal is None:
            rows[-1]["wrong"].append(f"not normal again {bound} s after its end: {self.watch.trouble(self.few)}")
            normal = self.watch.await_normal(self.few, NEVER * usual)
        if normal is None:
            raise servers.ServerError(f"{rows[-1]['fault']}: nothing works {bound + NEVER * usual} s after its end: "
                                      f"{self.watch.trouble(self.few)}")
        for row in rows:
            row.update(ended=ended, recovered=normal, recovery=normal - ended, bound=bound)
