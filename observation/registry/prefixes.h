/* The prefixes at the beginning of a registry's Turtle, for programs that write one. */
#ifndef IR_OBSERVATION_REGISTRY_PREFIXES_H
#define IR_OBSERVATION_REGISTRY_PREFIXES_H

#include "observation/registry/entities.h"

#define IR_REGISTRY_PREFIXES                                                                       \
    "@prefix ir: <" IR_ONTOLOGY "> .\n"                                                            \
    "@prefix sosa: <http://www.w3.org/ns/sosa/> .\n"                                               \
    "@prefix qudt: <http://qudt.org/schema/qudt/> .\n"                                             \
    "@prefix unit: <http://qudt.org/vocab/unit/> .\n"                                              \
    "@prefix quantitykind: <http://qudt.org/vocab/quantitykind/> .\n"                              \
    "@prefix geo: <http://www.w3.org/2003/01/geo/wgs84_pos#> .\n"                                  \
    "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"

#endif
