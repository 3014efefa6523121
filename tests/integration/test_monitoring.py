"""Monitoring: rules, dashboards and alerts with a real Prometheus and a running stack. Also ir-top."""

import contextlib
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pika
import pytest

import harness
from harness import ROOT, servers, wait_for
from test_river import River

import monitor
import stack as stacks

MONITORING = ROOT / "monitoring"
DOCS = ROOT / "docs"
TOP = MONITORING / "ir-top"
PACE = 30
MOTE, UNKNOWN = "USGS-08068500", "nobody-knows-me"

sys.path.insert(0, str(MONITORING))

import configuration  # noqa: E402
import dashboards  # noqa: E402

needs_prometheus = pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's package prometheus is not installed")


def alerts():
    """Returns the names of all alerts."""
    return re.findall(r"- alert: (\w+)", (MONITORING / "alerts.yml").read_text())


def pack(mote, **value):
    return json.dumps([{"n": f"{mote}/00010", **(value or {"u": "Cel", "v": 18.7})}]).encode()


# ---- files ----


def promtool(*words):
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
@pytest.mark.parametrize("pace", [1, PACE])
def test_prometheus_takes_the_files(tmp_path, pace):
    target = {"job": "worker", "name": "worker-1", "address": "127.0.0.1:9400"}
    promtool("check", "config", configuration.write(tmp_path, [target], [{"name": "https", "address": target["address"]}], pace=pace))
    promtool("check", "rules", tmp_path / "rules.yml", tmp_path / "alerts.yml")
    assert [each.name for each in (tmp_path / "targets").iterdir()].count("broker.json") == 1


@needs_prometheus
def test_rules():
    promtool("test", "rules", *sorted(MONITORING.glob("*.test.yml")))


def test_each_alert_has_its_entry_in_the_runbook():
    text = (DOCS / "howto" / "runbook.md").read_text()
    assert re.findall(r"^## (\w+)$", text, re.M) and sorted(re.findall(r"^## (\w+)$", text, re.M)) == sorted(alerts())
    for entry in re.split(r"^## ", text, flags=re.M)[1:]:
        assert all(f"**{word}" in entry for word in ("Meaning.", "Look at**", "Do")), entry.splitlines()[0]
    pointed = re.findall(r"runbook: docs/howto/runbook.md#(\w+)", (MONITORING / "alerts.yml").read_text())
    assert pointed == [each.lower() for each in alerts()]


def test_dashboards_are_those_of_the_script():
    for name in dashboards.DASHBOARDS:
        assert (dashboards.FOLDER / f"{name}.json").read_text() == dashboards.text(name), "run: make dashboards"


