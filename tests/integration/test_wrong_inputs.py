"""A page of wrong inputs: commands, variables and settings that cannot be, each with the one line that answers it and the exit
status. Whoever adds a setting that can be wrong in a new way adds a row."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

import harness

ROOT, BUILD = harness.ROOT, harness.BUILD
REGISTRY = ROOT / "loadgen" / "usgs_river.ttl"
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


class Row(NamedTuple):
    words: str  # a command, seen from the project's root; {dir}: a folder that is there, for this row alone
    says: str  # in the only line on standard error
    status: int = 2
    environment: dict = {}


def variable(script, says, status=2, **environment):
    return Row(f"python3 tools/{script}", says, status, environment)


ROWS = [
    # ---- variables of make ----
    variable("run.py check", "DOCUMENTS=mongo: it is one of sqlite, mongodb, null; did you mean mongodb?", DOCUMENTS="mongo"),
    variable("run.py check", "BROKERS=2: it is one of 1, 3, 5, 7", BROKERS="2"),
    variable("run.py check", "RATE=many: it is a whole number from 0 to 10000000", RATE="many"),
    variable("run.py check", "VIA=http needs a gateway", VIA="http", GATEWAYS="0"),
    variable("run.py check", "PLATFORM=vmware: it is one of", PLATFORM="vmware"),
    variable("up.py up", "LISTEN=somewhere: it is an address", LISTEN="somewhere"),
    variable("up.py up", "LISTEN=192.0.2.1: this machine has no such address", LISTEN="192.0.2.1", REGISTRY=str(REGISTRY)),
    variable("up.py up", "REGISTRY=none.ttl: there is no file none.ttl", REGISTRY="none.ttl"),
    variable("up.py up", "DATA={dir}/a,b: a comma separates", DATA="{dir}/a,b"),
    variable("up.py registry", "make registry wants FILE=MY.ttl"),
    variable("load.py", "no stack is running below {dir}", 1, DATA="{dir}"),
    variable("load.py", "MOTES=0: it is a whole number from 1", MOTES="0"),
    Row("tests/fuzz/run.py --check --seconds 0", "SECONDS=0: wants a whole number"),
    Row("tests/fuzz/run.py --check nothing", "TARGETS=nothing: there is no such target"),
    # ---- settings of programs ----
    Row("ir-worker --check --offline", "environment IR_PARTITONS: no such setting; did you mean IR_PARTITIONS?", 2,
        {"IR_PARTITONS": "3"}),
    Row("ir-worker --offline", "offline: it goes with --check"),
    Row("ir-worker --partitons 3", "--partitons: no such option; did you mean partitions?"),
    Row("ir-worker --amqp nonsense", "write amqp://USER@HOST:PORT/VHOST"),
    Row("ir-worker --amqp amqp://u:p@h/", "a password on the command line can be read by others"),
    Row("ir-worker --http ::1:80", "it is not HOST:PORT, for example 127.0.0.1:9090 or [::1]:9090"),
    Row("ir-worker --timeout 5", "timeout: '5' is not a duration with a unit"),
    Row("ir-ingest --cors-origins river", "river"),
    Row("ir-store verfy", "no command 'verfy'"),
    Row("ir-loadgen --target mqtt://", "No host part in the URL"),
    Row("ir-loadgen --target ftp://h", "begins with none of amqp(s)://, http(s)://, mqtt(s)://, null:"),
    Row("ir-feed --map none.ini", "none.ini: cannot read the mapping: No such file or directory"),
    Row("ir-annotate --registry none.ttl", "none.ttl: cannot open the registry: No such file or directory", 1),
    Row(f"ir-annotate --registry {REGISTRY} --format xml", "format: 'xml' is not one of ntriples"),
    # ---- lists and files ----
    Row("ingest/haproxy.py none.conf", "none.conf: No such file or directory", 1),
    Row("ingest/motes.py none", "none: there is no such file", 1),
    Row("ingest/carry.py README.md", "README.md: these are no definitions that RabbitMQ exported", 1),
    Row("ingest/cut.py senders {dir}/none.sock", "No such file or directory", 1),
    Row("platforms/ir-deploy none.conf x", "none.conf: No such file or directory", 1),
    Row("platforms/ir-platform boot lxc nobody", "there is no guest 'nobody'", 1),
    Row("platforms/ir-platform provision lxc x --size small --cpus 4096", "cpus 4096: this host has", 1),
    Row("platforms/ir-platform provision lxc x --set cpu.pin=4095", "cpu.pin = 4095: this host has the CPUs", 1),
    Row("/usr/bin/python3 bench/ir-bench run nothing", "experiment 'nothing': it is one of"),
    Row("/usr/bin/python3 bench/ir-bench report {dir}/none", "{dir}/none", 1),
]


def answer(row, folder, before=()):
    """(status, lines on standard error)."""
    words = [each.format(dir=folder) for each in row.words.split()]
    if words[0].startswith("ir-"):
        words[0] = str(BUILD / words[0])
    if words[0] == "python3":
        words[0] = sys.executable
    environment = {"DATA": f"{folder}/river", "IR_BUILD": str(BUILD), "IR_LAB": f"{folder}/lab", "PYTHONDONTWRITEBYTECODE": "1",
                   **{key: value.format(dir=folder) for key, value in row.environment.items()}}
    done = subprocess.run([*before, *words], cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join([*(f"{k}={v}" for k, v in row.environment.items()), row.words])[:90])
def test_one_line_says_what_is_wrong(row, tmp_path):
    status, lines = answer(row, tmp_path)
    if status == 77:
        pytest.skip(f"not possible on this host: {lines[-1:]}")
    assert status == row.status, lines
    assert len(lines) == 1 and row.says.format(dir=tmp_path) in lines[0], lines


# ---- what the system refuses ----


UP = Row("python3 tools/up.py up", "", 1)
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else and mount")


def refused(row, folder, before):
    status, lines = answer(row, folder, before)
    assert status == 1 and len(lines) == 1, lines
    return lines[0]


@root_only
def test_a_folder_of_somebody_else():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        said = refused(UP._replace(environment={"IR_BUILD": "/nowhere"}), Path(folder), AS_NOBODY)
        assert f"{folder} belongs to root and you are" in said and "choose another folder" in said, said


@root_only
@pytest.mark.parametrize("options, says", [("ro", "choose a folder on a disk that can be written to"),
                                           ("size=4k,nr_inodes=4", "make room (df -h shows where there is some)")])
def test_a_disk_that_takes_nothing(tmp_path, options, says):
    mount = f'mount -t tmpfs -o {options} none {tmp_path} && exec "$0" "$@"'
    assert says in refused(UP, tmp_path, ["unshare", "--mount", "sh", "-ec", mount])


@pytest.mark.parametrize("words", ["ingest/haproxy.py ingest/nodes.conf", "ir-worker --help"])
def test_output_that_cannot_be_written(words, tmp_path):
    said = refused(Row(words, "", 1), tmp_path, ["sh", "-c", 'exec "$0" "$@" > /dev/full'])
    assert "No space left on device" in said


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_a_locale_without_the_character(locale, tmp_path):
    """What it lacks is printed as something else."""
    script = r"import sys; sys.path.insert(0, 'ingest'); import guard; guard.run('x', lambda: print('10.0 \u00b5s \u2013 \u2026'))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False,
                          env={**os.environ, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})
    assert done.returncode == 0 and done.stderr == b"" and done.stdout.startswith(b"10.0 "), done


def test_a_fault_of_the_program_itself(tmp_path):
    script = "import sys; sys.path.insert(0, 'ingest'); import guard; guard.run('x', lambda: {}['key'])"
    for more, traceback in (({}, False), ({"IR_TRACEBACK": "1"}, True)):
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False,
                              env={**os.environ, **more})
        assert done.returncode == 1 and "x: a fault of the program itself (KeyError: 'key'" in done.stderr
        assert ("Traceback" in done.stderr) == traceback


def scripts():
    """Those that somebody may call by hand."""
    listed = subprocess.check_output(["git", "-C", ROOT, "ls-files", "--stage"], text=True).splitlines()
    executable = [line.split("\t")[1] for line in listed if line.startswith("100755")]
    inside = ("examples/", "platforms/appliance/", "platforms/xen/hotplug/", "platforms/xen/nested/dom0", "platforms/xen/nested/initrd",
              "tests/packages/inside", "tests/packages/started", ".ci/")
    python = [line.split("\t")[1] for line in listed if line.endswith(".py")]
    main = [each for each in python if '\nif __name__ == "__main__"' in (ROOT / each).read_text(encoding="utf-8")]
    left_out = ("bench/peers/", "tests/data/", "tests/platforms/xen_verbs", "bench/poison")  # want packages of their own, or dom0
    return sorted({each for each in [*executable, *main] if not each.startswith((*inside, *left_out))})


@pytest.mark.parametrize("script", scripts())
def test_every_script_has_help(script, tmp_path):
    first = (ROOT / script).read_text(encoding="utf-8").splitlines()[0]
    python = ["/usr/bin/python3"] if script.endswith(".py") or "python" in first else []
    module = ["-m", "ir_bench.kinds"] if script.endswith("kinds/__main__.py") else [str(ROOT / script)]
    done = subprocess.run([*python, *module, "--help"], cwd=ROOT / "bench", stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=60, check=False)
    assert done.returncode == 0 and len(done.stdout) > 40, done.stdout + done.stderr
