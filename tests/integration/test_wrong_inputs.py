"""A table of wrong inputs: impossible commands, variables and settings, each with its one-line error message and the
exit status. If a setting can be wrong in a new way, add a row."""

import os
import signal
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
    words: str  # a command, run in the project's root; {dir} is a folder for this row only
    says: str  # part of the only line on standard error
    status: int = 2
    environment: dict = {}
    text: str = ""  # the content of {dir}/input


SENSOR = """@prefix ir: <https://intelligent-river.example/ns#> . @prefix sosa: <http://www.w3.org/ns/sosa/> .
@prefix qudt: <http://qudt.org/schema/qudt/> . @prefix unit: <http://qudt.org/vocab/unit/> .
<m> a sosa:Platform ; ir:moteId "m" ; ir:featureOfInterest <f> .
<s> a sosa:Sensor ; sosa:isHostedBy <m> ; ir:senmlName "m/t" ; sosa:observes <p> ; qudt:hasUnit unit:DEG_C ;
"""


def registry(more, says):
    return Row("ir-annotate --list --registry {dir}/input", "{dir}/input:5: " + says, 1, {}, SENSOR + more)


def mapping(lines, says):
    text = "[a]\nfiles = x.csv\nmote = m\ntime = t\n" + lines + "[a:v]\nsensor = /t\n"
    return Row("ir-feed --check --map {dir}/input", says, 2, {}, text)


def stations(row, says):
    return Row("ir-registry from-csv {dir}/input", "{dir}/input:2: " + says, 1, {}, f"mote,sensor,property,unit\n{row}\n")


def settings(text, says):
    return Row("ir-worker --check --offline --settings {dir}/input", "{dir}/input:" + says, 2, {}, text)


def inventory(text, says):
    return Row("platforms/ir-deploy {dir}/input one --dry-run", "{dir}/input:" + says, 1, {}, text)


def nodes(text, says):
    return Row("ingest/haproxy.py {dir}/input", "{dir}/input" + says, 1, {}, text)


def variable(script, says, status=2, **environment):
    return Row(f"python3 tools/{script}", says, status, environment)


