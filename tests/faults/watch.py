"""Watches a run. Twice a second it records what is wrong, how much waits and how much was confirmed. It also determines
when everything is normal again."""

import threading
import time

import pika
import servers

from .kinds.broker import connect

PERIOD = 0.5
LOOK_SECONDS = 180  # time limit for one sample of the stack; each query in it has a limit of its own
FEW_SECONDS = 2  # messages of this many seconds may be in progress without counting as a backlog
TWICE = 2  # good samples needed in a row, because one sample may miss a message that is moving between two places


class Queues:
    """Returns the number of messages that wait or that workers hold; None if it cannot be determined."""

    def __init__(self, river):
        self.river, self.connection = river, None

    def waiting(self):
        try:
            if self.connection is None or self.connection.is_closed:
                self.connection = connect(self.river)
                self.channel = self.connection.channel()
            names = [f"ir.observations.{i}" for i in range(8)]
            return sum(self.channel.queue_declare(name, passive=True).method.message_count for name in names)
        except (pika.exceptions.AMQPError, OSError):
            self.connection = None
            return None

    def in_hand(self):
        try:
            return sum(each.metric("ir_messages_in_flight") for each in self.river.workers)
        except OSError:
            return None


class Watch(threading.Thread):
    """Takes samples until stop(). A sample has: seconds since the start, troubles, waiting messages, unanswered
    messages, and whether all messages are answered."""

    def __init__(self, river):
        super().__init__(daemon=True)
        self.river, self.queues = river, Queues(river)
        self.motes = None  # the load of the current round
        self.begun = time.monotonic()
        self.looked = 0  # when the last sample was completed
        self.samples = []
        self.over = threading.Event()

    def now(self):
        return time.monotonic() - self.begun

    def run(self):
        while not self.over.wait(PERIOD):
            self.samples.append(self.sample())
            self.looked = self.now()

    def check(self):
        """Raises an error if no samples are being taken any more."""
        if not self.is_alive() and not self.over.is_set():
            raise servers.ServerError("the watch of the stack ended unexpectedly; see standard error for the reason")
        if self.now() > self.looked + LOOK_SECONDS:
            raise servers.ServerError(f"a sample of the stack has not ended within {LOOK_SECONDS} s")

    def sample(self):
        began = self.now()
        troubles = self.river.troubles()
        waiting, in_hand = self.queues.waiting(), self.queues.in_hand()
        motes = self.motes
        unanswered, answered = motes.unanswered() if motes else (0, True)
        return {"began": began, "at": self.now(), "troubles": troubles, "unanswered": unanswered, "answered": answered,
                "waiting": None if waiting is None or in_hand is None else waiting + in_hand,
                "confirmed": sum(row["messages_confirmed"] for row in motes.series()) if motes else 0}

    def stop(self):
        self.over.set()
        self.join(60)

    # ---- waiting for something ----

    def await_samples(self, good, seconds):
        """Waits for TWICE good samples in a row that begin after this call. Returns the time of the first one, or None
        if the time limit is over."""
        first = self.now()
        while self.now() < first + seconds + PERIOD:
            self.check()
            found = [each for each in list(self.samples[-40:]) if each["began"] >= first]
            for one, *others in zip(*(found[i:] for i in range(TWICE))):
                if good(one) and all(map(good, others)):
                    return one["at"]
            time.sleep(PERIOD / 2)
        return None

    def await_normal(self, few, seconds):
        """Waits until everything is ready, and only a few messages are in progress."""
        return self.await_samples(lambda each: self.why_not(each, few) is None, seconds)

    def await_drained(self, seconds):
        """Waits until everything is sent and answered, and nothing is in progress."""
        return self.await_samples(lambda each: each["answered"] and self.why_not(each, 0) is None, seconds)

    @staticmethod
    def why_not(sample, few):
        if sample["troubles"]:
            return "; ".join(sample["troubles"])
        if sample["waiting"] is None:
            return "the queues cannot be asked"
        if sample["waiting"] > few or sample["unanswered"] > few:
            return f"{sample['waiting']:.0f} messages wait, {sample['unanswered']:.0f} are not confirmed"
        return None

    def trouble(self, few):
        """Describes in words what is wrong in the last sample."""
        return (self.why_not(self.samples[-1], few) if self.samples else None) or "it took too long"
