"""sysbench 1.0: prime numbers, threads that wait for each other, mutexes. It has no machine-readable output, so its
report is parsed line by line."""

from .base import Tool, number

MAX_PRIME = 10000


class Sysbench(Tool):
    programs = ("sysbench",)
    options = {"threads": int, "seconds": int}


class Cpu(Sysbench):
    """Computes prime numbers for a given time."""

    gives = ("events",)

    def command(self, options, place, amount):
        return f"sysbench cpu --cpu-max-prime={MAX_PRIME} --threads={options['threads']} --time={options['seconds']} run"

    def parse(self, text, options):
        return {"events": number(text, r"^ *events per second: +([\d.]+)$")}


class Memory(Sysbench):
    """Writes to blocks larger than the caches for a given time."""

    gives = ("mib",)

    def command(self, options, place, amount):
        return (f"sysbench memory --memory-block-size=64M --memory-total-size=1000T --memory-oper=write "
                f"--threads={options['threads']} --time={options['seconds']} run")

    def parse(self, text, options):
        return {"mib": number(text, r"^[\d.]+ MiB transferred \(([\d.]+) MiB/sec\)$")}


class FixedWork(Sysbench):
    gives = ("seconds",)

    def parse(self, text, options):
        return {"seconds": number(text, r"^ *total time: +([\d.]+)s$")}


class Primes(FixedWork):
    first_amount = 2000

    def command(self, options, place, amount):
        return f"sysbench cpu --cpu-max-prime={MAX_PRIME} --threads={options['threads']} --events={amount} --time=0 run"


class Threads(FixedWork):
    """Threads that take turns at eight locks."""

    first_amount = 500

    def command(self, options, place, amount):
        return (f"sysbench threads --thread-yields=1000 --thread-locks=8 --threads={options['threads']} --events={amount} "
                "--time=0 run")


class Mutex(FixedWork):
    """Each thread locks one of 4,096 mutexes, `amount` times."""

    first_amount = 20000

    def command(self, options, place, amount):
        return (f"sysbench mutex --mutex-num=4096 --mutex-loops=1000 --mutex-locks={amount} --threads={options['threads']} "
                "--time=0 run")


TOOLS = {"sysbench-cpu": Cpu(), "sysbench-memory": Memory(), "sysbench-primes": Primes(), "sysbench-threads": Threads(),
         "sysbench-mutex": Mutex()}
