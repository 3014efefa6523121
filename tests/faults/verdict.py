"""Compares what is stored with what was sent, at the end of a round, over all rounds so far."""

import load
import servers

KEYS = ("missing", "doubled", "foreign", "again")  # the last value counts messages
LATE_SECONDS = 60  # seconds to wait for missing data


class Verdicts:
    """`ledgers`: folders of all that was sent."""

    def __init__(self, river):
        self.river = river
        self.before = dict.fromkeys(KEYS, 0)

    def totals(self, motes):
        verdict = motes.verify(*(each for each in self.river.ledgers if each != motes.directory))
        return {**{key: load.total(verdict, key) for key in KEYS}, "again": verdict["raw"]["again"]}

    def of(self, motes):
        """Compares what was stored since the last comparison; waits a little for missing data."""
        found = {}

        def complete():
            found.update(self.totals(motes))
            return found["missing"] <= self.before["missing"]

        servers.wait_until(complete, LATE_SECONDS, pause=2)
        more = {key: found[key] - self.before[key] for key in KEYS}
        self.before = dict(found)
        return more


def judge_stores(verdict, rounds):
    """Describes what is stored wrongly, in words. `rounds`: for each round since the last comparison, (the motes'
    summary, whether all faults were behind the broker, so that no mote noticed them)."""
    wrong = [f"{count} {key}" for key, count in verdict.items() if key != "again" and count != 0]
    resent = sum(summary["resent"] for summary, all_behind in rounds if not all_behind)
    if verdict["again"] > resent:
        wrong.append(f"{verdict['again']} more than once, and {resent} sent again because of faults before the workers")
    return wrong


def judge_motes(summary, all_behind):
    """Describes what the motes saw but should not have seen. `all_behind`: as in judge_stores. Then what is published
    again reaches a subscription that never broke."""
    wrong = []
    if summary["order_violations"]:
        wrong.append(f"{summary['order_violations']} out of order")
    if all_behind and summary["messages_missing"] and not summary["subscription_gaps"]:
        wrong.append(f"{summary['messages_missing']} not published again")
    if summary["messages_lost"] or summary["messages_refused"]:
        wrong.append(f"{summary['messages_lost']} without an answer, {summary['messages_refused']} refused")
    return wrong
