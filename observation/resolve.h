/* From a decoded record to what it measured: the mote that sent it, the sensor, and the value in
 * the sensor's unit. One set of rules for who stores (batch.h) and for who takes in
 * (ingest/submission.h). One thread. */
#ifndef IR_OBSERVATION_RESOLVE_H
#define IR_OBSERVATION_RESOLVE_H

#include "common/arena.h"
#include "common/view.h"
#include "observation/reason.h"
#include "observation/registry/registry.h"
#include "observation/senml/senml.h"

#include <stdbool.h>

/* Of one message. */
typedef struct ir_resolution {
    const ir_registry_t *registry; /* NULL: nothing is registered */
    const char *strangers_iri;     /* ends in '/' or '#': what is not registered gets generic terms
                                      below it; NULL: it is refused */
    ir_arena_t *arena;             /* for these terms, which are what `sensor` points to then */
    ir_view_t mote_id;             /* of who sent it; outlives the resolution */
    const ir_mote_t *mote;         /* NULL: every record is of a foreign or unknown sensor */
    bool out_of_memory;
} ir_resolution_t;

typedef struct ir_resolved {
    const ir_sensor_t *sensor;
    ir_value_t value; /* a number is in sensor->unit; bytes are those of the record; NONE: what was
                         sent means that there is no measurement */
} ir_resolved_t;

/* Finds `mote` by `mote_id`. False: `refusal` says why, or memory is out. */
bool ir_resolve_mote(ir_resolution_t *resolution, ir_refusal_t *refusal);

/* False: `refusal` says why, or memory is out. */
bool ir_resolve_record(ir_resolution_t *resolution, const ir_senml_record_t *record,
                       ir_resolved_t *resolved, ir_refusal_t *refusal);

#endif
