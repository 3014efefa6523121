"""Stores that answer wrongly, late, incompletely or not at all. Proxies in front of the stores simulate this."""

import threading

import proxies

from .kind import Kind

ROLES = ("documents", "graph")
# The HTTP status of a server that is shutting down, rejects every request as malformed, or is overloaded.
SHUTTING_DOWN = {"ok": 0.0, "code": 91, "codeName": "ShutdownInProgress", "errmsg": "not now"}
BAD_VALUE = {"ok": 0.0, "code": 2, "codeName": "BadValue", "errmsg": "not understood"}


def answering(status, document):
    """Makes a fault that answers every request with this error."""
    def begin(river, target, _dice):
        proxy, answer = proxy_before(river, target, proxies.http_answer(status, b"not now"), document)
        return faulty(proxy, lambda *_: answer)

    return begin


def proxy_before(river, target, for_graph, for_documents):
    """Returns the proxy in front of this store, and an error answer in the store's protocol."""
    if river.roles[target] == "graph":
        return river.graph_proxy, for_graph
    return river.document_proxy, for_documents


def faulty(proxy, fault):
    usual, proxy.fault = proxy.fault, fault

    def end():
        proxy.fault = usual

    return end


def hang(river, target, _dice):
    """Requests are held back until the fault ends, and then passed on."""
    proxy = proxy_before(river, target, None, None)[0]
    over, usual = threading.Event(), proxy.fault

    def wait(*words):
        over.wait(60)
        return usual(*words)

    end = faulty(proxy, wait)

    def release():
        end()
        over.set()

    return release


def half(river, target, dice):
    """The server processes all requests, but only half of its answers arrive, or half of each answer."""
    proxy = proxy_before(river, target, None, None)[0]
    share = dice.choice((0.3, 1.0))
    hit = proxies.share_of(100 * share, seed=dice.randrange(2**31))
    proxy.cut = lambda answer: answer[: len(answer) // 2] if hit() else answer

    def end():
        proxy.cut = lambda answer: answer

    return end


ROWS = [
    Kind("answers-500", "answering that it fails", ROLES, answering(500, SHUTTING_DOWN), (3, 20), 45),
    Kind("answers-400", "answering that it understands nothing", ROLES, answering(400, BAD_VALUE), (3, 20), 45),
    Kind("hangs", "not answering", ROLES, hang, (3, 25), 45),
    Kind("answers-half", "whose answers end in the middle", ROLES, half, (3, 20), 45),
]