def test_targets_of_an_inventory(tmp_path):
    done = subprocess.run([MONITORING / "configure", ROOT / "platforms" / "inventory.conf", tmp_path], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = {job: json.loads((tmp_path / "targets" / f"{job}.json").read_text()) for job in configuration.JOBS}
    places = {job: [each["targets"][0] for each in groups] for job, groups in told.items()}
    assert places["broker"] == [f"10.0.0.1{i}:15692" for i in (1, 2, 3)] and places["balancer"] == ["10.0.1.1:8404"]
    assert places["gateway"] == ["10.0.0.1:8081", "10.0.0.1:8082"] and len(places["worker"]) == 8


# ---- the worker's metrics ----


def test_the_age_of_the_oldest_message(make_pipeline, messages):
    """The age of the oldest message counts from its arrival, not from its delivery. It is 0 when no message is in
    progress."""
    pipeline = make_pipeline(settings=["--trusted-users=guest"]).init()
    worker = pipeline.worker()
    assert worker.metric("ir_oldest_message_age_seconds") == 0
    documents = pipeline.directory / "documents.sqlite"
    documents.rename(documents.with_name("away"))
    an_hour_ago = (time.time_ns() - 3600 * 10**9) // 1000
    first, *others = messages[:20]
    properties = pika.BasicProperties(delivery_mode=2, user_id="guest", headers={"ir-arrival": an_hour_ago})
    pipeline.connect().basic_publish("ir.observations", f"ir.{first.mote}", first.body, properties)
    for message in others:
        pipeline.publish(message)
    wait_for(lambda: worker.metric("ir_messages_in_flight") == 20, "the messages to be taken")
    assert 3600 <= worker.metric("ir_oldest_message_age_seconds") < 3700
    documents.with_name("away").rename(documents)
    pipeline.drain()
    wait_for(lambda: worker.metric("ir_messages_in_flight") == 0, "the acknowledgements")
    told = worker.metrics()
    assert told["ir_oldest_message_age_seconds"] == 0
    assert told["ir_arrival_seconds_count"] == 20 and told["ir_arrival_seconds_bucket{le=\"60\"}"] == 19
    assert all(told[f"ir_mote_last_arrival_seconds{{mote=\"{each.mote}\"}}"] > time.time() - 3700 for each in messages[:20])


# ---- a running stack ----


class Watched(stacks.Stack):
    """A small stack with a Prometheus whose time runs thirty times as fast."""

    def __init__(self, folder):
        settings = stacks.Settings({"GATEWAYS": "1", "WORKERS": "1"})
        super().__init__(settings, folder, build=harness.BUILD)
        self.worker_environment = {}
        self.prometheus = monitor.Prometheus(Path(folder) / "monitoring")
        self.blackbox = monitor.Blackbox(Path(folder) / "blackbox", self.prometheus)

    def gateway_arguments(self, listed):
        return [*super().gateway_arguments(listed), "--confirm-timeout=1s"]

    def environment_of(self, name):
        return self.worker_environment if name.startswith("worker") else {}

    def start(self):
        super().start()
        self.blackbox.ports = servers.free_ports(1)
        configuration.write(self.prometheus.directory, self.metrics(), self.tls_doors(), self.blackbox.address, PACE)
        self.blackbox.start()
        self.prometheus.start()

    def stop(self):
        self.prometheus.stop()
        self.blackbox.stop()
        super().stop()

    @property
    def broker(self):
        return self.cluster.members[0]

    @property
    def worker(self):
        return self.workers[0]

    def replace_worker(self, **environment):
        self.worker.kill()
        self.worker_environment = environment
        self.start_worker(0)
        self.worker.await_ready()

    # ---- sending ----

    @contextlib.contextmanager
    def channel(self, user, listener):
        host, port = self.balancer.address(listener).split(":")
        login = pika.PlainCredentials(user, self.cluster.passwords[user])
        with pika.BlockingConnection(pika.ConnectionParameters(host, int(port), "/", login, heartbeat=0)) as connection:
            yield connection.channel()

    def send(self, count, mote=MOTE, **value):
        """Sends messages over AMQP, as the user that motes share."""
        with self.channel("mote", "amqp") as channel:
            for i in range(count):
                name = pika.BasicProperties(message_id=f"{time.time_ns()}-{i}")
                channel.basic_publish("amq.topic", f"ir.{mote}", pack(mote, **value), name)

    def send_late(self):
        """Publishes a reading that arrived an hour ago, as if a gateway had held it until now."""
        arrival = (time.time_ns() - 3600 * 10**9) // 1000
        with self.channel("gateway", "inside") as channel:
            properties = pika.BasicProperties(user_id="gateway", headers={"ir-arrival": arrival})
            channel.basic_publish("ir.observations", f"ir.{MOTE}", pack(MOTE), properties)

    def post(self, body):
        token = self.cluster.mote_tokens[MOTE]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": harness.SENML_JSON}
        request = urllib.request.Request(f"http://{self.balancer.address('http')}/v1/observations", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as answer:
            return answer.code

    # ---- queries to Prometheus ----

    def ask(self, path, **parameters):
        with urllib.request.urlopen(f"{self.prometheus.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=20) as answer:
            return json.load(answer)["data"]

    def values(self, query):
        """Returns the numbers that a query gives now."""
        found = [float(each["value"][1]) for each in self.ask("query", query=query)["result"]]
        return [each for each in found if each == each]

    def firing(self):
        return {each["labels"]["alertname"] for each in self.ask("alerts")["alerts"] if each["state"] == "firing"}

    def await_history(self):
        """Waits until Prometheus has data that are ten minutes old."""
        earlier = configuration.paced("ir:backlog_messages offset 10m", PACE)
        wait_for(lambda: self.values(earlier), "ten minutes to pass", 60, 0.3)

    def await_quiet(self, names):
        wait_for(lambda: not self.firing() & set(names), f"none of {names} to fire", 180, 0.3)

    def await_firing(self, names):
        """Waits until each of these alerts has fired once; they need not fire at the same time."""
        missing = set(names)

        def all_fired():
            missing.difference_update(self.firing())
            return not missing

        wait_for(all_fired, f"{names} to fire", 180, 0.3)


@pytest.fixture(scope="module")
def river():
    with tempfile.TemporaryDirectory(prefix="watched-") as folder:
        made = Watched(folder)
        try:
            made.start()
            yield made
        finally:
            with contextlib.suppress(stacks.StackError):
                made.stop()


@contextlib.contextmanager
def traffic(river):
    """Sends good and bad messages of every kind, over AMQP and HTTP."""
    ended = threading.Event()

    def go():
        while not ended.is_set():
            river.send(5)
            river.send(1, UNKNOWN)
            river.post(pack(MOTE))
            river.post(pack(MOTE, v="wrong"))
            ended.wait(0.1)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)


def queries():
    """Returns the queries of all dashboards, as Grafana would send them."""
    for path in sorted(dashboards.FOLDER.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                text = target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".+")
                yield f"{path.stem}: {panel['title']}", configuration.paced(text, PACE)


@needs_prometheus
def test_each_query_of_each_dashboard_has_data(river):
    """Every query returns data. No alert fires while the stack is healthy."""
    assert len(list(queries())) > 50
    with traffic(river):
        for title, query in queries():
            wait_for(lambda query=query: river.values(query), f"{title}: {query}", 60, 0.3)
        assert river.firing() <= {"DeadLetters", "MoteRefused"}


def described():
    return set(re.findall(r"`((?:ir|process)_\w+)", (DOCS / "reference" / "metrics.md").read_text()))


@needs_prometheus
def test_each_metric_is_described(river):
    river.send(1)
    wait_for(lambda: river.values("ir_mote_last_arrival_seconds"), "an observation")
    told = set()
    for program in (*river.workers, *river.gateways):
        told |= set(re.findall(r"^# TYPE (\w+)", program.get("/metrics")[1], re.M))
    assert told - described() == set()
    recorded = re.findall(r"- record: (\S+)", (MONITORING / "rules.yml").read_text())
    assert [each for each in recorded if f"`{each}`" not in (DOCS / "howto" / "monitor.md").read_text()] == []


@needs_prometheus
def test_figures_of_a_broker_tell_no_secret(river):
    status, text = servers.http_request(river.broker.ports[4], "GET", "/metrics")
    assert status == 200 and b"rabbitmq_build_info" in text
    told = float(re.search(rb"^ir_clock_seconds (\S+)$", text, re.M).group(1))
    assert abs(told - time.time()) < 60
    assert not any(word.encode() in text for word in river.cluster.passwords.values())
    for path in ("/api/queues", "/api/definitions"):
        assert servers.http_request(river.broker.ports[4], "GET", path)[0] == 404


# ---- one fault for each alert: each function causes it, yields, and undoes it ----


def no_worker(river):
    river.await_history()
    river.worker.kill()
    river.send(3000)
    yield
    river.start_worker(0)
    river.worker.await_ready()


def no_gateway(river):
    river.gateways[0].kill()
    yield
    river.start_gateway(0)
    river.gateways[0].await_ready()


def no_balancer(river):
    river.balancer.kill()
    yield
    river.balancer.start()


def certificate_that_ends(river):
    """Replaces a certificate with one that expires in ten days."""
    path = river.balancer.certificates / "server.pem"
    before = path.read_text()
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", "-subj", "/CN=localhost",
                           "-keyout", "-"], capture_output=True, text=True, check=True, timeout=60).stdout
    show_certificate(river, path, made)
    yield
    show_certificate(river, path, before)


