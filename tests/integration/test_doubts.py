"""A store refuses every observation of one mote, with answers that do not prove that the data are at fault. Only this
mote waits while the worker tries to prove the refusal. The server gives a different answer each time until the test
sets it to `sure`, so no proof ends earlier."""

import itertools

import pytest

import harness
import proxies
from test_outcomes import UNLISTED, forbid

CULPRIT = "CREEK-X"
OTHERS = [f"CREEK-{i}" for i in range(100)]
STRANGERS = "--unregistered=accept"
SENML = "--formats=senml"


def pack(mote, number, records=1):
    return harness.Message(mote, [{"n": f"{mote}/level", "u": "m", "t": 1320500000 + 900 * number + i, "v": 1.25 + i}
                                  for i in range(records)])


class Refuser:
    """Makes refusals and counts them. Each has a new code until the test sets `sure`; then the code stays the same."""

    def __init__(self):
        self.sure = False
        self.answers = itertools.count()

    def code(self):
        number = next(self.answers)
        return UNLISTED if self.sure else UNLISTED + 1 + number


class DocumentsRefuser(Refuser):
    """MongoDB with a validator that refuses every observation of one mote (the culprit), behind a proxy that hides the
    reason."""

    reason = "document-refused"

    def __init__(self, mongodb, name):
        import pymongo

        super().__init__()
        self.proxy = proxies.MongoProxy(mongodb.port, change=self.change)
        self.database = pymongo.MongoClient(mongodb.uri, serverSelectionTimeoutMS=5000)[name]
        self.stores = {"documents": self.proxy.uri(name)}

    def change(self, reply):
        for error in reply.get("writeErrors", ()):
            if error["code"] == 121:
                error.update(code=self.code(), errmsg="seven")
        return reply

    def begin(self):
        self.database.command("collMod", "observations", validator={"mote": {"$ne": CULPRIT}})

    def end(self):
        self.database.command("collMod", "observations", validator={})

    def raw_messages(self, _pipeline):
        return self.database["raw"].count_documents({})


class GraphRefuser(Refuser):
    """Fuseki behind a proxy that refuses the culprit's statements."""

    reason = "graph-refused"
    codes = (400, 413, 415, 422, 501)

    def __init__(self, fuseki, _name):
        super().__init__()
        self.begun = False
        self.proxy = proxies.HttpProxy(fuseki.port, self.fault)
        self.stores = {"graph": self.proxy.uri(fuseki)}

    def fault(self, method, _path, _kind, body):
        refused = self.begun and method == "POST" and b"/" + CULPRIT.encode() + b"/" in body
        return proxies.http_answer(self.codes[self.code() % len(self.codes)], b"seven") if refused else None

    def begin(self):
        self.begun = True

    def end(self):
        self.begun = False

    def raw_messages(self, pipeline):
        return len(pipeline.sqlite_ids("raw"))


@pytest.fixture(params=[DocumentsRefuser, GraphRefuser], ids=["documents", "graph"])
def refuser(request):
    server = request.getfixturevalue("mongodb" if request.param is DocumentsRefuser else "fuseki")
    made = request.param(server, request.node.name.replace("[", "_").replace("]", ""))
    with made.proxy:
        yield made


class Scene:
    """A pipeline that refuses the observations of one mote (the culprit), and the messages sent through it."""

    def __init__(self, make_pipeline, refuser, *words):
        self.refuser = refuser
        self.pipeline = make_pipeline(settings=[STRANGERS, SENML, *words], **refuser.stores).init()
        self.published = self.pipeline.subscribe("senml.#")
        self.numbers = itertools.count()
        self.culprits, self.others = [], []
        refuser.begin()

    def send(self, rounds, motes=OTHERS):
        """Sends messages of the culprit and of the other motes at a steady rate."""
        for _ in range(rounds):
            number = next(self.numbers)
            self.culprits.append(pack(CULPRIT, number))
            self.pipeline.publish(self.culprits[-1])
            for mote in motes:
                self.others.append(pack(mote, number))
                self.pipeline.publish(self.others[-1])

    def await_others(self, worker):
        """Waits until all messages of the other motes are acknowledged, and none of the culprit's, which is still in
        doubt."""
        count = len(self.others)
        harness.wait_for(lambda: worker.metric("ir_messages_acknowledged_total") >= count, "the others", 120)
        assert worker.metric("ir_messages_acknowledged_total") == count
        assert worker.metric("ir_motes_in_doubt") == 1
        assert self.pipeline.ready_messages("ir.rejected") == 0

    def conclude(self, accepted=()):
        """Ends the proofs. Then all messages of the culprit except the accepted ones are refused, in order; all others
        are stored and published."""
        self.pipeline.drain(240)
        for worker in self.pipeline.workers:
            if worker.process.alive():
                assert worker.metric("ir_motes_in_doubt") == worker.metric("ir_messages_in_doubt") == 0
        letters = [properties.headers for _, properties, _ in self.pipeline.take_all("ir.rejected")]
        assert {each["reason"] for each in letters} == {self.refuser.reason}
        assert list(dict.fromkeys(each["raw-id"] for each in letters)) == \
            [str(message.raw_id) for message in self.culprits]
        taken = self.pipeline.take_all(self.published)
        harness.assert_order(taken, [*self.others, *accepted])
        self.pipeline.stop_workers()
        assert self.refuser.raw_messages(self.pipeline) == \
            len(self.culprits) + len(self.others) + len(accepted)
        return letters


