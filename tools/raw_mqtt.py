"""An MQTT client at the byte level, for packets that client libraries cannot send and answers that they do not
report."""

import contextlib
import socket
import struct

TIMEOUT_S = 20
CONNACK, PUBACK, SUBACK = 2, 4, 9
CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION, USER = 3, 8, 9, 38  # properties of MQTT 5
FAILURE = 0x80  # reason codes from this one on mean failure


class Refused(Exception):
    """The server refused the login, a packet or a subscription, closed the connection, or did not answer in time."""


@contextlib.contextmanager
def refusals():
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise Refused(str(error)) from error


def text(data):
    """Encodes a text, or bytes in place of one."""
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">H", len(data)) + data


def number(value):
    """Encodes a variable byte integer."""
    out = b""
    while True:
        value, digit = divmod(value, 128)
        out += bytes([digit | (128 if value else 0)])
        if not value:
            return out


def properties(*pairs):
    """Encodes properties that are texts, from pairs (number, bytes). A user property has two texts."""
    return b"".join(bytes([kind]) + b"".join(map(text, values)) for kind, *values in pairs)


class Connection:
    """A connection that is logged in; raises Refused if that fails. `version`: 4 means MQTT 3.1.1, 5 means MQTT 5;
    `source`: the client's address; `before`: bytes to send before the login; `context`: the TLS context; `seconds`:
    time limit for each answer."""

    def __init__(self, address, user, password, client="raw", version=4, source=None, before=b"", context=None,
                 seconds=TIMEOUT_S):
        host, port = address.split(":")
        self.version = version
        with refusals():
            self.socket = socket.create_connection((host, int(port)), seconds, (source, 0) if source else None)
            if context:
                self.socket = context.wrap_socket(self.socket, server_hostname=host)
            self.socket.sendall(before)
        head = text("MQTT") + bytes([version, 0xC2]) + struct.pack(">H", 60) + self.with_properties(b"")
        try:
            code = self.exchange(0x10, head + text(client) + text(user) + text(password), CONNACK)[1]
        except Refused:
            self.close()
            raise
        if code:
            self.close()
            raise Refused(f"return code {code}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def with_properties(self, encoded):
        return number(len(encoded)) + encoded if self.version == 5 else b""

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionResetError("the connection was closed")
            data += part
        return data

    def exchange(self, first, rest, expected):
        """Sends a packet; returns the body of the answer, which is of the kind `expected`, or Refused."""
        with refusals():
            self.socket.sendall(bytes([first]) + number(len(rest)) + rest)
            kind, size, shift = self.read(1)[0] >> 4, 0, 0
            while True:
                digit = self.read(1)[0]
                size |= (digit & 127) << shift
                shift += 7
                if digit < 128:
                    body = self.read(size)
                    break
        if kind != expected:
            raise Refused(f"a packet of the kind {kind}: {body}")
        return body

    def publish(self, topic, body, encoded=b"", first=0x32):
        """Publishes with QoS 1 (0x33: retained). Returns when the server has the message; raises Refused otherwise."""
        answer = self.exchange(first, text(topic) + b"\0\1" + self.with_properties(encoded) + body, PUBACK)
        if len(answer) > 2 and answer[2] >= FAILURE:
            raise Refused(f"reason code {answer[2]}")

    def accepts(self, *message, **more):
        """Whether publish() succeeds."""
        with contextlib.suppress(Refused):
            self.publish(*message, **more)
            return True
        return False

    def subscribe(self, topic):
        """Subscribes with QoS 1 over MQTT 3.1.1."""
        if self.exchange(0x82, b"\0\1" + text(topic) + b"\1", SUBACK)[2] >= FAILURE:
            raise Refused("no such subscription")

    def is_closed(self):
        """Whether the server closes the connection; waits for that."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
