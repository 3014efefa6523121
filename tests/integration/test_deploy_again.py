"""Repeated deployments: each call compares the running services with their files, says what it waits for, and leaves
processes of others alone."""

import contextlib
import http.server
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import harness
from addresses import LOOPBACK, LOOPBACK_V6
from harness import ROOT
from test_deploy import deploy, inventory, port_mapper, send  # noqa: F401 - fixtures

sys.path.insert(0, str(ROOT))

from platforms.lab import LabError, deploy as deployment, places, runit, running, systemd, tree  # noqa: E402
from platforms.lab.inventory import Inventory  # noqa: E402

ONE, TWO, THREE = LOOPBACK[:3]
SERVERS = f"""
[river]
registry = river.ttl
motes = shared
[sizes]
broker-disk-free = 60M
[ir-worker]
in-flight = {{batches}}
[ir-ingest]
mote-messages = 32
[server one]
address = {ONE}
roles = broker
[server two]
address = {TWO}
roles = worker,gateway
"""


def write(path, batches=4):
    path.write_text(SERVERS.format(batches=batches))
    path.with_name("river.ttl").write_text(harness.REGISTRY.read_text())


def process(path, server, service):
    return running.process(path.parent / server, service)


def started(path, server, service):
    """Returns when a service's process started, in seconds since 1970."""
    found = process(path, server, service)
    ticks = int(Path(f"/proc/{found.pid}/stat").read_text().rpartition(")")[2].split()[19])
    boot = int(re.search(r"^btime (\d+)", Path("/proc/stat").read_text(), re.M).group(1))
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def argv(path, name, *words):
    return [ROOT / "platforms" / "ir-deploy", path, name, *words, f"--root={path.parent / name}"]


def interrupt(path, name, seconds):
    """Calls ir-deploy and presses Ctrl-C after that many seconds. Returns its exit status."""
    env = {**os.environ, "IR_BUILD": str(harness.BUILD)}
    called = subprocess.Popen(argv(path, name), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        called.wait(seconds)
    called.send_signal(signal.SIGINT)
    return called.wait(60)


def sockets(path, server):
    """Returns {(address, port)}: where processes of a server's folder listen, according to the kernel."""
    text = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, timeout=20, check=True).stdout
    found = set()
    for line in text.splitlines():
        pids = re.findall(r"pid=(\d+)", line)
        with contextlib.suppress(OSError):
            if any(str(path.parent / server).encode() in Path(f"/proc/{pid}/environ").read_bytes() for pid in pids):
                address, _, port = line.split()[3].rpartition(":")
                found.add((address, int(port)))
    return found


@pytest.mark.parametrize("moments", [(1.5,), pytest.param([each / 4 for each in range(1, 21)], marks=pytest.mark.slow)])
def test_a_pair_of_servers(inventory, moments):  # noqa: F811
    write(inventory)
    # The first server gets the list of servers to wait for.
    assert "waiting for one (rabbitmq)" in deploy(inventory, "two", "--wait=1", good=1)
    deploy(inventory, "one")
    a_broker_that_takes_nothing_is_not_ready(inventory)
    deploy(inventory, "two")
    own = inventory.parent / "two/etc/river/services"
    assert "in-flight = 4" in (own / "worker/river.conf").read_text()
    assert "mote-messages = 32" in (own / "gateway/river.conf").read_text()
    assert (own / "gateway/registry.ttl").read_text() == harness.REGISTRY.read_text()
    assert "absolute = 60MiB" in (inventory.parent / "one/etc/river/services/broker/rabbitmq.conf").read_text()
    send(inventory, f"{ONE}:5672", f"{ONE}:5672")
    # Services listen only where the inventory says so.
    assert {address for address, _ in sockets(inventory, "one")} == {ONE}
    assert sockets(inventory, "two") == {(TWO, 9400), (TWO, 8081)}
    a_dry_run_changes_nothing(inventory, own)
    interrupted_calls_are_completed(inventory, own, moments)
    who_answers_is_the_process_that_was_started(inventory)
    lost_stores_are_not_made_silently(inventory)
    secrets_are_those_that_others_have(inventory)


def control(path, server, *words):
    """Runs a command of RabbitMQ's tools against the broker of a server."""
    tools = '. "$RIVER_ROOT/opt/river/common.sh" && . "$RIVER_ROOT/opt/river/roles/broker/control.sh" && shift 2 && control "$@"'
    argv = ["bash", "-c", tools, "control", "broker", "-", *words]
    env = {**os.environ, "RIVER_ROOT": str(path.parent / server)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=True).stdout