def test_the_others_go_on(make_pipeline, refuser):
    """All messages that the other motes send during a proof are stored, published and acknowledged before it ends. Then
    the culprit's messages are refused in order, and its later messages are treated normally."""
    scene = Scene(make_pipeline, refuser)
    worker = scene.pipeline.worker()
    scene.send(5)
    scene.await_others(worker)
    scene.send(5)
    scene.await_others(worker)
    assert worker.metric("ir_messages_in_doubt") == len(scene.culprits) == 10
    assert f"mote {CULPRIT} is in doubt" in worker.text() and "seven" in worker.text()
    refuser.sure = True
    harness.wait_for(lambda: worker.metric("ir_motes_in_doubt") == 0, "the proofs", 120)
    assert worker.metric(f'ir_rejected_total{{reason="{refuser.reason}"}}') == 10
    refuser.end()
    accepted = [pack(CULPRIT, 500 + i) for i in range(3)]
    for message in accepted:
        scene.pipeline.publish(message)
    letters = scene.conclude(accepted)
    assert len(letters) == 10, "a message has two dead letters"


def test_a_worker_is_killed_while_a_mote_is_in_doubt(make_pipeline, refuser):
    """The next worker gets the unacknowledged messages: only the culprit's, in order."""
    scene = Scene(make_pipeline, refuser)
    worker = scene.pipeline.worker()
    scene.send(5)
    scene.await_others(worker)
    worker.kill()
    refuser.sure = True
    harness.wait_for(lambda: scene.pipeline.waiting() == 5, "what comes back")
    scene.pipeline.worker()
    scene.conclude()


def test_a_worker_stops_while_a_mote_is_in_doubt(make_pipeline, refuser):
    """The proof is abandoned, and its messages go to the next worker."""
    scene = Scene(make_pipeline, refuser)
    worker = scene.pipeline.worker()
    scene.send(5)
    scene.await_others(worker)
    scene.pipeline.stop_workers()
    harness.wait_for(lambda: scene.pipeline.waiting() == 5, "what comes back")
    assert scene.pipeline.ready_messages("ir.rejected") == 0
    refuser.sure = True
    scene.pipeline.worker()
    scene.send(2)
    scene.conclude()


def test_partitions_change_hands_while_a_mote_is_in_doubt(make_pipeline, refuser):
    """The culprit's partition is handed over only when its messages are settled; the other partitions are handed over
    earlier."""
    scene = Scene(make_pipeline, refuser)
    worker = scene.pipeline.worker()
    scene.send(3)
    scene.await_others(worker)
    another = scene.pipeline.worker()
    scene.send(3)
    harness.wait_for(lambda: worker.metric("ir_messages_acknowledged_total") +
                     another.metric("ir_messages_acknowledged_total") >= len(scene.others) * 9 // 10, "the others", 120)
    refuser.sure = True
    scene.conclude()


def test_what_is_set_aside_is_bounded(make_pipeline, refuser):
    """The broker delivers at most `prefetch` messages of the culprit's partition, so only so many can be set aside. The
    other partitions continue."""
    scene = Scene(make_pipeline, refuser, "--prefetch=20")
    worker = scene.pipeline.worker()
    scene.send(20, motes=[])
    harness.wait_for(lambda: worker.metric("ir_messages_in_doubt") == 20, "the culprit's messages", 60)
    scene.send(3)

    def only_one_waits():
        waiting = [scene.pipeline.ready_messages(f"ir.observations.{i}") for i in range(8)]
        acknowledged = worker.metric("ir_messages_acknowledged_total")
        return sum(waiting) == max(waiting) >= 3 and acknowledged + sum(waiting) == len(scene.others) + 3

    harness.wait_for(only_one_waits, "the other partitions", 120)
    assert worker.metric("ir_messages_in_doubt") == 20
    refuser.sure = True
    scene.conclude()


def test_more_is_set_aside_than_there_is_room_for(make_pipeline, refuser):
    """The second pipeline has room for one batch in progress and one that collects messages. When it is full, the
    worker stops reading until there is room. Nothing is lost, and order is kept."""
    scene = Scene(make_pipeline, refuser, "--batch-observations=5", "--in-flight=2")
    worker = scene.pipeline.worker()
    scene.send(30, motes=OTHERS[:3])
    harness.wait_for(lambda: worker.metric("ir_messages_in_doubt") >= 7, "messages in doubt", 60)
    refuser.sure = True
    scene.conclude()


def test_a_mote_whose_messages_cannot_be_published(make_pipeline):
    """RabbitMQ closes the channel with 403 for each of the culprit's messages. Messages behind the first of these are
    published before its dead letter."""
    pipeline = make_pipeline(settings=[STRANGERS, SENML]).init()
    forbid(pipeline, rf"^(?!senml\.{CULPRIT}$)")
    queue = pipeline.subscribe("senml.#")
    pipeline.channel.queue_bind(queue, "ir.rejected")
    culprits = [pack(CULPRIT, i) for i in range(20)]
    others = [pack(mote, i) for i in range(2) for mote in OTHERS]
    for message in (*culprits[:10], *others, *culprits[10:]):
        pipeline.publish(message)
    pipeline.worker()
    pipeline.drain(120)
    taken = pipeline.take_all(queue)
    letters = [i for i, (method, _, _) in enumerate(taken) if method.exchange == "ir.rejected"]
    assert [taken[i][1].headers["raw-id"] for i in letters] == [str(message.raw_id) for message in culprits]
    assert {taken[i][1].headers["reason"] for i in letters} == {"unpublishable"}
    harness.assert_order(taken[:letters[0]], others)
    pipeline.stop_workers()
    pipeline.assert_exactly([*culprits, *others])
