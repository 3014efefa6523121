"""The services of a guest with a configuration that works by itself: a worker with the stores of its own guest, at the
brokers of the lab. Whoever runs something else gives the files in Guest.files; what stands there takes the place of
these.

Ports are the usual ones of each program; a guest has an address of its own.
"""

AMQP_PORT = 5672
GRAPH_PORT = 3030
DOCUMENTS_PORT = 27017
GATEWAY_PORT = 8080
BALANCER_PORT = 80
HTTP_PORT = 9400  # of the n-th worker of a guest: 9400 + n


def has_role(guest, role):
    return any(word == role for _, word in guest.services())


def addresses(guests, role):
    return [each.address for each in guests if has_role(each, role)]


def settings(guest, others):
    """{path below etc/river: text} of the guest's services."""
    files = {}
    for number, (name, role) in enumerate(guest.services()):
        folder = f"services/{name}"
        files[f"{folder}/role"] = role + "\n"
        for file, text in CONFIGURATIONS[role](guest, others, number).items():
            files[f"{folder}/{file}"] = text
    return files


def broker(_guest, _others, _number):
    plugins = "rabbitmq_consistent_hash_exchange"
    return {
        "rabbitmq.conf": f"listeners.tcp.default = {AMQP_PORT}\nloopback_users = none\nlog.file.level = info\n"
                         "disk_free_limit.absolute = 50MB\nraft.wal_max_size_bytes = 67108864\n",
        "enabled_plugins": f"[{plugins}].\n",
    }


def worker(guest, others, number):
    brokers = addresses([guest], "broker") or addresses(others, "broker") or [guest.address]
    graphs = addresses([guest], "graph") or addresses(others, "graph")
    graph = ",".join(f"sparql+http://{each}:{GRAPH_PORT}/ir?strategy=quads" for each in graphs) or "nquads:graph"
    lines = {
        "amqp": ",".join(f"amqp://{each}:{AMQP_PORT}" for each in brokers),
        "documents": "sqlite:documents.sqlite",
        "graph": graph,
        "registry": "registry.ttl",
        "http": f"{guest.address}:{HTTP_PORT + number}",
    }
    common = "".join(f"{key} = {value}\n" for key, value in lines.items() if key in ("documents", "graph", "registry"))
    own = "".join(f"{key} = {value}\n" for key, value in lines.items() if key in ("amqp", "http"))
    return {"river.conf": f"[common]\n{common}\n[ir-worker]\n{own}"}


def documents(_guest, _others, _number):
    return {"documents.conf": f"PORT={DOCUMENTS_PORT}\nREPLICA_SET=rs0\nCACHE_GB=0.25\n"}


def graph(_guest, _others, _number):
    return {"graph.conf": f"PORT={GRAPH_PORT}\nENGINE=fuseki\nHEAP=512m\n"}


def gateway(guest, others, _number):
    brokers = addresses([guest], "broker") or addresses(others, "broker") or [guest.address]
    amqp = ",".join(f"amqp://{each}:{AMQP_PORT}" for each in brokers)
    return {
        "river.conf": f"[ir-ingest]\namqp = {amqp}\nlisten = {guest.address}:{GATEWAY_PORT}\ntokens = tokens.txt\n",
        "tokens.txt": "# No mote has a token yet; ir-ingest --issue-tokens makes them.\n",
    }


def balancer(guest, others, _number):
    gateways = addresses([guest], "gateway") + addresses(others, "gateway")
    servers = "".join(f"    server g{i} {each}:{GATEWAY_PORT} check\n" for i, each in enumerate(gateways))
    return {
        "haproxy.cfg": "global\n    maxconn 2000\ndefaults\n    mode http\n    timeout connect 5s\n"
                       "    timeout client 60s\n    timeout server 60s\n"
                       f"frontend motes\n    bind {guest.address}:{BALANCER_PORT}\n    default_backend gateways\n"
                       f"backend gateways\n    balance roundrobin\n{servers}",
    }


CONFIGURATIONS = {
    "broker": broker,
    "worker": worker,
    "documents": documents,
    "graph": graph,
    "gateway": gateway,
    "balancer": balancer,
}
