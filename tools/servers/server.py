"""Functions common to all servers: waiting until one is ready, stopping, starting again."""

import http.client
import os
from pathlib import Path

import atomic
from until import wait_until

from .ports import HOST, free_ports
from .process import Process, ServerError, tail

START_SECONDS = float(os.environ.get("IR_SERVER_SECONDS", "120"))


class Startable:
    """An object that starts in two steps, begin() and await_ready(), so that several can start in parallel."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def begin(self):
        raise NotImplementedError

    def await_ready(self):
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def start(self):
        """Starts it and waits until it is ready. On failure nothing of it remains."""
        try:
            self.begin()
            self.await_ready()
        except BaseException:
            self.stop()
            raise


DOCUMENT_SERVERS, GRAPH_SERVERS = {}, {}  # the servers behind the stores, by the names that DOCUMENTS= and GRAPH= take


class Server(Startable):
    """The base of all servers. A server can be stopped and started again; ports and data stay.

    The server of a store has the argument `documents` or `graph`: the name that DOCUMENTS= or GRAPH= takes, which is also
    the group of tools/install that installs the server.
    """

    def __init_subclass__(cls, documents=None, graph=None, **more):
        super().__init_subclass__(**more)
        if documents:
            DOCUMENT_SERVERS[documents] = cls
        if graph:
            GRAPH_SERVERS[graph] = cls

    name = "server"
    host = HOST
    words_before = ()  # a prefix for its command, such as one that enters a network namespace
    n_ports = 1
    libraries = ()  # Debian packages of the client library that our programs use for it, one for each release
    folders = ()  # made below its directory before it starts

    def __init__(self, directory):
        self.directory = Path(directory).resolve()
        self.log = self.directory / f"{self.name}.log"
        self.process = None
        self.ports = []

    # ---- files and environment ----

    def files(self):
        """Returns {name below its directory: text}."""
        return {}

    def argv(self):
        raise NotImplementedError

    def environment(self):
        """Its environment; None: this program's."""
        return None

    @classmethod
    def versions(cls):
        """Returns {program: version} of the programs it runs that are in no Debian package."""
        return {}

    # ---- running it ----

    @property
    def port(self):
        return self.ports[0]

    def begin(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        if not self.ports:
            self.ports = free_ports(self.n_ports)
        self.process = self.launch()

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process = None

    def restart(self):
        self.stop()
        self.start()

    def launch(self):
        for name in self.folders:
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self.write_files()
        return Process([*self.words_before, *self.argv()], self.log, env=self.environment(), cwd=self.directory)

    def write_files(self):
        for name, text in self.files().items():
            atomic.write(self.directory / name, text, atomic.PRIVATE, lasting=False)

    def ready(self):
        raise NotImplementedError

    def await_ready(self, ready=None):
        if not wait_until(ready or self.ready, START_SECONDS, self.check):
            raise self.error(f"is not ready after {START_SECONDS:.0f} s (IR_SERVER_SECONDS=600 allows more time)")

    def check(self):
        """Raises unless it runs."""
        if not self.process.alive():
            raise self.error(f"ended with status {self.process.child.returncode}")

    def error(self, what):
        return ServerError(f"{self.name} {what}; {self.log} ends:\n{tail(self.log)}")


def http_request(port, method, path, body=None, headers=None, timeout=60, host=HOST):
    """Returns (status, body) of one request."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
