"""One worker and a small fixed number of observations sent at once, each in its own message. Measures the time until
the last one is in all stores and republished. The thesis of 2013 calls it worker-1000, without the publishing."""

import stack

from . import pipeline
from .base import NUMBER, Measure

TOPOLOGY = "[all]\nroles = broker,gateway,balancer,worker,documents,graph\nsize = medium\n"
ROUNDS_MOST = 90  # number of seeds reserved for a sample


class Sample(pipeline.Sample):
    def measure(self):
        with self.started(topology=TOPOLOGY):
            for number in range(self.parameters["warm_up_rounds"]):
                self.round(number + 1)
            first, times = self.parameters["warm_up_rounds"] + 1, []
            with self.stretch("bursts", self.stack):
                while sum(times) < self.parameters["seconds"] and first + len(times) < ROUNDS_MOST:
                    times.append(self.round(first + len(times)))
            used, count = self.parts["bursts"], len(times) * self.parameters["observations"]
            self.measures["bursts.seconds"] = sum(times) / len(times)
            self.measures["bursts.cpu_us"] = (used["guest"] + used["kernel"]) / count * 1e6

    def round(self, number):
        """The seconds of one burst."""
        summary = self.send(f"burst-{number}", number, "--rate=0", f"--messages={self.parameters['observations']}")
        if not summary["complete"]:
            raise stack.StackError("; ".join(summary["incomplete_reasons"]))
        return summary["seconds_end_to_end"]


class Kind(pipeline.Kind):
    Sample = Sample
    # `observations`: the size of a burst. `seconds`: bursts are repeated until they have taken this long.
    parameters = {**{key: pipeline.Kind.parameters[key] for key in ("topology", "documents", "graph", "formats", "via", "motes",
                                                                      "records")},
                  "observations": int, "warm_up_rounds": int, "seconds": NUMBER}
    measures = {"seconds": Measure("seconds for one burst", "s", 3, "lower"),
                "cpu_us": pipeline.Kind.measures["cpu_us"],
                **{key: pipeline.Kind.measures[key] for key in ("boot_seconds", "memory_mib")}}
    proofs = ("loop",)
    full_speed = ""
    beside = {}

    def check(self, parameters):
        if parameters["records"] != 1:
            raise ValueError("records is 1: each observation is a message")

    def scout(self, parameters, once):
        return {}

    def stretches(self, scouted):
        return {"bursts": "", "guests": ""}
