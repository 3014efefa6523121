"""The faults: one table, a module for each subject. Another kind of fault is another row; what it needs of the stack, it finds
in river.py."""

from . import answers, broker, clocks, network, poison, processes, storage

TABLE = {row.name: row for module in (processes, network, storage, broker, answers, clocks, poison) for row in module.ROWS}
