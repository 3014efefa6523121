"""Reads the clocks of other machines from the header Date of their HTTP servers' answers."""

import contextlib
import email.utils
import http.client
import time

SECONDS = 2


def ahead(place):
    """By how many seconds the clock of the server at "HOST:PORT" is ahead of this machine's, at least; 0: by none that can
    be told, as the header has whole seconds. None: it does not answer, or not with a time."""
    begin = time.time()
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, TypeError):
        connection = http.client.HTTPConnection(place, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            date = connection.getresponse().headers["Date"]
        then = email.utils.parsedate_to_datetime(date).timestamp()
        return min(then + 1 - begin, 0) or max(then - time.time(), 0)
    return None
