"""Runs a sample as a separate process: starts it, waits, ends it, and cleans up if it could not do that itself."""

import json
import os
import signal
import subprocess
import sys
import time

from platforms.lab import LabError, command

from . import ROOT, leftovers

END_SECONDS = 60


def run(request, folder, seconds, build=""):
    """Returns the sample's result.json, or a failed result if there is none. `build`: the checkout whose programs it
    uses."""
    (folder / "request.json").write_text(json.dumps(request, indent=2) + "\n", encoding="utf-8")
    (folder / "result.json").unlink(missing_ok=True)
    argv = [sys.executable, "-B", "-m", "ir_bench.kinds", folder / "request.json", folder]
    begun = time.time()
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT / "bench",
                                 env={**os.environ, "IR_BENCH_BUILD": build}, preexec_fn=end_with_parent)
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            status = f"no end after {seconds:.0f} s"
        except BaseException:
            end(child)
            leftovers.clear(folder)
            raise
        end(child)
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        result = {"status": "failed", "why": last_line(folder / "log") or f"status {status}"}
    try:
        leftovers.clear(folder)
    except (LabError, OSError) as error:
        result = {**result, "status": "failed", "why": f"{result['why']}; not everything could be removed: {error}"}
    return {"begun": begun, "seconds": time.time() - begun, **result}


def end_with_parent():
    """The kernel terminates the child when this program is killed."""
    command.LIBC.prctl(command.PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def end(child):
    """Stops a child, and waits. A sample then destroys its guests."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def last_line(path):
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:400] if lines else ""