def not_ready(path, server, name):
    """Returns why a service is not ready; "" if it is."""
    argv = [path.parent / server / "opt/river/ready", "0", name]
    done = subprocess.run(argv, env={**os.environ, "RIVER_ROOT": str(path.parent / server)}, capture_output=True, text=True,
                          timeout=60, check=False)
    return done.stdout.partition("\n")[0]


def a_broker_that_takes_nothing_is_not_ready(inventory):  # noqa: F811
    """It answers, but holds clients back, or refuses each connection."""
    control(inventory, "one", "rabbitmqctl", "eval", 'rabbit_disk_monitor:set_disk_free_limit("1000000GB").')
    assert not_ready(inventory, "one", "broker") == (
        "service broker is not ready: its disk has too little free space, so it accepts no messages")
    assert "one: waiting for broker: its disk has too little free space" in deploy(inventory, "one", "--wait=0", good=1)
    place = 'rabbit_vhost:msg_store_dir_path(<<"/">>)'
    # start-vhosts.erl would start it again, and fails as long as this file is there.
    control(inventory, "one", "rabbitmqctl", "eval", f"""rabbit_disk_monitor:set_disk_free_limit("60MB"),
        Stop = fun Stop() -> rabbit_vhost_sup_sup:stop_and_delete_vhost(<<"/">>), ok =:= file:write_file({place}, <<>>) orelse Stop() end,
        Stop().""")
    assert not_ready(inventory, "one", "broker") == "service broker is not ready: its virtual host does not run"
    control(inventory, "one", "rabbitmqctl", "eval", f"ok = file:delete({place}).")
    harness.wait_for(lambda: not_ready(inventory, "one", "broker") == "", "the broker to be ready")


def a_dry_run_changes_nothing(inventory, own):  # noqa: F811
    before = [process(inventory, "two", each) for each in ("worker", "gateway")]
    assert "nothing would be restarted" in deploy(inventory, "two", "--dry-run")
    write(inventory, batches=5)
    told = deploy(inventory, "two", "--dry-run")
    assert "would restart worker: river.conf" in told and "gateway" not in told
    assert "in-flight = 4" in (own / "worker/river.conf").read_text()
    assert [process(inventory, "two", each) for each in ("worker", "gateway")] == before


def interrupted_calls_are_completed(inventory, own, moments):  # noqa: F811
    """Ctrl-C interrupts deployments at different moments. The next call always completes the change. The gateway, whose
    files did not change, keeps running."""
    before = process(inventory, "two", "gateway")
    for number, seconds in enumerate(moments):
        write(inventory, batches=6 + number)
        interrupt(inventory, "two", seconds)
        told = deploy(inventory, "two")
        assert re.search("; changed: (worker|nothing)$", told, re.M), told
        assert f"in-flight = {6 + number}\n" in (own / "worker/river.conf").read_text()
        assert started(inventory, "two", "worker") >= (own / "worker/river.conf").stat().st_mtime - 1
    assert "changed: nothing" in deploy(inventory, "two")
    assert process(inventory, "two", "gateway") == before


