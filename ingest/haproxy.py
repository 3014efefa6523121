#!/usr/bin/env python3
"""Prints HAProxy's configuration for a list of nodes:

    ingest/haproxy.py ingest/nodes.conf > /etc/haproxy/haproxy.cfg && haproxy -c -f /etc/haproxy/haproxy.cfg
"""

import argparse
import json
import sys

import guard
import nodes as list_of_nodes

# A PROXY header (version 2) of an inet connection from and to 127.0.0.1, as a check must send it: the LOCAL form, which
# is meant for checks, crashes the connection's process in RabbitMQ 3.10.
PROXY_HEADER = "0d0a0d0a000d0a515549540a" + "2111000c" + "7f000001" + "7f000001" + "00000000"
AMQP_HEADER = "414d515000000901"

HEAD = """\
# Made by ingest/haproxy.py from a list of nodes (see ingest/nodes.conf): change that, not this.

global
    log stdout format raw local0 info
    maxconn {connections}
    stats socket {socket} mode 600 level admin expose-fd listeners
    stats timeout 30s
    hard-stop-after 1h
    spread-checks 10
    ssl-default-bind-options ssl-min-ver TLSv1.2
    ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20
{user}
defaults
    log global
    option dontlognull
    option dontlog-normal
    option tcpka
    option redispatch 1
    retries 3
    timeout connect {answer}
    timeout queue 5s
    timeout check {answer}
    timeout client 10s
    timeout server 60s
    timeout client-fin 10s
    timeout server-fin 10s
    default-server inter 1s fastinter 500ms fall {misses} rise 2 slowstart 10s

# What each source address has open and asks for, and how often it was told in the log.
backend sources
    stick-table type ipv6 size 200k expire 1m store conn_cur,conn_rate(10s),http_req_rate(10s),gpc0_rate(10s)
"""

# Who is turned away is named in the log once in ten seconds; the rest of them ends unseen, as cheaply as can be.
# A connection that sends nothing is logged, too, when it is cut.
SOURCE_LIMITS = """\
    no option dontlognull
    tcp-request connection track-sc0 src table sources
    acl too_many sc0_conn_cur gt {connections-per-source}
    acl too_many sc0_conn_rate gt {new-connections-per-source}
    acl told_before sc0_gpc0_rate gt 1
    tcp-request connection reject if too_many {{ sc0_gpc0_rate gt 0 }}
    tcp-request connection sc-inc-gpc0(0) if too_many
    tcp-request content reject if too_many"""

# A silent client is cut after first-bytes, one that speaks something else at once; a session that then lives is
# kept as long as something moves.
SESSION_FRONTEND = """
frontend {kind}
    mode tcp
    option tcplog
{binds}
{limits}
    tcp-request inspect-delay {first-bytes}
{guard}
    tcp-request content sc-inc-gpc0(0)
    tcp-request content set-log-level silent if told_before
    tcp-request content reject
    default_backend {kind}-brokers
"""

# The connections that are let through. A condition that further bytes may change waits for them; a connection for which
# it is false is rejected.
AMQP_GUARD = f"""\
    tcp-request content accept if {{ req.payload(0,8) -m bin {AMQP_HEADER} }}"""

MQTT_GUARD = """\
    tcp-request content accept if { req.payload(0,1) -m bin 10 } { req.payload(0,0),mqtt_is_valid }"""

INSIDE_FRONTEND = """
# Gateways, and other senders of the project's own; workers and subscribers, too, where consumers is left out.
frontend inside
    mode tcp
    option tcplog
    bind {inside}
    default_backend amqp-brokers
"""

# Readers have a separate list of brokers: senders can move to another cluster while the messages waiting in this one
# are read.
CONSUMERS_FRONTEND = """
# Workers and subscribers.
frontend consumers
    mode tcp
    option tcplog
    bind {consumers}
    default_backend consumer-brokers
"""

AMQP_BACKEND = """
backend {name}
    mode tcp
    balance leastconn
    timeout tunnel {idle-session}
    option tcp-check
    tcp-check connect
    tcp-check send-binary {proxy}{check}
    tcp-check expect binary 01
"""

# Each node's AMQP check speaks for it: the two listeners come and go together, and RabbitMQ logs an error for every
# MQTT check that does more than connect.
MQTT_BACKEND = """
backend mqtt-brokers
    mode tcp
    balance leastconn
    timeout tunnel {idle-session}
"""