def show_certificate(river, path, text):
    river.balancer.kill()
    path.write_text(text)
    river.balancer.start()


def no_broker(river):
    river.broker.kill()
    yield
    river.broker.start()


def no_memory(river):
    """Lets the broker run out of memory: it then confirms no message, not even those of the gateway."""
    river.broker.control("set_vm_memory_high_watermark", "absolute", "1000000")
    ended = threading.Event()

    def go():
        while not ended.is_set():
            river.post(pack(MOTE))

    thread = threading.Thread(target=go)
    thread.start()
    yield
    river.broker.control("set_vm_memory_high_watermark", "0.4")
    ended.set()
    thread.join(60)


def no_disk(river):
    river.broker.control("set_disk_free_limit", "1000000GB")
    yield
    river.broker.control("set_disk_free_limit", "50MB")


def few_descriptors(river):
    pid = river.worker.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (int(river.worker.metric("process_open_fds")) + 2, before[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def wrong_clock(river):
    river.replace_worker(**harness.wrong_clock(1))
    yield
    river.replace_worker()


def wrong_clock_of_a_broker(river):
    usual = river.broker.environment
    river.broker.environment = lambda: {**usual(), **harness.wrong_clock(-1)}
    river.broker.kill()
    river.broker.start()
    yield
    river.broker.environment = usual
    river.broker.kill()
    river.broker.start()


def bad_registry(river):
    path = next(river.registry.iterdir())
    text = path.read_text()
    path.write_text(text + "nonsense\n")
    river.worker.process.send(signal.SIGHUP)
    yield
    path.write_text(text)


def no_store(river):
    """Moves the document store away, while a message that arrived long ago is waiting."""
    documents = river.out / "documents.sqlite"
    away = river.out / "away.sqlite"
    documents.rename(away)
    river.send_late()
    yield
    away.rename(documents)
    wait_for(lambda: river.worker.not_ready() is None, "the worker to go on")


def deleted_queue(river):
    with river.channel("worker", "consumers") as channel:
        channel.queue_delete("ir.rejected")
    yield


def refusals(river):
    """Sends messages that are refused. The first one creates the mote's series of the metric; then more follow."""
    river.await_history()
    river.send(1, UNKNOWN)
    wait_for(lambda: river.values(f'ir_rejected_top{{mote="{UNKNOWN}"}}'), "the first refusal", 60, 0.3)
    ended = threading.Event()

    def go():
        while not ended.is_set():
            river.send(60, UNKNOWN)
            ended.wait(0.5)

    thread = threading.Thread(target=go)
    thread.start()
    yield
    ended.set()
    thread.join(60)


def full_letters(river):
    policy = {"max-length": 1, "overflow": "reject-publish", "delivery-limit": 2000000000}
    river.broker.control("set_policy", "--priority", "1", "--apply-to", "queues", "small", r"^ir\.rejected$", json.dumps(policy))
    yield from refusals(river)
    river.broker.control("clear_policy", "small")


def silence(river):
    river.send(1)
    yield


FAULTS = {
    no_worker: ("WorkerDown", "QueueWithoutConsumer", "BacklogGrows"),
    no_gateway: ("GatewayDown",),
    no_balancer: ("BalancerDown", "DoorClosed"),
    certificate_that_ends: ("CertificateEnds",),
    no_broker: ("BrokerDown", "NotReady"),
    no_memory: ("BrokerMemoryAlarm", "SendersHeldBack"),
    no_disk: ("BrokerDiskAlarm",),
    few_descriptors: ("DescriptorsShort",),
    wrong_clock: ("ClockOff",),
    wrong_clock_of_a_broker: ("ClockOff",),
    bad_registry: ("ReloadFailed",),
    no_store: ("StoreAway", "BacklogOld"),
    deleted_queue: ("BrokerObjectsMissing",),
    refusals: ("MoteRefused", "DeadLetters"),
    full_letters: ("DeadLettersLeftOut",),
    silence: ("MoteSilent",),
}


def test_each_alert_has_a_fault():
    assert {name for names in FAULTS.values() for name in names} == set(alerts())


@needs_prometheus
@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.__name__, marks=[] if fault is no_gateway else pytest.mark.slow)
                                   for fault in FAULTS])
