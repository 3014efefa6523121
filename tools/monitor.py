"""Starts Prometheus for a user's running river: DATA= names it, PACE= is as in monitoring/configuration.py. Its
configuration and data are in the river's folder, below monitoring/; make down stops it. A second call only applies
changes.
"""

import argparse
import os
import sys

import servers  # puts ingest/ on the module path
import guard
import stack
import variables
from river import KeptPorts, River
from stack import say, show

sys.path.insert(0, str(stack.ROOT / "monitoring"))

import configuration  # noqa: E402

GRAFANA = stack.ROOT / "monitoring" / "grafana"


class Prometheus(servers.Server):
    """Reads the configuration in its directory."""

    name = "prometheus"
    folders = ("data",)

    def argv(self):
        program = servers.find_program("prometheus", "monitoring")
        return [program, f"--config.file={self.directory / configuration.FILES[0]}",
                f"--storage.tsdb.path={self.directory / 'data'}", f"--web.listen-address={self.host}:{self.port}",
                "--web.enable-lifecycle"]

    @property
    def address(self):
        return f"http://{self.host}:{self.port}"

    def ready(self):
        try:
            return servers.http_request(self.port, "GET", "/-/ready", timeout=5)[0] == 200
        except OSError:
            return False

    def reload(self):
        """Makes a running Prometheus read its configuration again."""
        status, text = servers.http_request(self.port, "POST", "/-/reload")
        if status != 200:
            raise self.error(f"does not accept its configuration: {text.decode(errors='replace').strip()}")


class Blackbox(servers.Server):
    """Runs the exporter that checks the TLS listeners, with the configuration that was written for Prometheus."""

    name = "prometheus-blackbox-exporter"

    def __init__(self, directory, prometheus):
        super().__init__(directory)
        self.configuration = prometheus.directory / configuration.EXPORTER_FILE

    def argv(self):
        program = servers.find_program(self.name, "monitoring")
        return [program, f"--config.file={self.configuration}", f"--web.listen-address={self.address}"]

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def ready(self):
        try:
            return servers.http_request(self.port, "GET", "/-/healthy", timeout=5)[0] == 200
        except OSError:
            return False


def monitor(environment):
    pace = variables.read(environment, "PACE", "monitor")
    river = River.of(environment)
    river.claim("make monitor")
    description = river.require_running()
    known = river.read()
    prometheus = Prometheus(river.folder / "monitoring")
    blackbox = Blackbox(river.folder / "blackbox", prometheus)
    prometheus.ports, blackbox.ports = (KeptPorts(known["ports"])(each, 1) for each in ("prometheus", "blackbox"))
    river.write(known)
    configuration.write(prometheus.directory, description["metrics"], description["doors"], blackbox.address, pace)
    if prometheus.ready():
        prometheus.reload()
        say("monitor", "it is already running, and has read its configuration again")
    else:
        servers.record_in(river.processes, more=True)
        blackbox.start()
        prometheus.start()
        servers.let_go()
    if len(str(river.folder).split()) > 1:
        say("monitor", f"RabbitMQ 3 cannot measure the disk space of {show(river.folder)}, because its name contains a "
                       "blank, and then shows metrics that Prometheus cannot read; choose another folder with DATA=DIR")
    show_where(river, prometheus)


def show_where(river, prometheus):
    top = stack.ROOT / "monitoring" / "ir-top"
    print(f"""\
It runs until make down; its data are kept in {show(prometheus.directory)}.
  prometheus   {prometheus.address}
  alerts       {prometheus.address}/alerts
  runbook      {show(stack.ROOT / 'docs' / 'howto' / 'runbook.md')}
Grafana: add the data source {prometheus.address} and import {show(GRAFANA)}/dashboards/*.json, or start it with
  RIVER_PROMETHEUS={prometheus.address} RIVER_DASHBOARDS={GRAFANA}/dashboards GF_PATHS_PROVISIONING={GRAFANA}/provisioning
On a terminal: {show(top)} {show(river.folder)}""")


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    servers.stop_on_signals()
    guard.run("monitor", lambda: monitor(os.environ))


if __name__ == "__main__":
    main()
