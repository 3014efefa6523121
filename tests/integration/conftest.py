"""Servers for the whole session, and a pipeline for each test. With pytest-xdist every process has its own session."""

import contextlib

import pytest

import harness
from harness import servers

LONGEST = ("test_stack_faults", "test_faults", "test_river", "test_feed", "test_fault_runner", "test_rights", "test_outcomes",
           "test_deploy", "test_deploy_doors", "test_upgrade", "test_ingest", "test_pipeline", "test_load", "test_peers")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes; make test-slow runs it")
    servers.stop_on_signals(end_at_once)


def end_at_once(_number):
    """Kills all servers at once before fixtures stop them one by one, because pytest-xdist waits only a few seconds."""
    servers.kill_all()
    raise KeyboardInterrupt


def pytest_collection_modifyitems(items):
    """Runs the slowest files first, so that no process starts a slow file near the end."""
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


def pytest_sessionstart(session):
    missing = [name for name in ("ir-worker", "ir-store", "ir-ingest") if not (harness.BUILD / name).is_file()]
    if missing:
        pytest.exit(f"{harness.BUILD} lacks {', '.join(missing)}; run make MODE=asan build", 2)


def pytest_sessionfinish(session, exitstatus):
    servers.stop_all()


def _server(kind, factory, name, **more):
    with kind(factory.mktemp(name), **more) as server:
        yield server


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    yield from _server(harness.Broker, tmp_path_factory, "rabbitmq")


@pytest.fixture(scope="session")
def front(tmp_path_factory):
    """A balancer in front of one broker."""
    with harness.Front(tmp_path_factory.mktemp("front")) as front:
        yield front


@pytest.fixture(scope="session")
def other_broker(tmp_path_factory):
    """RabbitMQ of another series, if there is one."""
    yield from _server(harness.Broker, tmp_path_factory, "other-rabbitmq", root=harness.other_root())


@pytest.fixture
def own_broker(tmp_path_factory):
    """A broker for one test only, which may stop it."""
    with harness.Broker(tmp_path_factory.mktemp("own-rabbitmq")) as server:
        yield server


@pytest.fixture(scope="session")
def mqtt_broker(tmp_path_factory):
    yield from _server(harness.MqttBroker, tmp_path_factory, "mqtt")


@pytest.fixture(scope="session")
def mongodb(tmp_path_factory):
    yield from _server(servers.MongoDB, tmp_path_factory, "mongodb")


@pytest.fixture(scope="session")
def fuseki(tmp_path_factory):
    yield from _server(servers.Fuseki, tmp_path_factory, "fuseki")


@pytest.fixture(scope="session")
def oxigraph(tmp_path_factory):
    yield from _server(servers.Oxigraph, tmp_path_factory, "oxigraph")


@pytest.fixture(scope="session")
def virtuoso(tmp_path_factory):
    yield from _server(servers.Virtuoso, tmp_path_factory, "virtuoso")


@pytest.fixture(scope="session")
def messages():
    """All of the replay data."""
    return harness.river_messages()


@pytest.fixture
def make_pipeline(broker, tmp_path):
    """Makes pipelines. Their workers are stopped at the end of the test."""
    made = []

    def make(**options):
        pipeline = harness.Pipeline(broker, tmp_path, **options)
        made.append(pipeline)
        return pipeline

    yield make
    for pipeline in made:
        pipeline.__exit__()


@pytest.fixture
def pipeline(make_pipeline):
    """A pipeline with SQLite and N-Quads. The stores are set up; no worker runs yet."""
    return make_pipeline().init()


@pytest.fixture
def make_front_pipeline(front, tmp_path):
    """Makes pipelines behind the balancer. Their workers are stopped at the end of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(harness.FrontPipeline(front, tmp_path, **options))
