"""The lab's exceptions. `status` is the exit status of ir-platform."""

import guard


class LabError(guard.Fault):
    """The verb failed. The text says what failed, where, and what to do."""


class Unsupported(LabError):
    """This host or this platform does not support it. The remedy says what would change that, if anything."""

    status = 77

    def __init__(self, reason, remedy=""):
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason = reason
        self.remedy = remedy