def test_an_alert_fires_by_its_fault(river, fault):
    names = FAULTS[fault]
    river.await_quiet(names)
    course = fault(river)
    next(course)
    try:
        river.await_firing(names)
    finally:
        next(course, None)


# ---- ir-top ----


def top(*words, folder=None, **environment):
    done = subprocess.run([TOP, *map(str, words)], capture_output=True, text=True, timeout=60, check=False, cwd=folder,
                          env={**os.environ, "LC_ALL": "C", **environment})
    return done.returncode, done.stdout, done.stderr


@needs_prometheus
def test_top_takes_addresses(river):
    addresses = [each["address"] for each in river.metrics()]
    with traffic(river):
        river.send(1, UNKNOWN)
        wait_for(lambda: UNKNOWN in top("--once", "--interval=1", *addresses)[1], "the refused mote")
        status, text, errors = top("--once", "--interval=1", *addresses, f"127.0.0.1:{servers.free_ports(1)[0]}")
    assert status == 0 and not errors, errors
    assert all(len(line) <= 80 and line.isascii() for line in text.splitlines())
    for head in ("WORKER", "GATEWAY", "BROKER", "BALANCER", "OTHER", "REFUSED SINCE START"):
        assert f"\n{head}" in text, text
    assert "Connection refused" in text and "all servers up" in text
    assert float(re.search(r"([\d,.]+) observations/s stored", text).group(1).replace(",", "")) > 0, text
    assert re.search(r"arrival to stored p50 [\d.]+ m?s", text), text


