"""Alarms of brokers, and broker objects that are deleted."""

import contextlib

import pika

from .kind import Kind

ROLES = ("broker",)
# A deleted object is declared again after about a second. Until then, MQTT messages to it are acknowledged but lost,
# and a deleted queue loses its messages (docs/reference/programs.md). So only objects whose loss does no harm are
# deleted under load.
CONFIRMED_WAYS = ("amqp", "http")
OBJECTS = ("exchange ir.observations", "exchange ir.processed", "exchange ir.workers", "exchange ir.rejected",
           "queue ir.rejected", "binding of MQTT")


def alarm(name):
    def begin(river, target, _dice):
        broker = river.servers[target]
        broker.control("eval", f"alarm_handler:set_alarm({{{{resource_limit, {name}, node()}}, []}}).")
        return lambda: river.alive(target) and broker.control(
            "eval", f"alarm_handler:clear_alarm({{resource_limit, {name}, node()}}).")

    return begin


def delete_object(river, _target, dice):
    kind, _, name = dice.choice(OBJECTS).partition(" ")
    with contextlib.closing(connect(river)) as connection:
        channel = connection.channel()
        if kind == "exchange":
            channel.exchange_delete(name)
        elif kind == "queue":
            channel.queue_delete(name)
        else:
            channel.exchange_unbind("ir.observations", "amq.topic", "ir.#")


def connect(river, user="worker", listener="consumers"):
    """Connects through the balancer."""
    host, port = river.balancer.address(listener).split(":")
    login = pika.PlainCredentials(user, river.cluster.passwords[user])
    parameters = pika.ConnectionParameters(host, int(port), "/", login, heartbeat=10, socket_timeout=5, stack_timeout=10,
                                           blocked_connection_timeout=30)
    return pika.BlockingConnection(parameters)


ROWS = [
    Kind("memory-alarm", "with the alarm of its memory", ROLES, alarm("memory"), (3, 20), 45, alone=True),
    Kind("disk-alarm", "with the alarm of its disk", ROLES, alarm("disk"), (3, 20), 45, alone=True),
    Kind("object-deleted", "losing an exchange, a queue or a binding", ROLES, delete_object, (0, 1), 45, ways=CONFIRMED_WAYS,
         alone=True),
]
