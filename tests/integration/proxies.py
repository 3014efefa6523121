"""Proxies that add faults in front of real servers, for HTTP and for MongoDB's wire protocol."""

import http.client
import http.server
import math
import random
import socket
import socketserver
import struct
import threading

import bson

from harness import servers

OP_MSG = 2013


def share_of(percent, seed=1, calls=math.inf):
    """Returns a function that returns true in `percent` % of its calls, at random. After `calls` calls it always
    returns false."""
    dice = random.Random(seed)
    lock = threading.Lock()
    left = calls

    def hit(*_):
        nonlocal left
        with lock:
            left -= 1
            return left >= 0 and dice.uniform(0, 100) < percent

    return hit


class Proxy:
    """Listens on `host` and `port` until the end of the `with` block. `target` is the real server: a port on the same
    host, or (host, port). `cut(answer)` returns the part of a server's answer (bytes) to pass on; if that is not all of
    it, the proxy then closes the connection."""

    def __init__(self, target, handler, server=socketserver.ThreadingTCPServer, host=servers.HOST):
        self.target = target if isinstance(target, tuple) else (host, target)
        self.server = server((host, 0), handler)
        self.server.handle_error = lambda *_: None  # does not report broken connections
        self.server.daemon_threads = True
        self.server.proxy = self
        self.host, self.port = self.server.server_address
        self.faults = 0
        self.cut = lambda answer: answer

    def passed_on(self, answer):
        """Returns the part of the answer that is passed on, and whether this is all of it."""
        part = self.cut(answer)
        self.faults += len(part) < len(answer)
        return part, len(part) == len(answer)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


# ---- HTTP ----


class HttpHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def forward(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        fault = proxy.fault(self.command, self.path, self.headers.get("Content-Type", ""), body)
        if fault is not None:
            proxy.faults += 1
            self.wfile.write(fault)
            self.close_connection = True
            return
        try:
            answer, all_of_it = proxy.passed_on(self.ask(body))
            self.wfile.write(answer)
        except (OSError, http.client.HTTPException):
            all_of_it = False
        self.close_connection = self.close_connection or not all_of_it

    def ask(self, body):
        """Asks the server, and returns its answer with a corrected length."""
        connection = http.client.HTTPConnection(*self.server.proxy.target, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        lines += [f"{name}: {value}" for name, value in answer.getheaders()
                  if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server")]
        if answer.status != 204:
            lines.append(f"Content-Length: {len(text)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + text

    do_GET = do_POST = do_PUT = do_DELETE = forward


class HttpProxy(Proxy):
    """An HTTP proxy. `fault(method, path, content_type, body)` returns the bytes of an answer of its own, or None to
    ask the server."""

    def __init__(self, target, fault=lambda *_: None, host=servers.HOST):
        super().__init__(target, HttpHandler, http.server.ThreadingHTTPServer, host)
        self.fault = fault

    def uri(self, server):
        """Returns the URI of a graph store of tools/servers/, with this proxy in front."""
        return server.uri.replace(f"//{server.host}:{server.port}/", f"//{self.host}:{self.port}/")


def http_answer(status, text=b"", content_type="text/html"):
    lines = f"HTTP/1.1 {status} X", f"Content-Type: {content_type}", f"Content-Length: {len(text)}", "Connection: close"
    return "\r\n".join((*lines, "", "")).encode() + text


# ---- MongoDB ----


def parse_message(message):
    """Parses an OP_MSG; returns (command document, number of documents in it)."""
    document, carried, at = None, 0, 20
    checksum = 4 if struct.unpack_from("<I", message, 16)[0] & 1 else 0
    while at < len(message) - checksum:
        kind, size = message[at], struct.unpack_from("<i", message, at + 1)[0]
        if kind == 0:
            document = bson.decode(message[at + 1:at + 1 + size])
            carried += len(document.get("documents", ()))
        else:
            inner = at + 5 + message[at + 5:].index(b"\0") + 1
            while inner < at + 1 + size:
                carried += 1
                inner += struct.unpack_from("<i", message, inner)[0]
        at += 1 + size
    return document, carried


def pack_reply(request_id, document):
    body = struct.pack("<I", 0) + b"\0" + bson.encode(document)
    return struct.pack("<iiii", 16 + len(body), 0, request_id, OP_MSG) + body


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def read_message(sock):
    head = read_exactly(sock, 4)
    return head + read_exactly(sock, struct.unpack("<i", head)[0] - 4)


class MongoHandler(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            with socket.create_connection(self.server.proxy.target, 60) as self.target:
                self.target.settimeout(None)
                while self.pass_on(read_message(self.request)):
                    pass
        except OSError:
            pass

    def pass_on(self, message):
        """Passes a message on. Returns whether the connection continues."""
        proxy = self.server.proxy
        request_id, opcode = struct.unpack_from("<4xi4xi", message)
        reply = None
        if opcode == OP_MSG:
            command, carried = parse_message(message)
            reply = proxy.fault(command, carried)
        if reply is not None:
            proxy.faults += 1
            self.request.sendall(pack_reply(request_id, reply))
            return True
        self.target.sendall(message)
        answer = read_message(self.target)
        if opcode == OP_MSG and "insert" in command:
            answer = pack_reply(request_id, proxy.change(parse_message(answer)[0]))
        part, all_of_it = proxy.passed_on(answer)
        self.request.sendall(part)
        return all_of_it


class MongoProxy(Proxy):
    """A proxy for MongoDB. `fault(command, carried)` returns a reply of its own, or None to ask the server.
    `change(reply)` returns the changed form of a server's reply to an insert."""

    def __init__(self, target, fault=lambda *_: None, change=lambda reply: reply, host=servers.HOST):
        super().__init__(target, MongoHandler, host=host)
        self.fault, self.change = fault, change

    def uri(self, database):
        return f"mongodb://{self.host}:{self.port}/{database}?directConnection=true"


def write_errors(carried, code, text="try again"):
    """Makes the reply to an insert of which every document was refused."""
    errors = [{"index": i, "code": code, "errmsg": text} for i in range(carried)]
    return {"n": 0, "writeErrors": errors, "ok": 1.0}
