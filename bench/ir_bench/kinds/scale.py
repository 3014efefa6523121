"""Measures full speed by the number of workers, graph servers or brokers; each number has its own guests. With five or
more numbers for which the host has enough cores, the Universal Scalability Law is fitted; with fewer there is only a
table."""

import os

from .. import scalability
from . import pipeline

# The guests for n. The counted servers get their own guests, so they do not share an address.
TOPOLOGIES = {
    "worker": "[all]\nroles = broker,gateway,balancer,worker:{n},documents,graph\nsize = medium\n",
    "graph": "[all]\nroles = broker,gateway,balancer,worker:2,documents\nsize = medium\n\n"
             "[graph]\nroles = graph\ncount = {n}\nsize = small\n",
    "broker": "[broker]\nroles = broker\ncount = {n}\nsize = small\n\n"
              "[all]\nroles = gateway,balancer,worker:2,documents,graph\nsize = medium\n",
}


class Sample(pipeline.Sample):
    def measure(self):
        for number in self.scouted["numbers"]:
            topology = TOPOLOGIES[self.parameters["role"]].format(n=number)
            with self.started(topology=topology, folder=f"stack-{number}"):
                self.burst(f"{self.parameters['role']}-{number}", number, self.scouted["full_observations"])
        self.measures["scale.rate"] = max(value for name, value in self.measures.items() if name.endswith(".rate"))


class Kind(pipeline.Kind):
    Sample = Sample
    # The role that is counted, and its numbers; the seconds that the fixed amount takes with the smallest number.
    parameters = {**{key: shape for key, shape in pipeline.Kind.parameters.items()
                     if key not in ("fixed", "warm_up_seconds")},
                  "role": str, "numbers": [int]}
    proofs = ("loop", "null")
    full_speed = "scale.rate"

    def check(self, parameters):
        if parameters["role"] not in TOPOLOGIES:
            raise ValueError(f"role '{parameters['role']}' must be one of {', '.join(TOPOLOGIES)}")
        if not parameters["numbers"] or min(parameters["numbers"]) < 1:
            raise ValueError("numbers are from 1 on")

    def scout(self, parameters, once):
        """Keeps the numbers for which this host has enough cores. On a host with fewer than three cores, the generator
        has no separate cores."""
        cores = os.cpu_count()
        numbers = scalability.allowed(parameters["numbers"], cores, 1 if cores >= 3 else 0)
        found = self.full_rate(parameters, once, {"numbers": numbers[:1]}, "scale.rate")
        return {**found, "fixed": [], "numbers": numbers, "role": parameters["role"]}

    def stretches(self, scouted):
        words = {"worker": "workers", "graph": "graph servers", "broker": "brokers"}[scouted["role"]]
        return {f"{scouted['role']}-{n}": f"with {n} {words if n > 1 else words[:-1]}" for n in scouted["numbers"]} | {
            "scale": "at their highest", "guests": ""}

    def remarks(self, found):
        role, numbers = found.plan["scouted"]["role"], found.plan["scouted"]["numbers"]
        left_out = sorted(set(found.experiment.parameters["numbers"]) - set(numbers))
        told = [f"not measured, too few cores: {', '.join(map(str, left_out))}"] if left_out else []
        for subject in found.subjects:
            points = [(n, value) for n in numbers for value in found.values(subject, f"{role}-{n}.rate").values()]
            told.append(f"{subject}: {law_in_words(scalability.fit(points))}")
        return told


def law_in_words(law):
    if law is None:
        return f"the law is not fitted to fewer than {scalability.MIN_POINTS} different numbers"
    peak = f", most at {law.peak:.0f}" if law.peak else ""
    return (f"{law.rate:,.0f} observations/s of one, contention {law.contention:.1%}, coherence {law.coherence:.2%}{peak}; "
            f"no point is farther than {law.error:.0%} from this law")