ROWS = [
    # ---- variables of make ----
    variable("run.py check", "DOCUMENTS=mongo: must be one of sqlite, mongodb, null; did you mean mongodb?", DOCUMENTS="mongo"),
    variable("run.py check", "BROKERS=2: must be one of 1, 3, 5, 7", BROKERS="2"),
    variable("run.py check", "RATE=many: must be a whole number from 0 to 10000000", RATE="many"),
    variable("run.py check", "VIA=http needs a gateway", VIA="http", GATEWAYS="0"),
    variable("run.py check", "PLATFORM=vmware: must be one of", PLATFORM="vmware"),
    variable("up.py up", "LISTEN=somewhere: must be an address", LISTEN="somewhere"),
    variable("up.py up", "LISTEN=192.0.2.1: this machine has no such address", LISTEN="192.0.2.1", REGISTRY=str(REGISTRY)),
    variable("up.py up", "REGISTRY=none.ttl: there is no file none.ttl", REGISTRY="none.ttl"),
    variable("up.py up", "ir-registry from-csv examples/tutorial/stations.csv > stations.ttl", REGISTRY="examples/tutorial/stations.csv"),
    variable("up.py up", "REGISTRY=docs: the folder docs contains no registry, NAME.ttl; make one of a table", REGISTRY="docs"),
    variable("up.py up", "DATA={dir}/a,b: the path must not contain a comma", DATA="{dir}/a,b"),
    variable("up.py up", "{dir}/input: File exists; choose another name, or remove it", 1, DATA="{dir}/input"),
    variable("up.py up", "{dir}/input/x: Not a directory; a part of this path is a file; choose another folder", 1, DATA="{dir}/input/x"),
    variable("up.py registry", "make registry needs FILE=MY.ttl"),
    variable("keep.py backup", "make backup wants TO=DIR"),
    variable("keep.py restore", "STORE=docs: must be one of both, documents, graph; did you mean documents?", FROM="{dir}", STORE="docs"),
    variable("load.py", "no stack is running below {dir}", 1, DATA="{dir}"),
    variable("load.py", "MOTES=0: must be a whole number from 1", MOTES="0"),
    Row("tests/fuzz/run.py --check --seconds 0", "SECONDS=0: needs a whole number"),
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
    Row("ir-loadgen --target mqtts://h --ca none.pem", "ca: cannot read the certificates in none.pem: No such file"),
    Row("ir-tap --quality godo", "quality: 'godo' is not one of good, not_evaluated, suspect, fail, missing"),
    Row("ir-feed --map none.ini", "none.ini: cannot read the mapping: No such file or directory"),
    Row("ir-annotate --registry none.ttl", "none.ttl: cannot open the registry: No such file or directory", 1),
    Row(f"ir-annotate --registry {REGISTRY} --format xml", "format: 'xml' is not one of ntriples"),
    # ---- files that users write ----
    registry("ir:missingValue <x> .", 'ir:missingValue of <s> must be a number or a text, -9999 or "Ice", not <x>'),
    registry("ir:missingvalue -9 .", "ir:missingvalue is not a term of the registry; did you mean ir:missingValue?"),
    registry('ir:samplingInterval "15 minutes" .', "ir:samplingInterval of <s> must be a positive duration"),
    registry("ir:limits [ ir:grossFail ( 5 1 ) ] .", "ir:grossFail of [ ] is ( 5 1 ): the first number must not be above the second"),
    registry("ir:limits [ ir:spikeSuspect 3 ; ir:spikeFail 1 ] .", "ir:spikeSuspect of [ ] must not be above ir:spikeFail"),
    registry("geo:lat 5 .", "prefix of geo:lat is not declared; add @prefix"),
    registry("ir:samplingInterval 900", "not Turtle"),
    mapping("zone = Europe/Berln\n", "[a]: unknown zone 'Europe/Berln'; write a name like Europe/Berlin"),
    mapping("zone = column:\n", "[a]: zone = column: must name a column"),
    mapping("tiem-format = iso\n", "input:5: tiem-format: no such setting; did you mean time-format?"),
    mapping("time = t\n", "input:5: time is given twice; line 4 has it already"),
    mapping("header = 2000\n", "input:5: header: 2000 is outside 0"),
    mapping("encoding =\n", "input: [a]: encoding: unknown encoding ''"),
    mapping("time-format = %Y-W%V-%u %H:%M\n", "[a]: time-format: '%Y-W%V-%u %H:%M' gives no complete date"),
    mapping("time-format = %d.%m.%Y %H:%M %p\n", "[a]: time-format: %I (hours from 1 to 12) and %p (AM or PM) belong together"),
    Row("ir-feed --check --map {dir}/input", "{dir}/input: [a]: subscribe needs mqtt:// or mqtts://", 2, {},
        "[a]\nsubscribe = http://x\nformat = tts\nmote = m\n[a:v]\nsensor = /t\n"),
    mapping("time-format = DD.MM.YYYY\n", "time-format: 'DD.MM.YYYY' is not iso, unix or unix-ms, and contains no %"),
    mapping("[a:w]\nsensor = /w\nunit = m3/sec\n", "[a:w]: unknown unit 'm3/sec'; did you mean m3/s?"),
    mapping("comment = //\n", "[a]: comment must be one ASCII character or semicolon, not '//'"),
    mapping("separator = ;\n", "input:5: separator has no value, because a ; after a blank begins a comment"),
    mapping("encoding = ansi\n", "input: [a]: encoding: unknown encoding 'ansi'; iconv -l lists all names"),
    mapping("mote-prefix = USGS \u2013\n", "[a]: mote-prefix must be letters, digits, - : and _"),
    mapping("thousands = point\n", "[a]: decimal and thousands must be different signs"),
    mapping("[a:w]\nsensor = Pegel oben\n", "[a:w]: sensor 'Pegel oben' must be letters, digits and - : . / _"),
    mapping("unit = Cel\n", "input:5: unit: belongs to a section [POSITION:COLUMN]"),
    mapping("[a:w]\nsensor = /w\nunit = fathoms a week\n", "unknown unit 'fathoms a week'; docs/reference/registry.md lists them"),
    mapping("[a\n", "input:5: neither a section nor NAME = VALUE"),
    stations("a,t,water-temperatur,Cel", "unknown property 'water-temperatur'; did you mean water-temperature?"),
    stations("a,t,temperature,C", "unit 'C' is for ElectricCharge, but temperature is a Temperature"),
    stations("a,t,temperature", "the row has 3 fields, the header has 4"),
    Row("ir-registry from-csv {dir}/input", "{dir}/input:2: no row below the header describes a sensor", 1, {}, "mote,sensor,property,unit\n"),
    settings("[ir-wroker]\npartitions = 3\n", "2: partitions is in section 'ir-wroker', which no program reads; did you mean"),
    settings("[ir-worker]\np\0artitions = 3\n", "2: there is a NUL byte; if the file is UTF-16, save it as UTF-8"),
    settings("[ir-worker]\npartitions = 0\n", "2: partitions: 0 is outside 1 … 256"),
    settings("[ir-worker]\npartitions = 3\npartitions = 4\n", "3: partitions is given twice; line 2 has it already"),
    settings("partitions = 3\n", "1: partitions is in section ''"),
    settings("[ir-worker]\npartitions\n", "2: neither a section nor NAME = VALUE"),
    inventory("", " no server 'one'; add a section [server NAME]"),
    inventory("[server one]\naddress = 10.0.0.1\nroles = brooker\n", " [server one] role 'brooker': must be one of"),
    inventory("[server one]\nadress = 10.0.0.1\n", " [server one] adress: known are address"),
    inventory("[server one]\nroles\n", "2: neither a section nor NAME = VALUE"),
    inventory("[server one]\n[server one]\n", "2: [server one] is there twice"),
    nodes("hello\n", ":1: it must follow a section [NAME]"),
    nodes("[broker a]\naddress = 10.0.0.1\naddress = 10.0.0.2\n", ":3: [broker a] address is there twice"),
    nodes("[balanser]\nhttp = 80\n", " [balanser]: sections are balancer"),
    nodes("[balancer]\nhtpp = 80\n", " [balancer] htpp: there is no such key; known: address"),
    nodes("[balancer]\nhttps = 443\n[broker a]\nhost = 10.0.0.1\n", " [balancer]: https needs a certificate"),
    Row("ir-ingest --tokens {dir}/input --listen 127.0.0.1:0", "input:1: not 'MOTE sha256:HEX' with 64 digits", 1, {}, "m secret\n"),
    variable("up.py up", "REGISTRY={dir}/empty.ttl: it describes no sensor", REGISTRY="{dir}/empty.ttl"),
    Row("ir-worker --settings {dir}", "ir-worker: {dir}: Is a directory"),
    # ---- lists and files ----
    Row("ingest/haproxy.py none.conf", "none.conf: No such file or directory", 1),
    Row("ingest/motes.py none", "none: there is no such file", 1),
    Row("ingest/carry.py README.md", "README.md does not contain definitions that RabbitMQ exported", 1),
    Row("ingest/cut.py senders {dir}/none.sock", "No such file or directory", 1),
    Row("platforms/ir-deploy none.conf x", "none.conf: No such file or directory", 1),
    Row("platforms/ir-platform boot lxc nobody", "there is no guest 'nobody'", 1),
    Row("platforms/ir-platform provision lxc x --size small --cpus 4096", "cpus 4096: this host has", 1),
    Row("platforms/ir-platform provision lxc x --set cpu.pin=4095", "cpu.pin = 4095: this host has the CPUs", 1),
    Row("/usr/bin/python3 bench/ir-bench run nothing", "experiment 'nothing': must be one of"),
    Row("/usr/bin/python3 bench/ir-bench run quick --platforms bare --profiles nothing", "profile 'nothing': must be one of"),
    Row("/usr/bin/python3 bench/ir-bench report {dir}/none", "{dir}/none", 1),
]


