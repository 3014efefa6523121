"""Starts MongoDB. Implements the part of its protocol that the set-up needs."""

import os
import socket
import struct

from cache import cache_directory

from .installed import find_program, first_line
from .server import Server

# Otherwise MongoDB's client library would keep its counters in a file in /dev/shm. A killed program leaves that file
# behind, and a later program with the same process id complains about it.
os.environ.setdefault("MONGOC_DISABLE_SHM", "1")


def _bson_value(name, value):
    key = name.encode() + b"\0"
    if isinstance(value, bool):
        return b"\x08" + key + bytes([value])
    if isinstance(value, int):
        return b"\x10" + key + struct.pack("<i", value)
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return b"\x02" + key + struct.pack("<i", len(text)) + text
    if isinstance(value, list):
        return b"\x04" + key + _bson({str(i): each for i, each in enumerate(value)})
    return b"\x03" + key + _bson(value)


def _bson(document):
    body = b"".join(_bson_value(name, value) for name, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


DONE = b"\x01ok\0" + struct.pack("<d", 1.0)  # part of the answer to a command that succeeded


class MongoDB(Server, documents="mongodb"):
    """A replica set of one member. With `user` and `password`, every client must log in.

    The few commands for its setup are encoded by hand here, so that no driver is needed.
    """

    name = "mongod"
    libraries = ("libmongoc-1.0-0", "libmongoc-1.0-0t64")
    folders = ("data",)

    def __init__(self, directory, user=None, password=None, cache_gb=0.5):
        super().__init__(directory)
        self.user, self.password, self.cache_gb = user, password, cache_gb
        self.key = os.urandom(48).hex()
        self.set_up = False

    @property
    def uri(self):
        login = f"{self.user}@" if self.user else ""
        return f"mongodb://{login}{self.host}:{self.port}/river?replicaSet=rs0" + ("&authSource=admin" if login else "")

    @staticmethod
    def program():
        named = os.environ.get("MONGOD")
        return find_program("mongod", "mongodb", *([named] if named else []), str(cache_directory() / "bin" / "mongod"))

    @classmethod
    def versions(cls):
        return {"mongod": first_line(cls.program(), "--version").removeprefix("db version v")}

    def files(self):
        return {"key": self.key} if self.user else {}

    def argv(self):
        argv = [self.program(), "--replSet", "rs0", "--bind_ip", self.host, "--port", self.port]
        argv += ["--dbpath", self.directory / "data"]
        argv += ["--nounixsocket", "--wiredTigerCacheSizeGB", self.cache_gb, "--oplogSize", "256"]
        return [*argv, "--keyFile", self.directory / "key"] if self.user else argv

    def connect(self):
        return socket.create_connection((self.host, self.port), 5)

    def command(self, document, database="admin"):
        """The raw answer to one command."""
        body = struct.pack("<iB", 0, 0) + _bson({**document, "$db": database})
        with self.connect() as connection:
            connection.settimeout(60)
            connection.sendall(struct.pack("<iiii", len(body) + 16, 1, 0, 2013) + body)
            stream = connection.makefile("rb")
            (size,) = struct.unpack("<i", stream.read(4))
            return stream.read(size - 4)

    def ready(self):
        try:
            return DONE in self.command({"hello": 1})
        except (OSError, struct.error):
            return False

    def writable(self):
        try:
            return b"\x08isWritablePrimary\0\x01" in self.command({"hello": 1})
        except (OSError, struct.error):
            return False

    def await_ready(self, ready=None):
        super().await_ready()
        if not self.set_up:
            members = [{"_id": 0, "host": f"{self.host}:{self.port}"}]
            self.command({"replSetInitiate": {"_id": "rs0", "members": members}})
        super().await_ready(self.writable)
        if not self.set_up and self.user:
            self.command({"createUser": self.user, "pwd": self.password, "roles": ["root"]})
        self.set_up = True
