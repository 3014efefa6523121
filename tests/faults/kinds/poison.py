"""Sends bad messages ("poison") over AMQP, among the good ones of the motes: one for every known reason of a
refusal."""

import collections
import contextlib
import threading
import time

import pika
import servers

from .. import poisons
from .broker import connect
from .kind import Kind

ROLES = ("balancer",)  # the part through which the poison is sent
NEVER_BACK_SECONDS = 120


class Poisoner(threading.Thread):
    """Sends poison until stop() is called."""

    def __init__(self, river, rate, seed):
        super().__init__(daemon=True)
        self.river, self.rate = river, rate
        self.stream = poisons.stream(river.poisoners, seed)
        self.over = threading.Event()
        self.error = None
        self.sent = []
        self.before = refused(river)

    def run(self):
        try:
            self.send_all()
        except Exception as error:  # noqa: BLE001 (reported by stop)
            self.error = error

    def send_all(self):
        begun = time.monotonic()
        with contextlib.closing(connect(self.river, "mote", "amqp")) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            while not self.over.wait(max(0, begun + len(self.sent) / self.rate - time.monotonic())):
                each = next(self.stream)
                properties = pika.BasicProperties(content_type=each.content_type, delivery_mode=2)
                channel.basic_publish("ir.observations", each.key, each.body, properties, mandatory=True)
                self.sent.append(each)

    def stop(self):
        self.over.set()
        self.join(NEVER_BACK_SECONDS)
        if self.is_alive() or self.error:
            raise servers.ServerError(f"poison was not taken: {self.error or 'no confirm'}")
        self.write_ledger()
        self.river.afterwards.append(self.not_refused)

    def not_refused(self):
        """Lists poison that was not refused as expected. Call it when no message is in progress."""
        wanted, now = collections.Counter(each.reason for each in self.sent), refused(self.river)
        return [f"{count - (now[reason] - self.before[reason]):.0f} of {count} not refused as {reason}"
                for reason, count in wanted.items() if now[reason] - self.before[reason] < count]

    def write_ledger(self):
        directory = self.river.new_ledger("poison")
        lines = [line for each in {each.raw_id: each for each in self.sent}.values() for line in each.ledger_lines()]
        (directory / "ledger.txt").write_text("\n".join(["# ir-ledger 2", *lines, "# end", ""]))


def refused(river):
    """Returns the number of refusals so far by reason, over all workers."""
    counts = {}
    for worker in river.workers:
        for series, value in worker.metrics().items():
            if series.startswith("ir_rejected_total{"):
                reason = series.split('"')[1]
                counts[reason] = counts.get(reason, 0) + value
    return counts


def poison(share):
    """Makes a fault in which `share` of all messages are poison."""
    def begin(river, _target, dice):
        rate = max(1, river.message_rate * share / (1 - share))
        poisoner = Poisoner(river, rate, dice.randrange(2**31))
        poisoner.start()
        return poisoner.stop

    return begin


ROWS = [
    Kind("poison-1", "passing 1 % of poison of every kind", ROLES, poison(0.01), (15, 30), 60, alone=True),
    Kind("poison-50", "receiving as much poison of every kind as good messages", ROLES, poison(0.5), (8, 20), 60, alone=True),
]
