/* The registry: who measures what, where, in which unit, within which limits. Read from Turtle
 * (serd); docs/reference/registry.md tells how to write one, ontology.ttl holds the terms that
 * SOSA, SSN, QUDT, OWL-Time and DQV lack.
 *
 * A registry is immutable once loaded and shared by reference count, so that a reload (SIGHUP)
 * swaps the pointer while batches in flight keep theirs. */
#ifndef IR_OBSERVATION_REGISTRY_REGISTRY_H
#define IR_OBSERVATION_REGISTRY_REGISTRY_H

#include "common/fault_list.h"
#include "common/status.h"
#include "common/view.h"
#include "observation/registry/entities.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Loads Turtle files: `paths` are files or folders with commas between; a folder stands for its
 * files *.ttl, in the order of their names. No two files may have the same name, and a mote or
 * sensor stands in one of them. A fault names file, line and what is wrong, for example
 * "river.ttl:41: ir:grossFail of <…> wants a list of two numbers, low then high". All faults are
 * told, in the order of the files, as ir_fault_list_conclude says it (common/fault_list.h); one
 * that follows from another is not. `teller` may be NULL: then `error` has the first. A file is
 * bounded at 2 GiB. On success *registry has one reference. */
ir_status_t ir_registry_load(const char *paths, ir_registry_t **registry, const ir_teller_t *teller,
                             ir_error_t *error);

/* Atomic; take NULL. */
ir_registry_t *ir_registry_ref(ir_registry_t *registry);
void ir_registry_unref(ir_registry_t *registry);

/* Whether there is more than one reference. With one, which is the caller's, it stays so. */
bool ir_registry_shared(const ir_registry_t *registry);

/* NULL when unknown; without a registry (NULL) everything is. Any thread. */
const ir_sensor_t *ir_registry_sensor(const ir_registry_t *registry, ir_view_t name);
const ir_mote_t *ir_registry_mote(const ir_registry_t *registry, ir_view_t id);

typedef ir_status_t (*ir_registry_mote_fn)(void *context, const ir_mote_t *mote, ir_error_t *error);

/* Calls `each` for every mote, in no order that means anything, until it does not return IR_OK. */
ir_status_t ir_registry_each_mote(const ir_registry_t *registry, ir_registry_mote_fn each,
                                  void *context, ir_error_t *error);

size_t ir_registry_sensors(const ir_registry_t *registry);
size_t ir_registry_motes(const ir_registry_t *registry);

/* Calls `each` for every sensor, in the order of the files; ends early when it returns false. */
typedef bool (*ir_each_registered_fn)(void *context, const ir_sensor_t *sensor);
void ir_registry_each_sensor(const ir_registry_t *registry, ir_each_registered_fn each,
                             void *context);

/* The files it came from: how many, and the name of one, without folder and ".ttl". */
unsigned ir_registry_files(const ir_registry_t *registry);
const char *ir_registry_file_name(const ir_registry_t *registry, unsigned file);

/* One file's own statements (what it says, plus sosa:hosts/isHostedBy and sosa:observes closed) as
 * N-Triples, blank nodes made into stable IRIs, for its registry graph. Written to a malloc'd
 * buffer that the caller frees. */
ir_status_t ir_registry_ntriples(const ir_registry_t *registry, unsigned file, char **text,
                                 size_t *size, ir_error_t *error);

#endif