def answer(row, folder, before=()):
    """Runs the command of a row; returns (exit status, lines on standard error)."""
    Path(folder, "input").write_text(row.text, encoding="utf-8")
    Path(folder, "empty.ttl").touch()
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


def test_all_faults_of_a_mapping_at_once(tmp_path):
    text = "[a]\nfiles = a.csv\ntime = t\n[a:v]\nunit = xyz\n[b]\ntime = t\n"
    status, lines = answer(Row("ir-feed --check --map {dir}/input", "", 2, {}, text), tmp_path)
    says = ["[a]: needs a mote", "[a:v]: needs a sensor", "[a:v]: unknown unit 'xyz'; docs/reference/registry.md lists them",
            "[b]: needs either files or subscribe", "[b]: needs a mote", "[b]: no section [b:COLUMN] names a sensor", "6 faults in the mapping"]
    assert status == 2 and [line.endswith(what) for line, what in zip(lines, says, strict=True)] == [True] * 7, lines


def test_files_of_a_mapping_that_are_not_there(tmp_path):
    text = f"[a]\nfiles = {tmp_path}/none-*.csv\nmote = m\ntime = t\n[a:v]\nsensor = /t\n"
    Path(tmp_path, "map.ini").write_text(text, encoding="utf-8")
    done = subprocess.run([BUILD / "ir-feed", "--check", "--map", tmp_path / "map.ini"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"no file matches {tmp_path}/none-*.csv" in done.stdout, done


# ---- errors of the system ----


UP = Row("python3 tools/up.py up", "", 1)
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user and mount")


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
                                           ("size=4k,nr_inodes=4", "free some space (df -h shows how much there is)")])
