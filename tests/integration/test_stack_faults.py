"""The whole pipeline, with three brokers and two gateways behind the balancer. Parts are killed or reloaded while motes
send. Nothing confirmed is missing, and nothing is stored twice."""

import contextlib

import pytest

import harness
import haproxy
import raw_mqtt
from faulty import Faulty


def mqtt_client(broker, name):
    """An MQTT client with that name, connected to the broker directly, not through the balancer."""
    address, password = f"{broker.host}:{broker.ports[2]}", broker.cluster.passwords["mote"]
    return raw_mqtt.Connection(address, "mote", password, name, before=bytes.fromhex(haproxy.PROXY_HEADER))


def assert_client_ids_are_kept(faulty):
    """A client that reconnects at another broker keeps its client id: its old session ends. This needs all brokers to
    agree on the owner of the id."""
    brokers = faulty.stack.cluster.members
    with contextlib.ExitStack() as stack:
        there = None
        for each in [*brokers, brokers[0]]:
            client = stack.enter_context(mqtt_client(each, "same"))
            assert there is None or there.is_closed(), "the earlier connection stays open"
            there = client


@pytest.fixture(scope="module", params=["host", pytest.param("other", marks=pytest.mark.slow)])
def faulty(request, tmp_path_factory):
    """A stack with the host's RabbitMQ, and another with RabbitMQ of another series if there is one."""
    root = harness.other_root() if request.param == "other" else None
    with Faulty(tmp_path_factory.mktemp("faulty"), root) as faulty:
        yield faulty


def test_a_broker_a_gateway_and_the_balancer(faulty):
    """One part of each role is killed, one after the other, while motes send over AMQP, MQTT and HTTP."""
    faulty.send("mix", [(2, faulty.kill_broker(0)), (5, faulty.kill_gateway(0)), (7, faulty.reload()),
                        (9, faulty.start_gateway(0))])
    faulty.start_broker(0)()
    assert_client_ids_are_kept(faulty)


# After a short break in the connection between two brokers, one may consider the other as not synchronized, without a
# synchronization in progress. This puts the first broker into that state, then waits for a synchronization as a
# starting broker does.
SYNCHRONIZE = """
Peer = '{peer}',
sys:replace_state(global_name_server, fun(State) ->
    put({{sync_tag_his, Peer}}, 1),
    setelement(4, State, lists:delete(Peer, element(4, State)))
end),
global:sync().
"""


def test_brokers_that_missed_each_other_synchronize(faulty):
    first, second, _ = faulty.stack.cluster.members
    assert first.control("eval", SYNCHRONIZE.format(peer=second.node)).strip() == "ok"


# Breaks the connections to both peers and restores them before any broker notices, so no broker pauses.
BREAK = """
Peers = nodes(),
Tell = fun(What) -> [ok = rpc:call(Node, sys, What, [rabbit_node_monitor]) || Node <- [node() | Peers]] end,
Tell(suspend),
[true = erlang:disconnect_node(Peer) || Peer <- Peers],
[pong = net_adm:ping(Peer) || Peer <- Peers],
timer:sleep(1000),
Tell(resume), ok.
"""


def test_brokers_that_were_separated_for_a_moment_join_again(faulty):
    """If they did not join again, the brokers would disagree on bindings: a message that one of them accepts would not
    reach all subscribers."""
    brokers = faulty.stack.cluster.members

    def separate():
        brokers[0].control("eval", BREAK)
        return {each.partitions() for each in brokers} - {"", "[]"}

    harness.wait_for(separate, "the brokers to be separated", 60, 1)
    harness.wait_for(lambda: {each.partitions() for each in brokers} == {"[]"}, "the brokers to be joined again", 120, 1)
    faulty.stack.cluster.await_ready()
    assert faulty.send("mix", [])["messages_missing"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("via", ["amqp", "mqtt", "http"])
@pytest.mark.parametrize("index", range(3))
def test_any_broker_is_killed(faulty, via, index):
    faulty.send(via, [(3, faulty.kill_broker(index))])
    faulty.start_broker(index)()


def kill_workers(faulty, times, seconds):
    """Workers are killed in turn while motes send over AMQP, MQTT and HTTP. This happens more often than RabbitMQ 4's
    default delivery limit would allow."""
    faulty.send("mix", [(2 + i, faulty.kill_worker(i % 2)) for i in range(times)], seconds, probing=True)
    assert faulty.rejected() == 0


def test_workers_are_killed(faulty):
    kill_workers(faulty, 8, 14)


@pytest.mark.slow
def test_workers_are_killed_forty_times(faulty):
    kill_workers(faulty, 40, 50)


@pytest.mark.slow
def test_power_cut(faulty):
    faulty.send("mix", [(3, faulty.cut_power)])
    assert_client_ids_are_kept(faulty)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(2))
def test_any_gateway_is_killed(faulty, index):
    faulty.send("http", [(3, faulty.kill_gateway(index)), (8, faulty.start_gateway(index))])


@pytest.mark.slow
@pytest.mark.parametrize("via", ["amqp", "mqtt", "http"])
def test_reload(faulty, via):
    """Clients do not notice that the balancer is reloaded: no message is sent twice, and none is refused."""
    summary = faulty.send(via, [(second, faulty.reload()) for second in (2, 4, 6, 8)])
    assert summary["messages_sent"] == summary["messages_confirmed"]


@pytest.mark.slow
def test_brokers_one_after_the_other(faulty):
    """The brokers are killed and restarted one after the other, as in an upgrade."""
    actions = [(2, faulty.kill_broker(0)), (5, faulty.start_broker(0))]
    faulty.send("mix", actions)
    faulty.send("mix", [(2, faulty.kill_broker(1)), (5, faulty.start_broker(1))])
