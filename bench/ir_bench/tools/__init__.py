"""Measuring tools, one file a family: how each is called in a guest, and how its output is read."""

from . import disk, hpcc, interpreters, mbw, network, openssl, servers, sevenzip, sysbench

TOOLS = {name: tool for family in (disk, hpcc, interpreters, mbw, network, openssl, servers, sevenzip, sysbench)
         for name, tool in family.TOOLS.items()}
