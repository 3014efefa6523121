"""mbw: copies an array of the given MiB with memcpy()."""

from .base import Tool, number


class Mbw(Tool):
    programs = ("mbw",)
    options = {"mib": int, "seconds": int}
    gives = ("mib",)
    first_amount = 4

    def command(self, options, place, amount):
        """`amount`: how often the array is copied."""
        return f"mbw -q -t0 -n {amount} {options['mib']}"

    def parse(self, text, options):
        return {"mib": number(text, r"^AVG\tMethod: MEMCPY\tElapsed: [\d.]+\tMiB: [\d.]+\tCopy: ([\d.]+) MiB/s$")}


TOOLS = {"mbw": Mbw()}
