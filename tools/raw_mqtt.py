"""MQTT written byte by byte, for packets that no client library sends."""

import contextlib
import socket
import struct

TIMEOUT_S = 20
CONNACK, PUBACK = 2, 4
CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION, USER = 3, 8, 9, 38  # properties of MQTT 5


def text(data):
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
    """`version`: 4 means MQTT 3.1.1, 5 means MQTT 5."""

    def __init__(self, address, user, password, client=b"raw", version=4):
        host, port = address.split(":")
        self.version = version
        self.socket = socket.create_connection((host, int(port)), TIMEOUT_S)
        head = text(b"MQTT") + bytes([version, 0xC2]) + struct.pack(">H", 60) + self.with_properties(b"")
        kind, body = self.exchange(0x10, head + text(client) + text(user.encode()) + text(password.encode()))
        assert kind == CONNACK and body[1] == 0, body

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def with_properties(self, encoded):
        return number(len(encoded)) + encoded if self.version == 5 else b""

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def exchange(self, first, rest):
        """Sends a packet; returns (kind, body) of the answer."""
        self.socket.sendall(bytes([first]) + number(len(rest)) + rest)
        kind, size, shift = self.read(1)[0] >> 4, 0, 0
        while True:
            digit = self.read(1)[0]
            size |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                return kind, self.read(size)

    def publish(self, topic, body, encoded=b"", first=0x32):
        """Publishes with QoS 1 (0x33: retained). Returns whether the broker accepted it. The broker refuses with an
        answer or by closing the connection."""
        with contextlib.suppress(EOFError, ConnectionError):
            kind, answer = self.exchange(first, text(topic) + b"\0\1" + self.with_properties(encoded) + body)
            return kind == PUBACK and (len(answer) < 3 or answer[2] < 0x80)
        return False