HTTP_FRONTEND = """
frontend http
    mode http
    option httplog
{binds}
    timeout client {idle-keep-alive}
    timeout http-request {first-bytes}
    timeout http-keep-alive {idle-keep-alive}
{limits}
    acl too_fast sc0_http_req_rate gt {requests-per-source}
    http-request sc-inc-gpc0(0) if too_fast
    http-request set-log-level silent if too_fast told_before
    http-request deny {too-many} hdr Retry-After 10 if too_fast
    http-request return {not-found} if !{{ path_beg /v1/ }}
    http-request del-header X-Forwarded-For
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    option forwardfor
    http-error {no-gateway} hdr Retry-After 2
    default_backend gateways

backend gateways
    mode http
    balance leastconn
    option httpchk GET /readyz
    http-check expect status 200
    http-reuse safe
"""

STATS = """
# The statistics page, and the same figures for Prometheus.
frontend stats
    mode http
    bind {stats}
    timeout http-request {first-bytes}
    http-request use-service prometheus-exporter if {{ path /metrics }}
    stats enable
    stats uri /stats
    stats refresh 5s
    stats show-legends
"""


def problem(status, title, detail):
    """An answer as the gateways give it (RFC 9457)."""
    text = json.dumps({"title": title, "status": status, "detail": detail}, separators=(",", ":"))
    return f"status {status} content-type application/problem+json string '{text}'"


PROBLEMS = {
    "too-many": problem(429, "Too Many Requests", "this address sends more requests than it may"),
    "not-found": problem(404, "Not Found", "observations go to /v1/observations"),
    "no-gateway": problem(503, "Service Unavailable", "no gateway takes requests now"),
}


def binds(nodes, plain, secure):
    """The bind lines of one protocol, or "" when it is not offered."""
    balancer = nodes.balancer
    lines = []
    if balancer[plain]:
        lines.append(f"    bind {list_of_nodes.place(balancer['address'], balancer[plain])}")
    if balancer[secure]:
        alpn = " alpn h2,http/1.1" if secure == "https" else ""
        lines.append(f"    bind {list_of_nodes.place(balancer['address'], balancer[secure])} ssl crt {balancer['certificate']}{alpn}")
    return "\n".join(lines)


def session(nodes, kind, guard):
    lines = binds(nodes, kind, kind + "s")
    limits = SOURCE_LIMITS.format(**nodes.limits)
    return SESSION_FRONTEND.format(kind=kind, binds=lines, limits=limits, guard=guard, **nodes.limits) if lines else ""


def broker_servers(brokers, kind, check):
    return "".join(f"    server {each.name} {list_of_nodes.place(each.host, getattr(each, kind))} send-proxy-v2 "
                   f"{check.format(each.name)} on-marked-down shutdown-sessions\n" for each in brokers)


def amqp_backend(name, brokers, values):
    """It checks its brokers: where one tracks another's checks, maintenance of that one cuts its sessions, too."""
    text = AMQP_BACKEND.format(name=name, proxy=PROXY_HEADER, check=AMQP_HEADER, **values)
    return text + broker_servers(brokers, "amqp", "check")


def gateway_servers(nodes):
    most = nodes.limits["connections-per-gateway"]
    return "".join(f"    server {each.name} {list_of_nodes.place(each.host, each.http)} check maxconn {most}\n"
                   for each in nodes.gateways)


def configuration(nodes):
    """Returns the whole configuration."""
    user = nodes.balancer["user"]
    values = {**nodes.limits, **nodes.balancer, "user": f"    user {user}\n    group {user}\n" if user else ""}
    parts = [HEAD.format(**values), session(nodes, "amqp", AMQP_GUARD), session(nodes, "mqtt", MQTT_GUARD)]
    if values["inside"]:
        parts.append(INSIDE_FRONTEND.format(**values))
    if values["consumers"]:
        parts.append(CONSUMERS_FRONTEND.format(**values))
    parts.append(amqp_backend("amqp-brokers", nodes.brokers, values))
    if values["consumers"]:
        parts.append(amqp_backend("consumer-brokers", nodes.draining or nodes.brokers, values))
    if values["mqtt"] or values["mqtts"]:
        parts += [MQTT_BACKEND.format(**values), broker_servers(nodes.brokers, "mqtt", "track amqp-brokers/{}")]
    lines = binds(nodes, "http", "https")
    if lines:
        parts.append(HTTP_FRONTEND.format(binds=lines, limits=SOURCE_LIMITS.format(**values), **PROBLEMS, **values) + gateway_servers(nodes))
    if values["stats"]:
        parts.append(STATS.format(**values))
    return "".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", metavar="NODES.CONF")
    options = parser.parse_args()
    sys.stdout.write(configuration(list_of_nodes.read(options.nodes)))


if __name__ == "__main__":
    guard.run("ingest/haproxy.py", main)
