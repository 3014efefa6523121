# A mote without a clock, in MicroPython: sends one value over HTTP, again and again. Tested: it compiles with mpy-cross,
# and it runs under Python 3, which lacks only `network`. Not tested on a board.
#
# Copy it to the board as main.py, with a file settings.py beside it:
#
#     HOST, PORT = "192.0.2.1", 8080            # the river's gateway, or its balancer
#     MOTE, TOKEN = "ford", "…"                 # a line of river/mote-tokens
#     NAME, UNIT = "ford/temperature", "Cel"
#     WIFI = ("network", "password")            # None: the board is already connected
#     PAUSE, COUNT = 900, 0                     # seconds between values; how many, 0: for ever
#
# A record without a time gets the time of its arrival. So each request has a key: requests with the same key are the
# same reading. Plain HTTP shows the token to the network: use a closed network, or ssl.wrap_socket.
import os
import socket
import time

import settings


def connect_wifi():
    if settings.WIFI is None:
        return
    import network

    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    if not wlan.isconnected():
        wlan.connect(*settings.WIFI)
    while not wlan.isconnected():
        time.sleep(1)


def measure():
    """Put your sensor here."""
    return 18.4


def post(body, key):
    """Returns the HTTP status, and the seconds to wait before the next try."""
    request = (
        "POST /v1/observations HTTP/1.1\r\nHost: %s:%d\r\nAuthorization: Bearer %s\r\nConnection: close\r\n"
        "Content-Type: application/senml+json\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s"
        % (settings.HOST, settings.PORT, settings.TOKEN, key, len(body), body)
    )
    connection = socket.socket()
    try:
        connection.settimeout(30)
        connection.connect(socket.getaddrinfo(settings.HOST, settings.PORT)[0][-1])
        connection.send(request.encode())
        head = connection.recv(1024).decode().split("\r\n")
    finally:
        connection.close()
    wait = [line.split(":")[1] for line in head if line.lower().startswith("retry-after:")]
    return int(head[0].split()[1]), int(wait[0]) if wait else 5


def send(value):
    key = "".join("%02x" % byte for byte in os.urandom(16))
    body = '[{"n":"%s","u":"%s","v":%s}]' % (settings.NAME, settings.UNIT, value)
    while True:
        try:
            status, wait = post(body, key)
        except (OSError, ValueError, IndexError) as error:
            status, wait = 0, 5
            print("no answer:", error)
        if status == 202:
            print("safe:", body)
            return
        if status not in (0, 408, 429, 503):
            print("refused for good:", status, body)
            return
        time.sleep(wait)


def main():
    connect_wifi()
    sent = 0
    while True:
        send(measure())
        sent += 1
        if sent == settings.COUNT:
            return
        time.sleep(settings.PAUSE)


main()
