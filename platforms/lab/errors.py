"""The lab's exceptions. `status` is the exit status of ir-platform."""

import guard


class LabError(guard.Fault):
    """The verb failed. The text says what failed, where, and what to do."""


class Unsupported(LabError):
    """This host or this platform does not support the request. The remedy says how to change that, if it is
    possible."""

    status = 77

    def __init__(self, reason, remedy=""):
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason = reason
        self.remedy = remedy
