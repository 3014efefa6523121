"""The highest rate that a platform sustains. The rates are a grid, the same for all; each is sent for the same time
into empty stores. A rate counts as sustained if the generator's verdict is positive in at least half of the blocks
(loadgen/README.md)."""

import statistics

from . import pipeline
from .base import NUMBER, Measure


class Sample(pipeline.Sample):
    def measure(self):
        with self.started():
            if not self.scouted["grid"]:
                self.full()
            for number, step in enumerate(self.scouted["grid"], 1):
                self.stack.empty_stores()
                summary = self.measured(step["name"], number, f"--rate={step['rate']}",
                                        f"--duration={self.parameters['seconds']}s")
                kept = pipeline.kept(summary)
                self.measures[f"{step['name']}.kept"] = float(kept)
                if kept:
                    self.measures["sustained.highest"] = step["rate"]
                else:
                    self.notes[step["name"]] = f"not kept: {pipeline.verdict(summary)}"


class Kind(pipeline.Kind):
    Sample = Sample
    # The grid: per cent of the reference's full speed, and the seconds for which each rate is sent.
    parameters = {**{key: shape for key, shape in pipeline.Kind.parameters.items()
                     if key not in ("fixed", "full_seconds", "warm_up_seconds")},
                  "percent": [int], "seconds": NUMBER}
    measures = {**pipeline.Kind.measures,
                "kept": Measure("kept, share of the blocks", "", 2, "higher"),
                "highest": Measure("highest rate that was kept", "/s", 0, "higher")}
    proofs = ("loop", "null")
    full_speed = "sustained.highest"

    def check(self, parameters):
        if not all(5 <= each <= 100 and each % 5 == 0 for each in parameters["percent"]):
            raise ValueError("percent: multiples of 5, up to 100")

    def scout(self, parameters, once):
        found = self.full_rate(parameters, once, {"grid": []})
        rates = {f"grid-{each}": pipeline.rounded(found["full_rate"] * each / 100) for each in sorted(parameters["percent"])}
        return {**found, "fixed": [], "grid": [{"name": name, "rate": rate} for name, rate in rates.items()]}

    def stretches(self, scouted):
        rates = {each["name"]: f"at {each['rate']:,} observations/s" for each in scouted["grid"]}
        return {**rates, "sustained": "", "guests": ""}

    def remarks(self, found):
        """Reports, for each subject, the highest rate that at least half of the blocks kept."""
        told = []
        for subject in found.subjects:
            good = [each["rate"] for each in found.plan["scouted"]["grid"]
                    if statistics.fmean(found.values(subject, f"{each['name']}.kept").values() or [0]) >= 0.5]
            told.append(f"{subject}: highest sustained rate " +
                        (f"{max(good):,} observations/s" if good else "below the grid"))
        return told
