"""At the end of a round, compares what is stored with everything that was sent in all rounds so far."""

import load
import servers

KEYS = ("missing", "doubled", "foreign", "again")  # "again" counts messages, the others count items
LATE_SECONDS = 60  # seconds to wait for missing data


class Verdicts:
    """`ledgers`: folders with the ledgers of everything that was sent."""

    def __init__(self, river):
        self.river = river
        self.before = dict.fromkeys(KEYS, 0)

    def totals(self, motes):
        verdict = motes.verify(*(each for each in self.river.ledgers if each != motes.directory))
        return {**{key: load.total(verdict, key) for key in KEYS}, "again": verdict["raw"]["again"]}

    def of(self, motes):
        """Compares what was stored since the last comparison. Waits a little if data are missing."""
        found = {}

        def complete():
            found.update(self.totals(motes))
            return found["missing"] <= self.before["missing"]

        servers.wait_until(complete, LATE_SECONDS, pause=2)
        more = {key: found[key] - self.before[key] for key in KEYS}
        self.before = dict(found)
        return more


def judge_stores(verdict, rounds):
    """Describes in words what is stored wrongly. `rounds` has, for each round since the last comparison, the motes'
    summary and whether all faults were behind the broker, so that no mote noticed them."""
    wrong = [f"{count} {key}" for key, count in verdict.items() if key != "again" and count != 0]
    resent = sum(summary["resent"] for summary, all_behind in rounds if not all_behind)
    if verdict["again"] > resent:
        wrong.append(f"{verdict['again']} more than once, and {resent} sent again because of faults before the workers")
    return wrong


def judge_motes(summary, all_behind):
    """Describes what the motes should not have seen. `all_behind`: whether all faults were behind the broker. Then the
    motes' subscription never broke, so it must have received all published messages. Otherwise a broker that is
    separated from its peers may forget the subscription without a sign. If messages are missing, their copies may have
    come late, and the order says nothing."""
    wrong = []
    if summary["order_violations"] and (all_behind or not summary["messages_missing"]):
        wrong.append(f"{summary['order_violations']} out of order")
    if all_behind and summary["messages_missing"] and not summary["subscription_gaps"]:
        wrong.append(f"{summary['messages_missing']} not published again")
    if summary["messages_lost"] or summary["messages_refused"]:
        wrong.append(f"{summary['messages_lost']} without an answer, {summary['messages_refused']} refused")
    return wrong
