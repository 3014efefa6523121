"""The main run: real river data passes through the balancer, the brokers and the workers into both stores, and out
again.

It starts a private stack below out/run/ (with PLATFORM, in guests of that platform), replays the data, and compares
what was sent with what is stored. It writes out/run/summary.json (with a copy in out/results/) and stops everything.
Settings come from the environment, as the Makefile passes them: BROKERS GATEWAYS WORKERS DOCUMENTS GRAPH FORMATS (the
stack), PLATFORM TOPOLOGY PROFILE DOCUMENTS GRAPH FORMATS (guests), VIA REPEAT RATE KEEP MESSAGES. Exit status 0 means
that everything requested was sent and nothing is missing, duplicated or foreign. With the argument `check` it only
checks the settings.
"""

import argparse
import json
import os
import time

import facts
import guard
import guests
import ready_commands
import servers  # puts ingest/ on the module path
import stack
import variables
from load import DATA, VIAS, Load, judged, total
from stack import OUT, ROOT, StackError, UsageError, say, show


class Settings:
    """The settings of the run. `where` holds those of the stack or the guests."""

    def __init__(self, environment):
        self.where = guests.Settings(environment) if environment.get("PLATFORM") else stack.Settings(environment)
        self.via = variables.read(environment, "VIA", "run")
        self.repeat = variables.read(environment, "REPEAT", "run")
        self.rate = variables.read(environment, "RATE", "run")
        self.keep = variables.read(environment, "KEEP", "run") == 1
        self.messages = variables.read(environment, "MESSAGES", "run")
        if "http" in VIAS[self.via] and getattr(self.where, "gateways", 1) == 0:
            raise UsageError(f"VIA={self.via} needs a gateway: GATEWAYS=1 or more")


class Local(stack.Stack):
    """The stack on this machine. The alternative is guests.GuestStack."""

    def __enter__(self):
        say("run", "starting " + stack.roles(self.settings))
        self.start()
        return self

    def __exit__(self, kind, _error, _trace):
        """Stops the stack. After an error nothing is done here: the processes are stopped when the program ends."""
        if kind is None:
            self.stop()

    def load(self, directory, via):
        return Load(self.description(), directory, via, self.check)

    def figures(self):
        return {"workers": len(self.workers), "brokers": self.settings.brokers, "platform": facts.platform(), "emulated": False,
                "profile": "none"}

    def addresses(self):
        return stack.addresses(self.description())

    def hints(self, stays):
        """Commands with which to look at the data."""
        description = self.description()
        lines = ready_commands.embedded(description)
        if stays:
            lines.append(ready_commands.sparql(description))
        if stays or not self.document_server:
            lines.append(ready_commands.export(description))
        if self.stores() and not stays:
            lines.append("(the servers are stopped; with KEEP=1 they stay, and the commands are shown here)")
        return filter(None, lines)


def worker_cost(workers, before, observations):
    """Returns (CPU per observation in µs, highest peak memory in MiB)."""
    metrics = [each.metrics() for each in workers]
    used = sum(m["process_cpu_seconds_total"] for m in metrics) - sum(before)
    peak = max(m.get("process_peak_resident_memory_bytes", 0) for m in metrics)
    return used * 1e6 / max(observations, 1), peak / 2**20


