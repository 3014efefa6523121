"""What is stored against what was sent, after each round; all rounds so far count."""

import load
import servers

KEYS = ("missing", "doubled", "foreign", "again")  # the last in messages
LATE_SECONDS = 60  # what is not there yet is looked for so long


class Verdicts:
    """`ledgers`: folders of all that was sent."""

    def __init__(self, river):
        self.river = river
        self.before = dict.fromkeys(KEYS, 0)

    def totals(self, motes):
        verdict = motes.verify(*(each for each in self.river.ledgers if each != motes.directory))
        return {**{key: load.total(verdict, key) for key in KEYS}, "again": verdict["raw"]["again"]}

    def of(self, motes):
        """What came to the earlier rounds' with this one; waits a little for what is missing."""
        found = {}

        def complete():
            found.update(self.totals(motes))
            return found["missing"] <= self.before["missing"]

        servers.wait_until(complete, LATE_SECONDS, pause=2)
        more = {key: found[key] - self.before[key] for key in KEYS}
        self.before = dict(found)
        return more


def judge(verdict, summary, all_behind):
    """What is wrong, as words. `all_behind`: the round's faults were behind the broker only, so that no mote noticed them."""
    wrong = [f"{count} {key}" for key, count in verdict.items() if key != "again" and count != 0]
    if verdict["again"] > summary["resent"]:
        wrong.append(f"{verdict['again']} more than once, and {summary['resent']} sent again")
    if all_behind and verdict["again"]:
        wrong.append(f"{verdict['again']} more than once although only what is behind the broker failed")
    if summary["order_violations"]:
        wrong.append(f"{summary['order_violations']} out of order")
    if summary["messages_lost"] or summary["messages_refused"]:
        wrong.append(f"{summary['messages_lost']} without an answer, {summary['messages_refused']} refused")
    return wrong
