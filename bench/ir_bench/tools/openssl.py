"""openssl speed -mr: RSA signatures and verifications per second, with one process per processor of the guest."""

from .base import OutputError, Tool


class Rsa(Tool):
    programs = ("openssl",)
    options = {"bits": int, "seconds": int}
    gives = ("signs", "verifies")

    def command(self, options, place, amount):
        # Half of the time for signatures, half for verifications.
        return f"openssl speed -mr -seconds {options['seconds'] // 2} -multi {place.cpus} rsa{options['bits']} 2>/dev/null"

    def parse(self, text, options):
        """The last line +F2:INDEX:BITS:SIGNATURES:VERIFICATIONS is the sum over all processes."""
        rows = [line.split(":") for line in text.splitlines() if line.startswith("+F2:")]
        if not rows or len(rows[-1]) != 5 or rows[-1][2] != str(options["bits"]):
            raise OutputError(f"no line +F2 of {options['bits']} bits in: {text[-300:]!r}")
        return {"signs": float(rows[-1][3]), "verifies": float(rows[-1][4])}


TOOLS = {"openssl-rsa": Rsa()}
