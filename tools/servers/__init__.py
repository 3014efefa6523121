"""Private servers for runs and tests: RabbitMQ, MongoDB, Fuseki, Oxigraph, Virtuoso.

Each lives below one directory, listens only on free ports of 127.0.0.1, and is ready when start() returns. When this
program ends, for whatever reason, each is stopped by the id of its process group:

    with RabbitMQ("out/run/rabbitmq") as broker:
        print(broker.uri)

Only Python's standard library is used, because `make run` needs this module on machines without any other.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ingest"))

import interrupt  # noqa: E402,F401 - must be imported before the other modules
import atomic  # noqa: E402
from cache import cache_directory  # noqa: E402
from until import wait_until  # noqa: E402

from .broker import PortMapper, RabbitMQ, other_rabbitmq, usual_rabbitmq  # noqa: E402
from .graphs import Fuseki, Oxigraph, Virtuoso  # noqa: E402
from .installed import find_program, first_line  # noqa: E402
from .mongodb import MongoDB  # noqa: E402
from .ports import HOST, free_ports, listens, port_fault  # noqa: E402
from .process import (  # noqa: E402
    Process,
    ServerError,
    boot_id,
    kill_all,
    let_go,
    record_in,
    recorded,
    start_time,
    stop_all,
    stop_kept,
    stop_on_signals,
    tail,
)
from .server import DOCUMENT_SERVERS, GRAPH_SERVERS, Server, Startable, http_request  # noqa: E402

# A new server of a store needs only its file: its class enters itself into the tables.
for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f".{module.name}", __name__)

__all__ = [
    "DOCUMENT_SERVERS", "GRAPH_SERVERS", "HOST", "Fuseki", "MongoDB", "Oxigraph", "PortMapper", "Process", "RabbitMQ", "Server",
    "ServerError", "Startable", "Virtuoso", "atomic", "boot_id", "cache_directory", "find_program", "first_line", "free_ports", "http_request", "kill_all",
    "let_go", "listens", "other_rabbitmq", "port_fault", "record_in", "recorded", "start_time", "stop_all", "stop_kept",
    "stop_on_signals", "tail", "usual_rabbitmq", "wait_until",
]
