"""Measuring tools, one file per family: the command in a guest, and the parser of its output."""

from . import disk, hpcc, interpreters, mbw, network, openssl, servers, sevenzip, sysbench

TOOLS = {name: tool for family in (disk, hpcc, interpreters, mbw, network, openssl, servers, sevenzip, sysbench)
         for name, tool in family.TOOLS.items()}
