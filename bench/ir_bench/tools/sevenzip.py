"""7-Zip's own benchmark: compression and decompression, rated in millions of instructions per second."""

from .base import Tool, number


class SevenZip(Tool):
    programs = ("7zz",)
    options = {"seconds": int}
    gives = ("mips",)
    first_amount = 1

    def command(self, options, place, amount):
        """`amount`: the number of passes. The dictionary has 4 MiB, which fits into any guest's memory."""
        return f"7zz b {amount} -mmt{place.cpus} -md22"

    def parse(self, text, options):
        """The line "Tot:  USAGE  SPEED PER USAGE  RATING"."""
        return {"mips": number(text, r"^Tot: +\d+ +\d+ +(\d+)$")}


TOOLS = {"7z": SevenZip()}
