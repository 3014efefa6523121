"""Many connections to a balancer's listeners ("doors"): idle ones, and slow ones that send a byte now and then."""

import asyncio
import contextlib
import struct
import threading

import pika.frame
import pika.spec

import raw_mqtt

PER_ADDRESS = 200  # connections from one address, the usual limit
AT_ONCE = 64  # number of concurrent logins
SECONDS = 300  # time limit for all logins at one door
PAUSE_SECONDS = 1  # seconds between two bytes of a slow connection
AMQP_HEADER = b"AMQP\0\0\x09\x01"
BEGINS = {"amqp": AMQP_HEADER[:7], "mqtt": b"\x10\x7f\0\4MQTT\4" + b"x" * 100,
          "http": b"POST /v1/observations HTTP/1.1\r\n" + b"a: b\r\n" * 90}


def method(what):
    return pika.frame.Method(0, what).marshal()


async def amqp_login(reader, writer, password):
    async def frame():
        size = struct.unpack(">L", (await reader.readexactly(7))[3:])[0]
        await reader.readexactly(size + 1)

    writer.write(AMQP_HEADER)
    await frame()
    writer.write(method(pika.spec.Connection.StartOk({}, "PLAIN", f"\0mote\0{password}", "en_US")))
    await frame()
    writer.write(method(pika.spec.Connection.TuneOk(32, 131072, 0)) + method(pika.spec.Connection.Open("/")))
    await frame()


async def mqtt_login(reader, writer, password):
    body = raw_mqtt.text("MQTT") + b"\4\xc2\0\0" + raw_mqtt.text("") + raw_mqtt.text("mote") + raw_mqtt.text(password)
    writer.write(b"\x10" + raw_mqtt.number(len(body)) + body)
    assert (await reader.readexactly(4))[3] == 0, "not logged in"


async def http_request(reader, writer, _password):
    """Waits for one answer, so that the connection counts as kept alive."""
    writer.write(b"GET /v1/nothing HTTP/1.1\r\nHost: a\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    size = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    await reader.readexactly(size)


LOGINS = {"amqp": amqp_login, "mqtt": mqtt_login, "http": http_request}


class Crowd:
    """A context that holds many connections at each door. `idle` of them are logged in and silent. `slow` of them send
    one byte a second, and connect again whenever the balancer disconnects them. The connections come from many loopback
    addresses."""

    def __init__(self, balancer, password, idle, slow):
        self.balancer, self.password, self.idle, self.slow = balancer, password, idle, slow
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.held, self.tasks, self.connected = [], [], 0

    def __enter__(self):
        self.thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.arrive(), self.loop).result(len(LOGINS) * SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.leave(), self.loop).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def cut(self):
        """Returns the door of each idle connection that is no longer open."""
        return [kind for kind, reader, _ in self.held if reader.at_eof()]

    async def arrive(self):
        for kind in LOGINS:
            turns = asyncio.Semaphore(AT_ONCE)
            await asyncio.gather(*(self.log_in(kind, turns) for _ in range(self.idle)))
            self.tasks += [self.loop.create_task(self.drip(kind, number)) for number in range(self.slow)]

    async def leave(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for *_, writer in self.held:
            writer.close()

    async def connect(self, kind):
        host, port = self.balancer.address(kind).split(":")
        self.connected += 1
        source = (self.connected // PER_ADDRESS) % 60000
        return await asyncio.open_connection(host, int(port), local_addr=(f"127.1.{source >> 8}.{source & 255 or 1}", 0))

    async def log_in(self, kind, turns):
        async with turns:
            reader, writer = await self.connect(kind)
            await LOGINS[kind](reader, writer, self.password)
            self.held.append((kind, reader, writer))

    async def drip(self, kind, number):
        await asyncio.sleep(number % 16 / 16)
        while True:
            with contextlib.suppress(OSError):
                _, writer = await self.connect(kind)
                with contextlib.closing(writer):
                    for byte in BEGINS[kind]:
                        writer.write(bytes([byte]))
                        await writer.drain()
                        await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)
