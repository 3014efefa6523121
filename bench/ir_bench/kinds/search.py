"""The generator's search for the highest rate (ir-loadgen --find-max), once per platform, with a limit on what it
stores. It is not a sample: all rates are tried in one guest, whose stores grow. So the report gives its result with the
number of stored observations and the used disk space, and never as a ratio."""

from . import pipeline
from .base import Measure

NO_SAMPLE = "--find-max runs once per platform, in one guest whose stores grow, so its result is not a sample"


class Sample(pipeline.Sample):
    def measure(self):
        with self.started():
            messages = self.parameters["observations_most"] // self.parameters["records"]
            summary = self.measured("search", 1, "--find-max", f"--messages={messages}")
        found, sent = summary["find_max"], summary["observations_sent"]
        self.measures["search.highest"] = found["rate"]
        self.measures["search.stored"] = sent
        if (each := self.measures["search.disk_bytes"]) is not None:
            self.measures["search.written_mib"] = each * sent / (1 << 20)
        self.no_ratio["search"] = NO_SAMPLE
        if not found["finished"]:
            self.notes["search"] = "stopped early by the limit on what it may store"


class Kind(pipeline.Kind):
    Sample = Sample
    blocks_most = 1
    parameters = {**{key: pipeline.Kind.parameters[key] for key in ("topology", "documents", "graph", "formats", "via", "motes",
                                                                      "records")},
                  "observations_most": int}  # the bound
    measures = {**pipeline.Kind.measures,
                "highest": Measure("highest rate that was kept", "/s", 0, "higher"),
                "stored": Measure("observations stored meanwhile", "", 0),
                "written_mib": Measure("written to the disk meanwhile", "MiB", 0)}
    proofs = ()
    full_speed = ""

    def check(self, parameters):
        if parameters["observations_most"] < parameters["records"]:
            raise ValueError("observations_most is at least one message")

    def scout(self, parameters, once):
        return {}

    def stretches(self, scouted):
        return {"search": "", "guests": ""}

    def remarks(self, found):
        told = []
        for subject in found.subjects:
            highest, stored, mib = (found.median(subject, f"search.{what}") for what in ("highest", "stored", "written_mib"))
            if highest is not None:
                disk = f" and wrote {mib:,.0f} MiB to the disk" if mib is not None else ""
                told.append(f"{subject}: --find-max found {highest:,.0f} observations/s; it stored {stored:,.0f} "
                            f"observations{disk}")
        return told
