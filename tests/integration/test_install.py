"""When a download fails, tools/install shows the error lines of pip and Maven. (The last line of their output is not
the cause.)"""

import os
import shutil
import stat
import subprocess
import sys

import pytest

import harness

sys.path.insert(0, str(harness.ROOT))

from platforms.lab import debian, errors, netns, release  # noqa: E402

PIP = """\
WARNING: Retrying (Retry(total=1, connect=None)) after connection broken by 'SSLError(SSLCertVerificationError(1, \
'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in chain'))': /simple/oxigraph/
WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'SSLError(SSLCertVerificationError(1, \
'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in chain'))': /simple/oxigraph/
ERROR: Could not find a version that satisfies the requirement oxigraph (from versions: none)
ERROR: No matching distribution found for oxigraph
"""
MAVEN = f"""\
[INFO] Scanning for projects...
[ERROR] Plugin maven-dependency-plugin or one of its dependencies could not be resolved: {"at a place, " * 60}\
PKIX path building failed: unable to find valid certification path to requested target -> [Help 1]
[ERROR]
[ERROR] For more information about the errors and possible solutions, please read the following articles:
"""


@pytest.fixture
def install(tmp_path):
    """Runs tools/install for a group. The download client prints this text and fails."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def run(group, client, says):
        (tmp_path / "says").write_text(says)
        script = f"""#!/bin/sh
case "$*" in *--version*|*ensurepip*) exit 0 ;; esac
cat {tmp_path / "says"}
exit 1
"""
        (programs / client).write_text(script)
        (programs / client).chmod(stat.S_IRWXU)
        environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path), "IR_CACHE": str(tmp_path / "cache")}
        done = subprocess.run([harness.ROOT / "tools" / "install", group], env=environment, capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 1, done.stdout
        return done.stderr

    return run


def test_pip_says_why(install):
    if shutil.which("oxigraph", path="/usr/bin:/bin"):
        pytest.skip("oxigraph is installed, so nothing is fetched")
    told = install("oxigraph", "python3", PIP)
    assert told.count("CERTIFICATE_VERIFY_FAILED") == 1 and "self-signed certificate in chain" in told
    assert "No matching distribution" in told and "pip.log" in told


def test_pip_says_why_nothing_can_be_written(install):
    if shutil.which("oxigraph", path="/usr/bin:/bin"):
        pytest.skip("oxigraph is installed, so nothing is fetched")
    assert "No space left on device" in install("oxigraph", "python3", "ERROR: [Errno 28] No space left on device\n\n")


@pytest.mark.skipif(not os.path.exists("/usr/bin/java"), reason="Java is not installed; install would fetch it first")
def test_maven_says_why(install):
    told = install("fuseki", "mvn", MAVEN)
    assert "could not be resolved" in told and "unable to find valid certification path" in told


@pytest.mark.skipif(not os.path.exists("/usr/bin/java"), reason="Java is not installed; install would fetch it first")
def test_what_nobody_knows_is_shown_as_it_is(install):
    assert "    the moon is full" in install("fuseki", "mvn", "a\nb\nthe moon is full\n")


# tools/install is killed while dpkg unpacks, as by Ctrl-C in ir-deploy; then it is called again.
KILLED = """
log=/root/.cache/intelligent-river/apt.log
setsid /srv/river/tools/install deploy &
until grep -qs ^Unpacking "$log"; do kill -0 $! && sleep 0.01; done
sleep "$1"
kill -KILL -- -$!
/srv/river/tools/install deploy && ss -V && strip --version
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 0.3, 1])
def test_an_interrupted_installation_is_completed(tmp_path, seconds):
    log = tmp_path / "log"
    try:
        with debian.Root(release.of_host(), []) as root:
            box = root.sandbox(tmp_path / "layer", [("ro", harness.ROOT, "/srv/river"), *debian.client_binds(root.path)])
            box.environment |= debian.environment()
            status = box.run(["bash", "-euc", KILLED, "sh", seconds], log, network=True, seconds=600, before=netns.outside_argv())
            box.discard()
    except errors.Unsupported as error:
        pytest.skip(str(error))
    assert status == 0, log.read_text()[-3000:]
