"""MongoDB on the guests of one cluster: its roles, their ports and configuration, and how the programs reach it.

With `router` (mongos) and `config` (its config servers) MongoDB is sharded: each replica set of `documents` guests,
identified by Guest.shard, is a shard.
"""

import nodes

from . import payload
from .errors import LabError

REPLICA_SET, CONFIG_SET = "rs0", "config"
USER = "worker"  # the user who logs in to the stores


class MongoDB:
    """What Services needs to know of a document server. `services` is the Services of the cluster."""

    name = "mongodb"  # its name in DOCUMENTS= and in tools/install
    ports = {"documents": 27017, "router": 27016, "config": 27019}

    def __init__(self, services):
        self.services = services

    # ---- addresses ----

    def places(self, role):
        return [nodes.place(each, self.ports[role]) for each in self.services.addresses(role)]

    def replica_sets(self):
        """Returns {name: "HOST:PORT,…"} of the replica sets of the role documents."""
        sets = {}
        for guest in self.services.guests:
            if any(role == "documents" for _, role in guest.services()):
                sets.setdefault(guest.shard or REPLICA_SET, []).append(nodes.place(guest.address, self.ports["documents"]))
        return {name: ",".join(hosts) for name, hosts in sets.items()}

    def config_servers(self):
        return ",".join(self.places("config"))

    def uri(self):
        """The store's URI; None if no guest has the role documents."""
        sets = self.replica_sets()
        login, source = (f"{USER}@", "authSource=admin") if self.services.doors.logins else ("", "")
        if routers := ",".join(self.places("router")):
            return f"mongodb://{login}{routers}/river" + (f"?{source}" if source else "")
        if len(sets) > 1:
            raise LabError(f"replica sets {', '.join(sets)} need the roles config and router before them")
        return next((f"mongodb://{login}{hosts}/river?replicaSet={name}" + (f"&{source}" if source else "")
                     for name, hosts in sets.items()), None)

    # ---- initiating the replica sets ----

    def shards(self):
        """The shards that ir-store init adds through a router: "SET/HOST:PORT,… …"; "" without a router."""
        sets = self.replica_sets() if self.places("router") else {}
        return " ".join(f"{name}/{hosts}" for name, hosts in sets.items())

    def sets_to_initiate(self):
        """The URIs of the replica sets that workers must initiate: those behind the routers. With logins there are
        none, because each set is initiated by its own members."""
        if self.services.doors.logins:
            return []
        sets = {**self.replica_sets(), CONFIG_SET: self.config_servers()} if self.places("router") else {}
        return [f"mongodb://{hosts}/?replicaSet={name}" for name, hosts in sets.items()]

    # ---- files ----

    def documents(self, guest):
        kind = "--shardsvr" if self.places("router") else ""
        name = guest.shard or REPLICA_SET
        return {"mongod.conf": self.mongod("documents", name, kind), **self.set_up(name, self.replica_sets()[name])}

    def config(self, _guest):
        return {"mongod.conf": self.mongod("config", CONFIG_SET, "--configsvr"),
                **self.set_up(CONFIG_SET, self.config_servers(), {"new-user-may": "shard"})}

    def router(self, _guest):
        key = {"key": self.key()} if self.services.doors.logins else {}
        return {"mongos.conf": f"PORT={self.ports['router']}\nCONFIG={CONFIG_SET}/{self.config_servers()}\n", **key}

    def mongod(self, role, replica_set, kind):
        sizes = self.services.wishes.sizes
        return payload.assignments({"PORT": self.ports[role], "REPLICA_SET": replica_set, "KIND": kind,
                                    "CACHE_GB": sizes["documents-cache"] / 1024, "OPLOG_MIB": sizes["documents-oplog"]})

    def key(self):
        """The key with which the members of a replica set authenticate each other."""
        return self.services.secret("mongodb-key")

    def set_up(self, name, hosts, more=None):
        """Returns, for a replica set with logins, its key and the script with which one of its members initiates the
        set and creates USER. The script logs in as the members' own user, whose password is the key."""
        if not self.services.doors.logins:
            return {}
        uri = f"mongodb://__system@{hosts}/river?replicaSet={name}&authSource=local"
        values = {"documents": uri, "documents-password": self.key(), "graph": "null:", "new-user": USER,
                  "new-user-password": self.services.store_password, **(more or {})}
        return {"key": self.key(), "river.conf": payload.section("ir-store", values)}

    configurations = {"documents": documents, "config": config, "router": router}
