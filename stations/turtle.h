/* Stations as a registry in Turtle, as docs/reference/registry.md describes it. */
#ifndef IR_STATIONS_TURTLE_H
#define IR_STATIONS_TURTLE_H

#include "stations/stations.h"

#include <stdio.h>

/* Writes all stations, which must have no faults. The owner of `out` checks for write errors. */
void ir_stations_write(const ir_stations_t *stations, FILE *out);

#endif
