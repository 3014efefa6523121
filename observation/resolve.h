/* Resolves a decoded record: finds its mote and sensor, and converts the value to the sensor's
 * unit. The worker (batch.h) and the gateway (ingest/submission.h) use the same rules. One thread.
 */
#ifndef IR_OBSERVATION_RESOLVE_H
#define IR_OBSERVATION_RESOLVE_H

#include "common/arena.h"
#include "common/view.h"
#include "observation/reason.h"
#include "observation/registry/registry.h"
#include "observation/senml/senml.h"

#include <stdbool.h>

/* The context of one message. */
typedef struct ir_resolution {
    const ir_registry_t *registry; /* NULL: nothing is registered */
    const char *strangers_iri; /* base of generic terms for unregistered motes and sensors; ends in
                                * '/' or '#'; NULL: these are refused */
    ir_arena_t *arena;         /* holds the generic terms, to which `sensor` then points */
    ir_view_t mote_id;         /* id of the sending mote; must outlive the resolution */
    const ir_mote_t *mote;     /* NULL: no record belongs to a known mote, so each sensor is another
                                * mote's or unknown */
    bool out_of_memory;
} ir_resolution_t;

typedef struct ir_resolved {
    const ir_sensor_t *sensor;
    ir_value_t value; /* a number is in sensor->unit; bytes point into the record; NONE: the sent
                         value means "no measurement" */
} ir_resolved_t;

/* Finds `mote` by `mote_id`. False: `refusal` has the reason, or out of memory. */
bool ir_resolve_mote(ir_resolution_t *resolution, ir_refusal_t *refusal);

/* False: `refusal` has the reason, or out of memory. */
bool ir_resolve_record(ir_resolution_t *resolution, const ir_senml_record_t *record,
                       ir_resolved_t *resolved, ir_refusal_t *refusal);

#endif