def test_a_disk_that_takes_nothing(tmp_path, options, says):
    mount = f'mount -t tmpfs -o {options} none {tmp_path} && exec "$0" "$@"'
    assert says in refused(UP, tmp_path, ["unshare", "--mount", "sh", "-ec", mount])


@root_only
def test_a_database_where_nothing_can_be_made(tmp_path):
    """If SQLite cannot create the file, it reports only that the file does not exist. The message gives the real
    reason."""
    row = Row(f"ir-store init --documents sqlite:{{dir}}/d.sqlite --graph null: --registry {REGISTRY}", "", 1)
    mount = f'mount -t tmpfs -o ro none {tmp_path} && exec "$0" "$@"'
    said = refused(row, tmp_path, ["unshare", "--mount", "sh", "-ec", mount])
    assert f"sqlite:{tmp_path}/d.sqlite: cannot open: Read-only file system; check the path" in said


@pytest.mark.parametrize("words", ["ingest/haproxy.py ingest/nodes.conf", "ir-worker --help"])
def test_output_that_cannot_be_written(words, tmp_path):
    said = refused(Row(words, "", 1), tmp_path, ["sh", "-c", 'exec "$0" "$@" > /dev/full'])
    assert "No space left on device" in said


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_a_locale_without_the_character(locale, tmp_path):
    """Characters that the locale does not have are replaced."""
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


# Presses Ctrl-C when a program imports the module {module}.
CTRL_C = """import os, signal, sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
"""


@pytest.mark.parametrize("words, module", [
    ("platforms/ir-deploy", "argparse"), ("platforms/ir-platform", "argparse"), ("bench/ir-bench", "random"), ("tools/up.py", "load"),
    ("tools/run.py", "load"), ("monitoring/ir-top", "frame"), ("monitoring/configure", "configuration"), ("ingest/haproxy.py", "nodes")])
def test_ctrl_c_while_a_program_starts(words, module, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(CTRL_C.format(module=module))
    done = subprocess.run(["/usr/bin/python3", ROOT / words, "--help"], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"})
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def scripts():
    """Returns all scripts that somebody may call by hand."""
    listed = subprocess.check_output(["git", "-C", ROOT, "ls-files", "--stage"], text=True).splitlines()
    executable = [line.split("\t")[1] for line in listed if line.startswith("100755")]
    inside = ("examples/", "platforms/appliance/", "platforms/xen/hotplug/", "platforms/xen/nested/dom0", "platforms/xen/nested/initrd",
              "tests/packages/inside", "tests/packages/started", ".ci/")
    python = [line.split("\t")[1] for line in listed if line.endswith(".py")]
    main = [each for each in python if '\nif __name__ == "__main__"' in (ROOT / each).read_text(encoding="utf-8")]
    left_out = ("bench/peers/", "tests/data/", "tests/platforms/xen_verbs", "bench/poison")  # need packages of their
                                                                                             # own, or Xen's dom0
    return sorted({each for each in [*executable, *main] if not each.startswith((*inside, *left_out))})


@pytest.mark.parametrize("script", scripts())
def test_every_script_has_help(script, tmp_path):
    first = (ROOT / script).read_text(encoding="utf-8").splitlines()[0]
    python = ["/usr/bin/python3"] if script.endswith(".py") or "python" in first else []
    module = ["-m", "ir_bench.kinds"] if script.endswith("kinds/__main__.py") else [str(ROOT / script)]
    done = subprocess.run([*python, *module, "--help"], cwd=ROOT / "bench", stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=60, check=False)
    assert done.returncode == 0 and len(done.stdout) > 40, done.stdout + done.stderr
