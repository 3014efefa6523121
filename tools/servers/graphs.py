"""The graph servers: Fuseki, Oxigraph, Virtuoso."""

import http.client
import os
import subprocess
import urllib.parse
from pathlib import Path

from cache import cache_directory

from .installed import find_program, first_line
from .ports import HOST
from .process import ServerError
from .server import Server, http_request


class GraphServer(Server):
    """A SPARQL server. Queries go to query_path; `uri` has the form that the settings expect."""

    query_path = "/query"
    strategy = "quads"

    def select(self, query):
        """The rows of the CSV answer, without the header."""
        body = urllib.parse.urlencode({"query": query})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/csv"}
        status, text = http_request(self.port, "POST", self.query_path, body, headers, 300, self.host)
        if status != 200:
            raise ServerError(f"{self.name}: query refused with status {status}: {text[:300]!r}")
        return [line.split(",") for line in text.decode().splitlines()[1:]]

    def count(self, pattern):
        """The result of SELECT (COUNT(*) …) for a pattern."""
        return int(self.select(f"SELECT (COUNT(*) AS ?n) WHERE {{ {pattern} }}")[0][0].strip('"'))

    def ready(self):
        try:
            path = self.query_path + "?query=ASK%7B%7D"
            return http_request(self.port, "GET", path, timeout=5, host=self.host)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


class Fuseki(GraphServer, graph="fuseki"):
    """Apache Jena's server over TDB2."""

    name = "fuseki"
    folders = ("data",)
    query_path = "/ir/query"

    @property
    def uri(self):
        return f"sparql+http://{self.host}:{self.port}/ir?strategy={self.strategy}"

    @staticmethod
    def jar():
        path = Path(os.environ.get("FUSEKI_JAR") or cache_directory() / "fuseki" / "fuseki-server.jar")
        if not path.is_file():
            raise ServerError(f"{path} is not there; run tools/install fuseki")
        return path

    @classmethod
    def versions(cls):
        return {"fuseki": first_line("java", "-jar", cls.jar(), "--version"), "java": first_line("java", "--version")}

    def argv(self):
        # With few cores, the serial garbage collector leaves more CPU time to other programs: it takes a sixth less for
        # the same triples.
        options = [f"-Xmx{os.environ.get('FUSEKI_HEAP', '1g')}", "-XX:+UseSerialGC"]
        java = [find_program("java", "fuseki"), *options, "-jar", self.jar()]
        where = ["--localhost"] if self.host == HOST else []
        return [*java, "--port", self.port, *where, "--compact", "--update", "--tdb2", f"--loc={self.directory / 'data'}", "/ir"]


class Oxigraph(GraphServer, graph="oxigraph"):
    name = "oxigraph"

    @property
    def uri(self):
        return (
            f"sparql+http://{self.host}:{self.port}/store?strategy={self.strategy}"
            "&query=/query&update=/update&store=/store"
        )

    @staticmethod
    def program():
        return find_program("oxigraph", "oxigraph", str(cache_directory() / "bin" / "oxigraph"))

    @classmethod
    def versions(cls):
        return {"oxigraph": first_line(cls.program(), "--version").removeprefix("oxigraph ")}

    def argv(self):
        bind = f"{self.host}:{self.port}"
        return [self.program(), "serve", "--location", self.directory / "data", "--bind", bind]


VIRTUOSO_INI = """\
[Database]
DatabaseFile = virtuoso.db
ErrorLogFile = virtuoso.log
LockFile = virtuoso.lck
TransactionFile = virtuoso.trx
xa_persistent_file = virtuoso.pxa
ErrorLogLevel = 7
FileExtend = 200
MaxCheckpointRemap = 2000
Striping = 0
TempStorage = TempDatabase

[TempDatabase]
DatabaseFile = virtuoso-temp.db
TransactionFile = virtuoso-temp.trx
MaxCheckpointRemap = 2000
Striping = 0

[Parameters]
ServerPort = {host}:{port_sql}
ServerThreads = 20
CheckpointInterval = 60
CheckpointSyncMode = 2
NumberOfBuffers = 40000
MaxDirtyBuffers = 30000
DirsAllowed = .
DefaultIsolation = 2
TransactionAfterImageLimit = 500000000
ThreadsPerQuery = 2

[HTTPServer]
ServerPort = {host}:{port_http}
ServerThreads = 10
MaxKeepAlives = 10
KeepAliveTimeout = 10
HTTPThreadSize = 280000

[Client]
SQL_PREFETCH_ROWS = 100

[SPARQL]
ResultSetMaxRows = 100000000
MaxQueryCostEstimationTime = 0
MaxQueryExecutionTime = 0
"""


class Virtuoso(GraphServer, graph="virtuoso"):
    name = "virtuoso"
    libraries = ("virtuoso-opensource-7-bin",)
    n_ports = 2
    query_path = "/sparql"
    strategy = "update"
    password = "dba"

    already_granted = "U0013"  # its error code for a role that the user already has, as on existing data

    def __init__(self, directory):
        super().__init__(directory)
        self.granted = False

    @property
    def uri(self):
        return (
            f"sparql+http://{self.host}:{self.port}/sparql?strategy={self.strategy}"
            "&query=/sparql&update=/sparql"
        )

    def files(self):
        ports = {"port_http": self.ports[0], "port_sql": self.ports[1]}
        return {"virtuoso.ini": VIRTUOSO_INI.format(host=self.host, **ports)}

    def argv(self):
        return [find_program("virtuoso-t", "virtuoso"), "+foreground", "+configfile", self.directory / "virtuoso.ini"]

    def launch(self):
        (self.directory / "virtuoso.lck").unlink(missing_ok=True)
        return super().launch()

    def sql(self, statement):
        argv = [find_program("isql-vt", "virtuoso"), f"{self.host}:{self.ports[1]}", "dba", self.password]
        argv.append(f"exec={statement}")
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        said = done.stdout + done.stderr
        if (done.returncode != 0 or "*** Error" in said) and self.already_granted not in said:
            raise ServerError(f"virtuoso: {statement}: {said.strip()}")
        return done.stdout

    def await_ready(self, ready=None):
        super().await_ready()
        if not self.granted:
            self.sql('GRANT SPARQL_UPDATE TO "SPARQL";')
            # Virtuoso 7.2.12, unlike 7.2.5, also checks that the user may write to the graph: allow it for everybody.
            self.sql("DB.DBA.RDF_DEFAULT_USER_PERMS_SET('nobody', 7);")
            self.granted = True
