"""The parts common to all platforms: the lab (a directory that holds the guests), the network, the appliance (the
guests' root filesystem), tuning and the verbs.

    from platforms.lab import Guest, Lab, verbs

    lab = Lab()                                        # $IR_LAB, or out/lab below the project
    guest = verbs.provision(lab, Guest(name="one", platform="lxc", roles=["broker", "worker"]))
    print(verbs.boot(lab, "one"))                      # seconds until every role is ready
    print(verbs.execute(lab, "one", ["nproc"]).out)
    verbs.destroy(lab, "one")

Every error is a LabError with one line: what failed, where, and what to do. Its subclass Unsupported means that this
host or this platform cannot do it. Only Python's standard library is used.
"""

from .errors import LabError, Unsupported
from .guest import Guest
from .state import Lab

__all__ = ["Guest", "Lab", "LabError", "Unsupported"]
