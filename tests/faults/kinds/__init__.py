"""The table of all faults, with a module for each subject. To add a kind of fault, add a row. river.py gives access to
the stack."""

from . import answers, broker, clocks, network, poison, processes, storage

TABLE = {row.name: row for module in (processes, network, storage, broker, answers, clocks, poison) for row in module.ROWS}
