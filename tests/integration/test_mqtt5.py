"""MQTT 5 has a content type. Only RabbitMQ of another series supports MQTT 5 (IR_RABBITMQ_ROOT)."""

import shutil
import subprocess

import pytest

import harness
from harness import servers

MOTE = "USGS-08068500"


@pytest.fixture(scope="module")
def mqtt5(tmp_path_factory):
    root = harness.other_root()
    if harness.series_of(root) < (4, 0):
        pytest.skip("before RabbitMQ 4 there is no MQTT 5 to rely on")
    with harness.MqttBroker(tmp_path_factory.mktemp("mqtt5"), root=root) as broker:
        yield broker


def publish(broker, host, body, *words):
    done = subprocess.run(
        [shutil.which("mosquitto_pub"), "-h", servers.HOST, "-p", str(broker.ports[3]), "-i", MOTE, "-u", f"{host}:guest", "-P", "guest",
         "-t", f"ir/{MOTE}", "-s", *words], input=body, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_content_type(mqtt5, tmp_path):
    """The content type of MQTT 5 applies to the message. Without one, the first byte of the body decides, as for MQTT
    3."""
    pipeline = harness.Pipeline(mqtt5, tmp_path).init()
    worker = pipeline.worker()
    sent = []
    for n, words in enumerate((
        ("-V", "mqttv5", "-q", "1", "-D", "publish", "content-type", "application/senml+json"),
        ("-V", "mqttv5", "-q", "1", "-D", "publish", "content-type", "application/senml+json",
         "-D", "publish", "response-topic", "ir/answers"),
        ("-V", "mqttv5", "-q", "1"),
        ("-V", "mqttv311", "-q", "1"),
    )):
        body = f'[{{"bn":"{MOTE}/","bt":{1320469200 + n},"n":"00010","u":"Cel","v":{n}}}]'
        sent.append(body)
        publish(mqtt5, pipeline.host, body.encode(), *words)
    publish(mqtt5, pipeline.host, b"[]", "-V", "mqttv5", "-q", "1", "-D", "publish", "content-type", "text/csv")
    harness.wait_for(lambda: worker.metric("ir_messages_received_total") == len(sent) + 1, "all are there")
    pipeline.drain()
    pipeline.stop_workers()
    rows = dict(pipeline.sqlite("SELECT CAST(body AS TEXT), content_type FROM raw"))
    json_type = "application/senml+json"
    assert [rows[body] for body in sent] == [json_type, json_type, "", ""]
    assert rows["[]"] == "text/csv"
    assert len(pipeline.sqlite_ids()) == len(sent)
    pipeline.__exit__()
