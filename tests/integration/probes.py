"""Packs with times relative to their arrival, sent one by one over AMQP, MQTT and HTTP during a test. The probes record
when each pack was sent and confirmed. The stored arrival must lie between these two times."""

import subprocess
import threading
import time
import urllib.error
import urllib.request

import pika

import harness

MOTE = "sim-0000001"  # one of the generator's simulated motes
VIAS = ("amqp", "mqtt", "http")
KINDS = ((None, False), (30, False), (None, True), (30, True))  # (seconds before the arrival or None, has a name)
RETRY_SECONDS = 60


class Probes(threading.Thread):
    """Sends packs from the start to the end of a `with` block. Set the mote's `token` first."""

    mote = MOTE

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack, self.token = stack, None
        self.over = threading.Event()
        self.error = None
        self.sent = []  # (message, begin, end, tries)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(2 * RETRY_SECONDS)

    def run(self):
        try:
            while not self.over.wait(0.2):
                self.send(len(self.sent))
        except Exception as error:  # noqa: BLE001 (reported by check)
            self.error = error

    def send(self, number):
        via = VIAS[number % len(VIAS)]
        age, named = KINDS[number // len(VIAS) % len(KINDS)]
        name = f"probe-{time.time_ns()}" if named and via != "mqtt" else None
        record = {"n": f"{MOTE}/00010", "u": "Cel", "v": 10 + number / 1000, "t": 0}
        message = harness.ArrivalMessage(MOTE, [record], time.time_ns() % 10**12, age, name)
        begin, tries = time.time_ns(), 0
        while tries == 0 or not done:
            tries += 1
            done = getattr(self, via)(message)
            if not done and time.time_ns() - begin > RETRY_SECONDS * 10**9:
                raise AssertionError(f"a probe by {via} is not confirmed within {RETRY_SECONDS} s")
        self.sent.append((message, begin, time.time_ns(), tries))

    def amqp(self, message):
        host, port = self.stack.balancer.address("amqp").split(":")
        login = pika.PlainCredentials("mote", self.stack.cluster.passwords["mote"])
        try:
            connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port), "/", login))
            channel = connection.channel()
            channel.confirm_delivery()
            properties = pika.BasicProperties(content_type=harness.SENML_JSON, delivery_mode=2, message_id=message.name)
            channel.basic_publish("ir.observations", f"ir.{MOTE}", message.body, properties, mandatory=True)
            connection.close()
        except (pika.exceptions.AMQPError, OSError):
            return self.pause()
        return True

    def mqtt(self, message):
        host, port = self.stack.balancer.address("mqtt").split(":")
        argv = ["mosquitto_pub", "-h", host, "-p", port, "-V", "mqttv311", "-q", "1", "-i", "probe", "-u", "mote", "-P",
                self.stack.cluster.passwords["mote"], "-t", f"ir/{MOTE}", "-s"]
        try:
            done = subprocess.run(argv, input=message.body, capture_output=True, timeout=10, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            done = False
        return done or self.pause()

    def http(self, message):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": harness.SENML_JSON}
        if message.name:
            headers["Idempotency-Key"] = message.name
        url = f"http://{self.stack.balancer.address('http')}/v1/observations"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, message.body, headers), timeout=20) as answer:
                return answer.status == 202
        except urllib.error.HTTPError as answer:
            assert answer.code in (429, 503), f"{answer.code}: {answer.read()}"
        except OSError:
            pass
        return self.pause()

    @staticmethod
    def pause():
        time.sleep(0.1)
        return False

    # ---- afterwards ----

    def write_ledger(self, directory):
        """Writes a ledger of the probes into a new folder, which it returns."""
        directory.mkdir()
        harness.write_ledger(directory / "ledger.txt", [(message, tries) for message, _, _, tries in self.sent])
        return directory

    def check(self, arrivals):
        """Checks the stored raw messages, given as `arrivals`: [(body, ns, id)]."""
        assert self.error is None, self.error
        assert len(self.sent) >= len(VIAS) * len(KINDS), "too few were sent to say anything"
        stored = {}
        for body, time_ns, _ in arrivals:
            stored.setdefault(bytes(body), []).append(time_ns)
        for message, begin, end, tries in self.sent:
            times = stored[message.body]
            assert 1 <= len(times) <= (1 if message.name else tries), message.body
            # Brokers stamp with a resolution of a millisecond.
            assert all(begin - 10**6 <= each <= end for each in times), (message.body, begin, times, end)
