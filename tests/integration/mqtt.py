"""An MQTT 3.1.1 client of a few lines, for what mosquitto's programs would not do or tell."""

import contextlib
import socket
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x32, 0x40, 0x82, 0x90
SECONDS = 20


class Refused(Exception):
    """The server took no login, or closed the connection."""


@contextlib.contextmanager
def refusals():
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise Refused(str(error)) from error


def text(value):
    return struct.pack("!H", len(value)) + value.encode()


def packet(kind, body):
    """With one or two bytes that say how long it is."""
    size = len(body)
    return bytes([kind, size] if size < 128 else [kind, size % 128 + 128, size // 128]) + body


class Client:
    def __init__(self, address, user, password, name, source=None, before=b"", context=None, seconds=SECONDS):
        """Logged in, or Refused. `source`: the address of our end; `before`: bytes that go first; `context`: of TLS;
        `seconds`: for each answer, after which it counts as Refused."""
        host, port = address.split(":")
        with refusals():
            self.socket = socket.create_connection((host, int(port)), seconds, (source, 0) if source else None)
            if context:
                self.socket = context.wrap_socket(self.socket, server_hostname=host)
        self.stream = self.socket.makefile("rb")
        login = text("MQTT") + bytes([4, 0b11000010]) + struct.pack("!H", 60) + text(name) + text(user) + text(password)
        self.send(before + packet(CONNECT, login))
        if code := self.answer(CONNACK, 2)[1]:
            self.close()
            raise Refused(f"return code {code}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.socket.close()

    def send(self, data):
        with refusals():
            self.socket.sendall(data)

    def answer(self, kind, size):
        """The body of the packet that comes, which is of that kind and size."""
        with refusals():
            data = self.stream.read(2 + size)
        if len(data) < 2 + size:
            raise Refused("the connection was closed")
        assert data[0] == kind and data[1] == size, data
        return data[2:]

    def publish(self, topic, body):
        """By QoS 1: the server has it, or Refused."""
        self.send(packet(PUBLISH, text(topic) + b"\0\1" + body))
        self.answer(PUBACK, 2)

    def subscribe(self, topic):
        self.send(packet(SUBSCRIBE, b"\0\1" + text(topic) + b"\1"))
        if self.answer(SUBACK, 3)[2] == 0x80:
            raise Refused("no such subscription")

    def is_closed(self):
        """Waits for it."""
        try:
            return self.stream.read(1) == b""
        except ConnectionResetError:
            return True
