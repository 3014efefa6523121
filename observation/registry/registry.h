/* The registry describes motes and their sensors: properties, positions, units and limits. It is
 * read from Turtle (serd). docs/reference/registry.md explains how to write one; ontology.ttl
 * defines the terms missing in SOSA, SSN, QUDT, OWL-Time and DQV.
 *
 * A loaded registry is immutable and reference-counted. A reload (SIGHUP) swaps the pointer;
 * batches in flight keep their registry. */
#ifndef IR_OBSERVATION_REGISTRY_REGISTRY_H
#define IR_OBSERVATION_REGISTRY_REGISTRY_H

#include "common/fault_list.h"
#include "common/status.h"
#include "common/view.h"
#include "observation/registry/entities.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Loads Turtle files. `paths` are files or folders, separated by commas; a folder means its files
 * *.ttl, in the order of their names. File names must be unique, and each mote or sensor must be in
 * one file. A fault names file, line and what is wrong, for example "river.ttl:41: ir:grossFail of
 * <…> must be a list of two numbers, low then high". All faults are reported in the order of the
 * files (see ir_fault_list_conclude in common/fault_list.h), except those that follow from another.
 * `teller` may be NULL: then `error` has the first. Files are limited to 2 GiB. On success
 * *registry has one reference. */
ir_status_t ir_registry_load(const char *paths, ir_registry_t **registry, const ir_teller_t *teller,
                             ir_error_t *error);

/* Atomic; take NULL. */
ir_registry_t *ir_registry_ref(ir_registry_t *registry);
void ir_registry_unref(ir_registry_t *registry);

/* Whether more than one reference exists. If the caller has the only one, no other can appear. */
bool ir_registry_shared(const ir_registry_t *registry);

/* NULL when unknown. `registry` may be NULL: then everything is unknown. Any thread. */
const ir_sensor_t *ir_registry_sensor(const ir_registry_t *registry, ir_view_t name);
const ir_mote_t *ir_registry_mote(const ir_registry_t *registry, ir_view_t id);

typedef ir_status_t (*ir_registry_mote_fn)(void *context, const ir_mote_t *mote, ir_error_t *error);

/* Calls `each` for every mote, in arbitrary order, until it does not return IR_OK. */
ir_status_t ir_registry_each_mote(const ir_registry_t *registry, ir_registry_mote_fn each,
                                  void *context, ir_error_t *error);

size_t ir_registry_sensors(const ir_registry_t *registry);
size_t ir_registry_motes(const ir_registry_t *registry);

/* Calls `each` for every sensor, in the order of the files; ends early when it returns false. */
typedef bool (*ir_each_registered_fn)(void *context, const ir_sensor_t *sensor);
void ir_registry_each_sensor(const ir_registry_t *registry, ir_each_registered_fn each,
                             void *context);

/* The number of its files, and the name of one without folder and ".ttl". */
unsigned ir_registry_files(const ir_registry_t *registry);
const char *ir_registry_file_name(const ir_registry_t *registry, unsigned file);

/* One file's statements as N-Triples, for its registry graph: with the inverses of sosa:hosts,
 * isHostedBy and sosa:observes added, and with stable IRIs instead of blank nodes. Written to a
 * malloc'd buffer that the caller frees. */
ir_status_t ir_registry_ntriples(const ir_registry_t *registry, unsigned file, char **text,
                                 size_t *size, ir_error_t *error);

#endif