def measure(running, settings, idle):
    """Replays, compares, and writes the summary. `idle`: the machine's load before."""
    load = running.load(OUT / "load", settings.via)
    times = f" {settings.repeat} times" if settings.repeat > 1 else ""
    say("run", f"replaying {show(DATA)}{times} via {settings.via}")
    before = [each.metric("process_cpu_seconds_total") for each in running.workers]
    sent = load.replay(settings.repeat, settings.rate, settings.messages)
    cpu, peak = worker_cost(running.workers, before, sent["observations_sent"])
    say("run", "comparing what was sent with what the stores contain")
    verdict, status = load.verify(), load.status()
    latency = sent.get("latency_ms")  # None: nothing was republished
    documents = {} if settings.where.documents == "null" else status["documents"]
    graph = {} if settings.where.graph == "null" else status["graph"]
    summary = {
        "messages_sent": sent["messages_sent"],
        "observations_sent": sent["observations_sent"],
        # None for a store that keeps nothing.
        "raw_stored": documents.get("raw"),
        "observations_stored": documents.get("observations"),
        "observations_in_graph": graph.get("observations"),
        "messages_republished": sent.get("messages_republished", 0),
        "rejected": documents.get("raw_rejected"),
        **{key: total(verdict, key) for key in ("missing", "doubled", "foreign")},
        # From the first message sent to the last one republished; without formats, only the sending.
        "seconds": sent.get("seconds_end_to_end", sent["seconds"]),
        "observations_per_second": sent.get("observations_per_second_end_to_end", sent["observations_per_second"]),
        "latency_ms": latency and {key: latency.get(key, 0) for key in ("p50", "p90", "p99", "p999", "max")},
        "worker_cpu_us_per_observation": round(cpu, 2),
        "worker_peak_rss_mib": round(peak, 1),
        "generator": {key: sent[key] for key in ("complete", "incomplete_reasons", "valid")} | {"told": judged(sent)},
        "load_before": idle,
        **running.figures(),
        "via": settings.via,
        "documents": settings.where.documents,
        "graph": settings.where.graph,
        "facts": facts.collect(ROOT, settings.where.documents, settings.where.graph),
    }
    (OUT / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    summary["kept"] = show(stack.keep_results((OUT / "summary.json", "summary.json"), *load.results()))
    return summary


# ---- for people ----


def keep(running):
    """Waits for a signal, the normal way to end."""
    print("\nIt runs until Ctrl-C:\n" + "\n".join(running.addresses()), flush=True)
    try:
        while True:
            time.sleep(0.5)
            running.check()
    except SystemExit:
        pass


def counted(number):
    return "not kept" if number is None else f"{number:,}"


def milliseconds(latency):
    keys = ("p50", "p99", "max")
    return ", ".join(f"{latency[key]:,.1f}" for key in keys) + " ms" if latency else "nothing is published again"


def compared(summary):
    if summary["documents"] == summary["graph"] == "null":
        return "nothing is kept to compare"
    return ", ".join(str(summary[key]) for key in ("missing", "doubled", "foreign"))


NOT_A_MEASUREMENT = """
This was a check, not a measurement: one burst of {seconds:.1f} s. Such a figure can vary
severalfold with the machine's other load, and one run does not show the spread between runs. To
compare platforms or tunings: make bench"""


def headline(summary):
    where = summary["platform"] + (", EMULATED: no measurement" if summary["emulated"] else "")
    return (f"{stack.several(summary['brokers'], 'broker')}, {stack.several(summary['workers'], 'worker')}, "
            f"{summary['documents']} and {summary['graph']}, via {summary['via']}, {where}")


def table(summary):
    latency = summary["latency_ms"]
    what = "" if latency else " of sending"
    rows = [
        ("messages sent", counted(summary["messages_sent"])),
        ("observations sent", counted(summary["observations_sent"])),
        ("messages stored raw", counted(summary["raw_stored"])),
        ("observations processed", counted(summary["observations_stored"])),
        ("observations in the graph", counted(summary["observations_in_graph"])),
        ("messages published again", counted(summary["messages_republished"])),
        ("rejected", counted(summary["rejected"])),
        ("missing, doubled, foreign", compared(summary)),
        (f"time{what}", f"{summary['seconds']:.2f} s"),
        (f"observations/s{what}", f"{summary['observations_per_second']:,.0f}"),
        ("latency p50, p99, max", milliseconds(latency)),
        ("worker CPU per observation", f"{summary['worker_cpu_us_per_observation']:.1f} µs"),
        ("worker peak memory", f"{summary['worker_peak_rss_mib']:.1f} MiB"),
        ("platform, profile", f"{summary['platform']}, {summary['profile']}"),
        ("load of the machine before", f"{summary['load_before']:.1f} on {summary['facts']['cores']} cores"),
        ("the generator's figures", "; ".join(summary["generator"]["told"]) or "complete, valid"),
    ]
    return "\n".join(["", headline(summary), *(f"  {name:<28} {value}" for name, value in rows),
                      NOT_A_MEASUREMENT.format(seconds=summary["seconds"])])


def is_clean(summary):
    return all(summary[key] == 0 for key in ("missing", "doubled", "foreign"))


def run(settings):
    """Makes one run; returns its summary."""
    idle = os.getloadavg()[0]
    stack.check_formats(settings.where.formats)
    stack.begin_in(OUT, "make run")
    kind = guests.GuestStack if isinstance(settings.where, guests.Settings) else Local
    with kind(settings.where, OUT) as running:
        summary = measure(running, settings, idle)
        print(table(summary))
        hints = [*running.hints(settings.keep), f"less {show(OUT / 'summary.json')}   # kept in {summary['kept']}"]
        print("\nLook at the data:\n" + "\n".join(f"  {line}" for line in hints), flush=True)
        if settings.keep:
            keep(running)
    return summary


def judge(summary):
    if not is_clean(summary):
        raise StackError("the stores do not contain exactly what was sent")
    if not summary["generator"]["complete"]:
        raise StackError("the run did not do everything requested: " + "; ".join(summary["generator"]["incomplete_reasons"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["check"])
    checks = parser.parse_args().what == "check"
    servers.stop_on_signals()
    if checks:
        guard.run("make", lambda: Settings(os.environ) and None)
    guard.run("run", lambda: judge(run(Settings(os.environ))))


if __name__ == "__main__":
    main()
