"""Compares ir-worker with other workers that do the same job (bench/peers/). One worker of each kind in turn starts
from filled queues and writes to the same kinds of stores. Afterwards the stores must have exactly the documents and
statements that ir-annotate makes of the same packs. Otherwise the worker gets no figures."""

import servers

from .. import ROOT, sample, stage
from ..needs import PYTHON
from ..subjects import Subject
from . import base
from .base import Measure

PEERS = ROOT / "bench" / "peers"
BUILT = ROOT / "out" / "peers"
OURS = "ir-worker"


def python(run, observations):
    return [PYTHON, PEERS / "python" / "worker.py", *addresses(run, observations)]


def java(run, observations):
    return ["java", "-cp", f"{BUILT}/java/classes:{BUILT}/java/lib/*", "river.Worker", *addresses(run, observations)]


def benthos(run, observations):
    return [BUILT / "river-benthos", *addresses(run, observations)]


FORMS = {"documents": "json", "graph": "ntriples"}
WORKERS = {"python": python, "java": java, "benthos": benthos}


def addresses(run, observations):
    words = [f"--amqp={run.broker.uri}", f"--registry={run.registry}", f"--observations={observations}"]
    if "documents" in run.servers:
        words.append(f"--mongodb={run.uri('documents')}")
    if "graph" in run.servers:
        words.append(f"--sparql=http://{servers.HOST}:{run.servers['graph'].port}/ir")
    return words


class Sample(sample.Sample):
    confined = False

    def measure(self):
        folder, repeat = self.folder / "guests", self.parameters["repeat"]
        folder.mkdir(exist_ok=True)
        registry = folder / "registry.ttl"
        registry.write_bytes(stage.call(PYTHON, PEERS / "python" / "gross_registry.py", stage.REGISTRY))
        observations = repeat * stage.OBSERVATIONS
        with stage.Stage(folder, self.parameters["documents"], self.parameters["graph"], registry) as run:
            run.fill(f"--repeat={repeat}")
            with self.stretch("drain"):
                used = run.drain(self.worker(run, observations), observations)
            self.measures.update({f"drain.{name}": value for name, value in used.items()})
            self.require_equal(run, repeat)

    def worker(self, run, observations):
        name = self.parameters["worker"]
        if name == OURS:
            return stage.Ours(run, "--formats=jsonld,senml")
        return stage.Peer(run, name, WORKERS[name](run, observations))

    def require_equal(self, run, repeat):
        """Checks that nothing is missing, duplicated or foreign, and that all documents and statements are as
        ir-annotate writes them."""
        if "null" in run.names.values():
            return
        wrong = {key: value for key, value in run.verify().items() if value}
        for part, digest in run.digests().items():
            expected = stage.annotated(run.registry, FORMS[part], *run.source, f"--repeat={repeat}")
            if digest != stage.digest_of_lines(expected):
                wrong[part] = "not as ir-annotate writes them"
        if wrong:
            raise stage.StageError(f"{self.parameters['worker']}: " + ", ".join(f"{key}: {wrong[key]}" for key in wrong))


class Kind(base.Kind):
    Sample = Sample
    # repeat: how often the replay data are sent; documents, graph: the stores; workers: names from bench/peers/.
    parameters = {"workers": [str], "repeat": int, "documents": str, "graph": str}
    measures = {
        "rate": Measure("rate", "observations/s", 0, "higher"),
        "worker_us": Measure("CPU of the worker per observation", "µs", better="lower"),
        "all_us": Measure("CPU of all processes per observation", "µs", better="lower"),
        "broker_us": Measure("CPU of the broker per observation", "µs", better="lower"),
        "documents_us": Measure("CPU of the document store per observation", "µs", better="lower"),
        "graph_us": Measure("CPU of the triplestore per observation", "µs", better="lower"),
        "peak_mib": Measure("memory of the worker at its highest", "MiB", 0, "lower"),
        "seconds": Measure("the whole", "s", better="lower"),
    }

    def check(self, parameters):
        if unknown := sorted(set(parameters["workers"]) - set(WORKERS)):
            raise ValueError(f"worker '{unknown[0]}' must be one of {', '.join(WORKERS)}")

    def missing(self, experiment):
        """Builds the compiled peers."""
        targets = [f"out/peers/{each}.ok" for each in experiment.parameters["workers"] if each != "python"]
        try:
            if targets:
                stage.call("make", "-s", "-C", ROOT, *targets)
        except stage.StageError as error:
            return [str(error)]
        return []

    def subjects(self, experiment, platforms, profiles):
        """The subjects are workers, not platforms. All of them run on this host, without guests."""
        def subject(name, worker):
            return Subject(name, "bare", against=OURS, settings={"worker": worker})

        return [subject(OURS, OURS), subject(f"{OURS}-again", OURS),
                *(subject(each, each) for each in experiment.parameters["workers"])]

    def stretches(self, scouted):
        return {"drain": ""}
