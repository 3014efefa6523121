"""A fake broker that misbehaves on demand. It speaks as much AMQP 0-9-1 as a publisher needs: connect, open a channel,
publish with confirms. The routing key of a message decides what happens to it. By default the broker confirms it; it
confirms several messages at once where RabbitMQ would. It runs in its own thread."""

import asyncio
import contextlib
import struct
import threading

END = b"\xce"
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
HEARTBEAT_SECONDS = 5


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + END


def method(channel, number, arguments=b""):
    return frame(METHOD, channel, struct.pack(">HH", *number) + arguments)


def short(data):
    return bytes((len(data),)) + data


def long(data):
    return struct.pack(">I", len(data)) + data


class Publisher:
    """A connection of a publisher."""

    def __init__(self, broker, reader, writer):
        self.broker, self.reader, self.writer = broker, reader, writer
        self.published = 0
        self.open = set()  # numbers without an answer
        self.done = set()  # numbers whose answer is due
        self.message = None  # of the message being received: exchange, key, missing bytes

    def close(self):
        self.writer.transport.abort()

    async def serve(self):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self.reader.readexactly(8)
            self.writer.write(method(0, (10, 10), b"\0\x09" + long(b"") + long(b"PLAIN") + long(b"en_US")))
            while True:
                kind, channel, size = struct.unpack(">BHI", await self.reader.readexactly(7))
                self.take(kind, channel, (await self.reader.readexactly(size + 1))[:-1])

    def take(self, kind, channel, payload):
        if kind == METHOD:
            self.take_method(channel, struct.unpack(">HH", payload[:4]), payload[4:])
        elif kind == HEADER:
            self.message[2] = struct.unpack(">Q", payload[4:12])[0]
        elif kind == BODY:
            self.message[2] -= len(payload)
        if kind in (HEADER, BODY) and self.message[2] == 0:
            self.take_message(channel)

    def take_method(self, channel, number, arguments):
        answers = {
            (10, 11): ((10, 30), struct.pack(">HIH", 2047, 131072, 2 * HEARTBEAT_SECONDS)),  # start-ok: tune
            (10, 40): ((10, 41), b"\0"),  # open: open-ok
            (10, 50): ((10, 51), b""),  # close: close-ok
            (20, 10): ((20, 11), long(b"")),  # channel.open
            (20, 40): ((20, 41), b""),  # channel.close
            (40, 10): ((40, 11), b""),  # exchange.declare
            (85, 10): ((85, 11), b""),  # confirm.select
        }
        if number in answers and number not in self.broker.unanswered:
            self.writer.write(method(channel, *answers[number]))
        elif number == (60, 40):  # basic.publish
            exchange = arguments[3 : 3 + arguments[2]]
            rest = arguments[3 + len(exchange) :]
            self.message = [exchange, rest[1 : 1 + rest[0]], None]

    def take_message(self, channel):
        exchange, key, _ = self.message
        if exchange != b"ir.observations":
            self.broker.tried += 1
            if self.broker.mute:
                return
            arguments = struct.pack(">H", 404) + short(b"NOT_FOUND") + struct.pack(">HH", 60, 40)
            self.writer.write(method(channel, (20, 40), arguments))
            return
        self.published += 1
        self.open.add(self.published)
        self.broker.count(key)
        what = self.broker.fate(key.decode())
        if what == "hold":
            self.broker.held.append((self, self.published, key))
        elif what == "refuse":
            self.open.discard(self.published)
            self.writer.write(method(channel, (60, 120), struct.pack(">QB", self.published, 0)))
        else:
            if what == "return":
                self.writer.write(method(channel, (60, 50), struct.pack(">H", 312) + short(b"NO_ROUTE") + short(exchange)
                                         + short(key)))
                self.writer.write(frame(HEADER, channel, struct.pack(">HHQH", 60, 0, 0, 0)))
            self.confirm(self.published)

    def confirm(self, number):
        if not self.done:
            asyncio.get_running_loop().call_later(0.001, self.answer)
        self.done.add(number)

    def answer(self):
        """Confirms like RabbitMQ: one answer for all messages before the first open one, then one answer for each other
        message."""
        self.open -= self.done
        first = min(self.open, default=self.published + 1)
        together = [number for number in self.done if number < first]
        if together:
            self.writer.write(method(1, (60, 80), struct.pack(">QB", max(together), 1)))
        for number in sorted(self.done.difference(together)):
            self.writer.write(method(1, (60, 80), struct.pack(">QB", number, 0)))
        self.done.clear()


class FakeBroker:
    """`fate` is a function from a routing key to what happens to a message with this key: "hold" leaves it unconfirmed,
    "refuse" sends a nack, "return" returns it as unroutable, and None confirms it. The test may replace the function at
    any time."""

    def __init__(self):
        self.fate = lambda key: None
        self.unanswered = ()  # methods that the broker does not answer
        self.mute = False  # if true, does not answer queries for an exchange
        self.tried = 0  # how many messages were sent to find out the size limit
        self.held = []
        self.keys = {}
        self.publishers = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.server = None

    def __enter__(self):
        self.thread.start()
        self.server = self.call(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.call(self.start_beating())
        return self

    def __exit__(self, *_):
        self.server.close()
        self.disconnect()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    @property
    def uri(self):
        return f"amqp://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def serve(self, reader, writer):
        publisher = Publisher(self, reader, writer)
        self.publishers.add(publisher)
        await publisher.serve()
        self.publishers.discard(publisher)
        writer.close()

    def count(self, key):
        self.keys[key.decode()] = self.keys.get(key.decode(), 0) + 1

    async def start_beating(self):
        self.beat()

    def beat(self):
        self.tell(frame(HEARTBEAT, 0, b""))
        self.loop.call_later(HEARTBEAT_SECONDS, self.beat)

    def tell(self, data):
        for publisher in self.publishers:
            publisher.writer.write(data)

    def each(self, what):
        """Calls the function for every connection. The call runs in the broker's thread."""

        async def run():
            for publisher in list(self.publishers):
                what(publisher)

        self.call(run())

    # ---- called by tests ----

    def block(self):
        """Tells publishers that the broker blocks them, as RabbitMQ does when memory or disk space is low."""
        self.each(lambda publisher: publisher.writer.write(method(0, (10, 60), short(b"low on memory"))))

    def disconnect(self):
        self.each(Publisher.close)

    def release(self):
        """Confirms the messages that were held."""

        async def run():
            held, self.held = self.held, []
            for publisher, number, _ in held:
                publisher.confirm(number)

        self.call(run())
