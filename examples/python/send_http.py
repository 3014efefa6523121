"""Sends the values of a sensor over HTTP, with requests (Debian: python3-requests).

    RIVER_HTTP=http://HOST:PORT RIVER_MOTE=ford RIVER_TOKEN=… python3 send_http.py ford/temperature Cel 18.4 18.5 …
"""

import json
import os
import sys
import time

import requests

try:
    ADDRESS = os.environ["RIVER_HTTP"] + "/v1/observations"
    TOKEN = os.environ["RIVER_TOKEN"]
    NAME, UNIT = sys.argv[1:3]
    VALUES = [float(each) for each in sys.argv[3:]]
except (KeyError, ValueError):
    raise SystemExit(f"usage: {__doc__.splitlines()[2].strip()}")


def send(session, pack):
    """Returns when the pack is stored safely. Sends the same bytes again until there is an answer, so nothing is stored
    twice."""
    body = json.dumps(pack)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/senml+json"}
    pause = 1
    while True:
        try:
            answer = session.post(ADDRESS, data=body, headers=headers, timeout=30)
        except ValueError as error:
            raise SystemExit(f"{ADDRESS}: {error}")
        except requests.RequestException as error:
            print(f"no answer ({error}); again in {pause} s", file=sys.stderr)
        else:
            if answer.status_code == 202:
                return answer.json()
            if answer.status_code not in (408, 429, 503):
                raise SystemExit(f"refused for good: {answer.status_code} {answer.text}")
            pause = int(answer.headers.get("Retry-After", pause))
        time.sleep(pause)
        pause = min(2 * pause, 60)


def main():
    with requests.Session() as session:
        for value in VALUES:
            told = send(session, [{"n": NAME, "u": UNIT, "t": time.time(), "v": value}])
            print(f"{NAME} {value} {UNIT} is safe: {told['raw_ids'][0]}")
            for each in told.get("refusals", ()):
                print(f"  but refused: {each['reason']}: {each['detail']}")


if __name__ == "__main__":
    main()