def screen_of(folder, terminal, until):
    """Runs ir-top on a terminal of 80×24 until the text `until` appears, then stops it. Returns what it drew."""
    child, master = pty.fork()
    if child == 0:
        os.environ.update(LC_ALL="C", TERM=terminal, LINES="24", COLUMNS="80")
        os.execv(TOP, [str(TOP), "--interval=0.2", str(folder)])
    drawn, deadline = b"", time.monotonic() + 60
    try:
        while until not in drawn and time.monotonic() < deadline:
            if select.select([master], [], [], 1)[0]:
                drawn += os.read(master, 65536)
        os.write(master, b"q")
    finally:
        threading.Timer(60, lambda: os.kill(child, signal.SIGKILL)).start() if until not in drawn else None
        with contextlib.suppress(OSError):
            while os.read(master, 65536):
                pass
        _, status = os.waitpid(child, 0)
        os.close(master)
    return os.waitstatus_to_exitcode(status), drawn


def test_what_top_refuses(tmp_path):
    assert "no river runs in river; make up" in top("--once", folder=tmp_path)[2]
    assert "is neither a folder nor HOST:PORT" in top("nowhere")[2]


@needs_prometheus
def test_a_users_river_is_watched():
    """A user's stack is watched with make up, make monitor, ir-top and make down."""
    with tempfile.TemporaryDirectory(prefix="river-") as folder:
        mine = River(Path(folder))
        mine.folder = Path(folder) / "mine"  # RabbitMQ 3 cannot measure the disk space of a folder whose name has a
                                             # blank
        mine.environment["DATA"] = str(mine.folder)
        try:
            said = mine.good("up.py", "up")
            assert re.search(r"rabbit-1 +http://127.0.0.1:\d+/metrics", said) and "make monitor" in said and "ir-top" in said
            said = mine.good("monitor.py", PACE="30")
            address = re.search(r"prometheus +(http://\S+)", said).group(1)
            assert "already running" in mine.good("monitor.py") and address in mine.good("monitor.py")

            def up():
                with urllib.request.urlopen(f"{address}/api/v1/query?query=count(up==1)", timeout=20) as answer:
                    found = json.load(answer)["data"]["result"]
                return found and found[0]["value"][1] == "5"

            wait_for(up, "all targets to be read")
            for terminal in ("xterm", "vt100"):
                status, drawn = screen_of(mine.folder, terminal, b"worker-1")
                assert status == 0 and b"backlog" in drawn
        finally:
            mine.good("up.py", "down")
        with pytest.raises(OSError):
            urllib.request.urlopen(address, timeout=5)
        assert "start one with: make up" in mine.refused("monitor.py")