def who_answers_is_the_process_that_was_started(inventory):  # noqa: F811
    """If another program uses a service's port, the service is neither ready nor deployed, and the message names the
    program."""
    service = inventory.parent / "two/run/river/service/gateway"
    subprocess.run(["sv", "-w", "60", "force-stop", service], check=True, timeout=90)
    other = [sys.executable, "-c", "import http.server as h\n"
             "class Yes(h.BaseHTTPRequestHandler):\n def do_GET(self): self.send_response(200); self.end_headers()\n"
             f"h.HTTPServer(('{TWO}', 8081), Yes).serve_forever()"]
    with subprocess.Popen(other, stderr=subprocess.DEVNULL) as foreign:
        try:
            harness.wait_for(lambda: alive(TWO, 8081), "the other one")
            ready = [inventory.parent / "two/opt/river/ready", "1", "gateway"]
            env = {**os.environ, "RIVER_ROOT": str(inventory.parent / "two")}
            done = subprocess.run(ready, env=env, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 1 and "gateway is not ready" in done.stdout
            told = deploy(inventory, "two", good=1)
            assert f"port 8081 of {TWO}, which gateway needs, is taken by python" in told and f"process {foreign.pid})" in told
        finally:
            foreign.kill()
    assert "changed: gateway" in deploy(inventory, "two")


def stored(inventory):  # noqa: F811
    with contextlib.closing(sqlite3.connect(inventory.parent / "two/var/lib/river/stores/documents.sqlite", timeout=60)) as database:
        return database.execute("SELECT count(*) FROM raw").fetchone()[0]


def lost_stores_are_not_made_silently(inventory):  # noqa: F811
    """Empty stores in place of earlier ones are refused, until the data are restored or explicitly given up."""
    stores, backups = inventory.parent / "two/var/lib/river/stores", inventory.parent / "backups"
    before = stored(inventory)
    assert before == 300 and "needs a folder" in deploy(inventory, "two", "backup", good=1)
    deploy(inventory, "two", "backup", str(backups))
    (made,) = backups.iterdir()
    assert {"inventory.conf", "passwords", "river.ttl"} <= {each.name for each in (made / "files").rglob("*")}
    assert "one has no worker" in deploy(inventory, "one", "backup", str(backups), good=1)
    deploy(inventory, "two", "stop")
    shutil.rmtree(stores)
    assert "run ir-store init" in deploy(inventory, "two", "--wait=5", good=1) and not (stores / "documents.sqlite").exists()
    deploy(inventory, "two", "restore", str(backups))
    deploy(inventory, "two")
    assert stored(inventory) == before
    deploy(inventory, "two", "stop")
    shutil.rmtree(stores)
    deploy(inventory, "two", "--new-stores")
    assert stored(inventory) == 0


def secrets_are_those_that_others_have(inventory):  # noqa: F811
    """If the folder of secrets is missing on a later server, no new secrets are made: the server could not work with
    the earlier ones."""
    secrets = Path(f"{inventory}.secrets")
    secrets.rename(secrets.with_name("kept"))
    assert "but one already runs: copy the folder from there" in deploy(inventory, "two", good=1)
    secrets.with_name("kept").rename(secrets)


THREE_CLOCKS = f"""
[river]
registry = river.ttl
[server one]
address = {ONE}
roles = broker
[server two]
address = {TWO}
roles = worker
[server three]
address = {THREE}
roles = gateway
"""


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers as a server whose clock is `seconds` ahead of this one."""

    def do_GET(self):
        self.send_error(404)

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() + self.server.seconds)


@contextlib.contextmanager
def clock(place, seconds):
    with http.server.ThreadingHTTPServer(place, Answer) as server:
        server.seconds = seconds
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def test_a_wrong_clock(tmp_path, capsys):
    """If all others say so, it may be the one of this server, which is not deployed then."""
    path = tmp_path / "inventory.conf"
    path.write_text(THREE_CLOCKS)
    path.with_name("river.ttl").write_text(harness.REGISTRY.read_text())
    made = deployment.Deployment(Inventory(path), "one", tmp_path / "one")
    made.inventory.services.password("worker")  # the folder of secrets must be there
    with clock((TWO, 9400), -86400):
        assert re.search(r"one: the clock of two is 86\d{3} s behind the one here: set the", deploy(path, "one", "--dry-run", good=1))
        with clock((THREE, 8080), 2):
            made.check_clock()
            assert re.fullmatch(r"one: the clock of two is 86\d{3} s behind the one here: set it there .*\n", capsys.readouterr().out)
        with clock((THREE, 8080), 86400), pytest.raises(LabError, match="of three is .* ahead of .*; the clock of two is .* behind"):
            made.check_clock()
    made.check_clock()
    assert capsys.readouterr().out == "" and not (tmp_path / "one" / "etc").exists()


def test_calls_for_one_server_do_not_meet(tmp_path):
    """While one call deploys a server, a second call for the same server is refused before it changes anything."""
    path = tmp_path / "inventory.conf"
    write(path)
    with places.locked(tmp_path / "two" / "run" / "river-deploy.lock"):
        for verb in ("up", "stop"):
            assert "river-deploy.lock: held by another ir-deploy for" in deploy(path, "two", verb, good=1)
    assert not Path(f"{path}.secrets").exists()


def test_lost_secrets_are_not_made_again(tmp_path):
    """New secrets would not fit the data of a server that was deployed before, so none are made."""
    path = tmp_path / "inventory.conf"
    write(path)
    order = tmp_path / "one" / "etc" / "river" / "order"
    order.parent.mkdir(parents=True)
    order.touch()
    told = "inventory.conf.secrets does not exist, but one was deployed with such a folder: "
    assert f"{told}restore the folder from a backup" in deploy(path, "one", good=1)
    (tmp_path / "before.conf.secrets").mkdir()  # the inventory may have been renamed
    assert f"{told}rename before.conf.secrets, if that is the folder" in deploy(path, "one", good=1)
    assert not Path(f"{path}.secrets").exists()


def test_somebody_else_has_the_port_of_the_mapper():
    with socket.create_server((ONE, 0)) as other:
        port = other.getsockname()[1]
        deployment.ports.check_mapper(TWO, port)
        with pytest.raises(LabError, match=f"port {port} of {ONE}, which Erlang's port mapper needs, is taken by python"):
            deployment.ports.check_mapper(ONE, port)
    with socket.create_server(("", 0)) as other, pytest.raises(LabError, match="is taken at all of them by python"):
        deployment.ports.check_mapper(ONE, other.getsockname()[1])


@pytest.mark.skipif(not shutil.which("runsvdir"), reason="no runit here: tools/install runit")
def test_a_service_that_does_not_end_is_killed(tmp_path, monkeypatch, capsys):
    """The call kills a service that does not end in time, reports this and continues."""
    monkeypatch.setitem(runit.ROLES, "balancer", runit.ROLES["balancer"]._replace(stop_seconds=1))
    made = runit.Runit(tmp_path, str(tmp_path), [("balancer", "balancer")])
    made.service("balancer").mkdir(parents=True)
    run = made.service("balancer") / "run"
    run.write_text("#!/bin/sh\ntrap '' TERM\nexec sleep 1000\n")
    run.chmod(0o755)
    with subprocess.Popen(["runsvdir", made.run / "service"]) as supervisor:
        try:
            made.start("balancer")
            pid = (made.service("balancer") / "supervise" / "pid").read_text().strip()
            harness.wait_for(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n", "it to bear TERM")
            time.sleep(1.1)  # sv compares whole seconds: a service started in the same second would count as restarted
            made.restart("balancer")
            assert capsys.readouterr().out == "balancer did not end within 1 s and was killed\n"
            made.tell("balancer", "status")
        finally:
            supervisor.send_signal(signal.SIGHUP)
            subprocess.run(["sv", "-w", "1", "force-shutdown", made.service("balancer")], timeout=60, check=False)


def alive(address, port):
    with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False


ALL_IN_ONE = f"""
[river]
motes = shared
[server one]
address = {LOOPBACK_V6}
roles = broker,worker,gateway
"""


@pytest.fixture
def ipv6():
    """A loopback address of IPv6, other than ::1, that only this process uses."""
    if os.geteuid() != 0:
        pytest.skip("only root gives an interface an address")
    words = [f"{LOOPBACK_V6}/128", "dev", "lo"]
    subprocess.run(["ip", "address", "replace", *words, "nodad"], timeout=20, check=True)
    yield LOOPBACK_V6
    subprocess.run(["ip", "address", "delete", *words], timeout=20, check=True)


def test_ipv6_under_a_strict_umask(ipv6, inventory):  # noqa: F811
    """Deploys all services to one IPv6 address, with umask 077. At the end they stop in an order in which nothing is
    lost."""
    inventory.write_text(ALL_IN_ONE)
    before = os.umask(0o077)
    try:
        deploy(inventory, "one")
    finally:
        os.umask(before)
    send(inventory, f"[{ipv6}]:5672", f"[{ipv6}]:5672")
    root = inventory.parent / "one"
    modes = {each.stat().st_mode & 0o777 for each in (root / "opt/river").rglob("*")}
    assert modes <= {0o755, 0o644}
    assert {each.stat().st_mode & 0o777 for each in (root / "etc/river/services").rglob("*") if each.is_file()} == {0o600}
    assert {address for address, _ in sockets(inventory, "one")} == {f"[{ipv6}]"}
    control(inventory, "one", "rabbitmqctl", "ping")
    services = ("gateway", "worker", "broker")
    stopping = subprocess.Popen(argv(inventory, "one", "stop"))
    ended = []
    deadline = time.monotonic() + 120
    while (stopping.poll() is None or len(ended) < len(services)) and time.monotonic() < deadline:
        ended += [each for each in services if each not in ended and process(inventory, "one", each) is None]
        time.sleep(0.02)
    assert stopping.returncode == 0 and ended == list(services)


TWO_BROKERS = """
[river]
motes = shared
[limits]
queue-messages = {messages}
[server one]
address = {one}
roles = broker,worker
[server two]
address = {two}
roles = broker
"""


@pytest.mark.slow
def test_brokers_of_a_cluster_by_ipv6(ipv6, inventory):  # noqa: F811
    """The brokers find each other over IPv6. One of them is replaced only when the queues can do without it."""
    other = [f"{ipv6}1/128", "dev", "lo"]
    subprocess.run(["ip", "address", "replace", *other, "nodad"], timeout=20, check=True)
    try:
        inventory.write_text(TWO_BROKERS.format(one=ipv6, two=f"{ipv6}1", messages=2000))
        assert "waiting for one (rabbitmq)" in deploy(inventory, "two", "--wait=1", good=1)
        deploy(inventory, "one")
        deploy(inventory, "two")
        send(inventory, f"[{ipv6}]:5672", f"[{ipv6}1]:5672")
        inventory.write_text(TWO_BROKERS.format(one=ipv6, two=f"{ipv6}1", messages=1000))
        may_stop = inventory.parent / "one/opt/river/roles/broker/may-stop"
        env = {**os.environ, "RIVER_ROOT": str(inventory.parent / "one")}
        done = subprocess.run([may_stop, "broker"], env=env, capture_output=True, text=True, timeout=120, check=False)
        assert "ir.observations" in done.stdout + done.stderr  # a queue with two members can spare neither of them
    finally:
        for name in ("one", "two"):
            deploy(inventory, name, "stop")
        subprocess.run(["ip", "address", "delete", *other], timeout=20, check=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here, which checks units")
def test_units(tmp_path):
    """systemd itself checks the unit files. Each service stops before the services that it needs."""
    services = [("gateway-1", "gateway"), ("worker", "worker"), ("balancer", "balancer"), ("broker", "broker"),
                ("documents", "documents")]
    made = systemd.Systemd(services)
    for name, files in made.units().items():
        here = files["unit"].replace("/opt/river/roles/", f"{ROOT}/platforms/appliance/river/roles/")
        (tmp_path / systemd.unit(name)).write_text(here.replace("User=river", "User=root"))
    (tmp_path / systemd.TARGET).write_text(systemd.TARGET_TEXT)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())], capture_output=True, text=True,
                          timeout=60, check=False)
    assert [line for line in done.stderr.splitlines() if "river" in line] == [] and done.returncode == 0
    after = {name: re.search("^After=(.*)$", files["unit"], re.M).group(1) for name, files in made.units().items()}
    assert "river-broker.service" in after["worker"] and "river-worker.service" in after["gateway-1"]
    assert "river-documents.service" in after["broker"] and "river-" not in after["documents"]


def test_another_server_program(tmp_path):
    """A changed program of a Debian package, for example after apt upgrade, is detected like a changed file of the
    project."""
    name, role, foreign = "balancer", "balancer", tmp_path / "haproxy"
    foreign.write_text("old")
    own = tmp_path / "root" / "etc/river/services/balancer/haproxy.cfg"
    own.parent.mkdir(parents=True)
    own.write_text("listen")
    files = tree.Tree(tmp_path / "root", {"etc/river/services/balancer/haproxy.cfg": own})
    noted = {str(own): tree.digest("", own), str(foreign): tree.size_and_time(foreign)}
    process = running.Process(os.getpid(), noted)
    assert running.action(process, files, name, role, ()) == (running.SAME, [])
    foreign.write_text("newer")
    assert running.action(process, files, name, role, ()) == (running.RESTART, [str(foreign)])
    own.write_text("another")
    assert running.action(running.Process(1, {str(own): "of before"}), files, name, role, {"haproxy.cfg"})[0] == running.REREAD


def test_a_full_disk_is_named(tmp_path):
    """Simulates a full disk: a file may have at most ten bytes."""
    source, path = tmp_path / "source", "etc/river/services/worker/river.conf"
    source.write_text("in-flight = 4\n")
    files = tree.Tree(tmp_path / "root", {path: source})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            files.put(files.changes())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.filename == str(tmp_path / "root" / path) and not files.left_over()
    files.put(files.changes())
    assert files.changes() == {}


def test_a_server_of_another_machine(tmp_path):
    path = tmp_path / "inventory.conf"
    path.write_text("[server far]\naddress = 192.0.2.77\nroles = broker\n")
    with pytest.raises(LabError, match="192.0.2.77 is not an address of this machine"):
        deployment.ports.check_own(Inventory(path).named("far").address)
