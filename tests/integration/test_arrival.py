"""When a message arrived: the broker stamps it, whatever its sender says; a broker that cannot does not come up."""

import pytest

import harness
from harness import servers

rabbitmq = servers.rabbitmq


class Unstamped(harness.Broker):
    """A broker as RabbitMQ comes."""

    scripts = ()


class Broken(harness.Broker):
    """A broker whose script is another."""

    def __init__(self, directory, script):
        super().__init__(directory)
        self.script_text = script

    def files(self):
        files = super().files()
        del files[rabbitmq.STAMP.name]
        return files if self.script_text is None else {**files, rabbitmq.STAMP.name: self.script_text}


STAMP = rabbitmq.STAMP.read_text()


@pytest.mark.parametrize("script", [
    pytest.param(None, id="no-file"),
    pytest.param(STAMP.replace("boot() ->", "boot( ->", 1), id="does-not-compile"),
    pytest.param(STAMP.replace("-behaviour(rabbit_channel_interceptor).", ""), id="not-declared"),
    pytest.param(STAMP.replace("stamp() ->", "stamp() -> {error, made}.\nunused() ->", 1), id="step-fails"),
])
def test_a_broker_that_cannot_stamp_ends(tmp_path, script):
    assert script != STAMP
    broker = Broken(tmp_path / "broker", script)
    try:
        broker.begin()
        assert broker.process.wait(120) not in (None, 0), servers.tail(broker.log)
        assert not servers.listens(broker.host, broker.port)
    finally:
        broker.stop()


def check(pipeline, amqp=None, password="guest"):
    return pipeline.call("ir-worker", "--check", f"--amqp={amqp or pipeline.amqp}", *pipeline.stores(),
                         env={"IR_AMQP_PASSWORD": password})


def test_check_sees_the_stamp(pipeline):
    status, text, errors = check(pipeline)
    assert status == 0, text + errors
    assert "arrival    ok" in text


def test_check_tells_of_a_broker_that_does_not_stamp(tmp_path):
    with Unstamped(tmp_path / "broker") as broker, harness.Pipeline(broker, tmp_path) as pipeline:
        pipeline.init()
        status, text, _errors = check(pipeline)
        assert status == 1
        assert "arrival    WRONG  the broker does not stamp what arrives" in text
        assert "broker     ok" in text


def test_check_needs_no_more_than_the_worker_may(front, make_front_pipeline):
    pipeline = make_front_pipeline().init()
    status, text, errors = check(pipeline, password=front.cluster.passwords["worker"])
    assert status == 0, text + errors
    assert "arrival    ok" in text


def test_check_without_the_right_says_which(pipeline):
    user = {"password": "few", "tags": ""}
    host = pipeline.host
    pipeline.broker.api("PUT", "users/few", user)
    rights = {"configure": r"^(ir\.|amq\.gen-)", "write": r"^(ir\.|amq\.gen-)", "read": r"^(ir\.|amq\.gen-|amq\.topic$)"}
    pipeline.broker.api("PUT", f"permissions/{host}/few", rights)
    status, text, _errors = check(pipeline, pipeline.amqp.replace("amqp://", "amqp://few@"), "few")
    assert status == 1
    assert "arrival    WRONG  not known whether the broker stamps" in text and "write" in text
