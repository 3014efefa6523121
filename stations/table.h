/* Reads a CSV file of stations (docs/reference/registry.md). Its header determines the order of
 * columns. */
#ifndef IR_STATIONS_TABLE_H
#define IR_STATIONS_TABLE_H

#include "common/status.h"
#include "stations/stations.h"

/* Reads the file of stations->path; "-" is standard input. Faults are added to the stations' list;
 * unknown columns are reported with `note`. IR_ERR_IO, IR_ERR_NOT_FOUND, IR_ERR_RANGE,
 * IR_ERR_MEMORY: the file could not be read. */
ir_status_t ir_stations_read(ir_stations_t *stations, const char *file, const ir_teller_t *note,
                             ir_error_t *error);

#endif
