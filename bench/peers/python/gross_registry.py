"""Prints a registry (Turtle) without limits other than those of gross range: gross_registry.py FILE."""

import argparse
import sys

import rdflib

from river import BASE, IR

OTHERS = ("spikeMethod", "spikeSuspect", "spikeFail", "rateOfChange", "flatLineTolerance", "flatLineSuspect", "flatLineFail",
          "climatology")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", metavar="FILE")
    graph = rdflib.Graph().parse(parser.parse_args().file, format="turtle", publicID=BASE)
    for name in OTHERS:
        for triple in list(graph.triples((None, rdflib.URIRef(IR + name), None))):
            graph.remove(triple)
            forget(graph, triple[2])
    sys.stdout.write(graph.serialize(format="turtle"))


def forget(graph, node):
    """Removes a node, and also the blank nodes that only it refers to."""
    if isinstance(node, rdflib.BNode):
        for triple in list(graph.triples((node, None, None))):
            graph.remove(triple)
            forget(graph, triple[2])


if __name__ == "__main__":
    main()
