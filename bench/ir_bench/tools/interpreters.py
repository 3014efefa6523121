"""Interpreters: benchmarks of pyperformance that need only Python, and PHP's own benchmark."""

import json
import math
import statistics

from .base import OutputError, Tool, number

PYPERFORMANCE = "/usr/local/lib/pyperformance"
PHP_BENCH = "/usr/local/share/php/bench.php"


class Pyperformance(Tool):
    """Runs each benchmark with pyperf in separate processes; the figure is the geometric mean of their mean times."""

    programs = ("python3",)
    options = {"benchmarks": [str]}
    gives = ("ms",)

    def command(self, options, place, amount):
        run = f"{PYPERFORMANCE}/pyperformance/data-files/benchmarks/bm_$each/run_benchmark.py"
        return (f"export PYTHONPATH={PYPERFORMANCE}; for each in {' '.join(options['benchmarks'])}; do rm -f $each.json; "
                f"python3 {run} --quiet --processes 3 --values 3 --warmups 1 --output $each.json >/dev/null || exit 1; "
                "cat $each.json; echo; done")

    def parse(self, text, options):
        """Parses pyperf's JSON, one suite per line: benchmarks[].runs[].values[] in seconds."""
        try:
            suites = [json.loads(line) for line in text.splitlines() if line.strip()]
            means = [statistics.fmean(value for run in each["runs"] for value in run.get("values", []))
                     for suite in suites for each in suite["benchmarks"]]
            if len(suites) != len(options["benchmarks"]):
                raise OutputError(f"pyperf: {len(suites)} of {len(options['benchmarks'])} benchmarks")
            return {"ms": math.exp(statistics.fmean(math.log(mean) for mean in means)) * 1000}
        except (ValueError, KeyError, statistics.StatisticsError) as error:
            raise OutputError(f"pyperf: {error!r} in: {text[-300:]!r}") from error


class Php(Tool):
    """Runs Zend/bench.php of PHP's sources `amount` times."""

    programs = ("php",)
    options = {"seconds": int}
    gives = ("seconds",)
    first_amount = 2

    def command(self, options, place, amount):
        return f"for ((i = 0; i < {amount}; i++)); do php {PHP_BENCH} || exit 1; done"

    def parse(self, text, options):
        """The line "Total SECONDS" of each pass."""
        totals = [number(line, r"^Total +([\d.]+)$") for line in text.splitlines() if line.startswith("Total ")]
        if not totals:
            raise OutputError(f"bench.php printed no total: {text[-300:]!r}")
        return {"seconds": sum(totals)}


TOOLS = {"pyperformance": Pyperformance(), "php": Php()}
