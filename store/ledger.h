/* The ledger: what a load generator says it sent, so that the stores can be held against it.
 *
 * Text, one line each, LF: "# ir-ledger 1", then for every message whose confirm arrived
 * "m RAW-ID" followed by one "o OBSERVATION-ID" a record. A message sent but not confirmed is
 * "u RAW-ID" with its records as "p OBSERVATION-ID": these may or may not have arrived.
 * A message meant to be refused (a fault on purpose) is "r RAW-ID" without records. */
#ifndef IR_STORE_LEDGER_H
#define IR_STORE_LEDGER_H

#include "common/status.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_ledger_writer ir_ledger_writer_t;

/* Overwrites `path`. One thread at a time. */
ir_status_t ir_ledger_create(const char *path, ir_ledger_writer_t **writer, ir_error_t *error);
ir_status_t ir_ledger_write(ir_ledger_writer_t *writer, char kind, const ir_id_t *raw_id,
                            const ir_id_t *observations, size_t n_observations, ir_error_t *error);
/* Flushes and closes; reports what a full disk did. Takes NULL. */
ir_status_t ir_ledger_close(ir_ledger_writer_t *writer, ir_error_t *error);

typedef enum ir_ledger_kind { IR_LEDGER_RAW, IR_LEDGER_OBSERVATION } ir_ledger_kind_t;

typedef struct ir_ledger ir_ledger_t;

/* Reads a ledger into memory: 17 bytes an id. `error` names file and line. */
ir_status_t ir_ledger_load(const char *path, ir_ledger_t **ledger, ir_error_t *error);
void ir_ledger_free(ir_ledger_t *ledger);

/* Adds what another ledger says, before the first comparison: an id counts once, and must be there
 * when any of them says so. */
ir_status_t ir_ledger_add(ir_ledger_t *ledger, const char *path, ir_error_t *error);

/* Distinct ids that must be there. */
uint64_t ir_ledger_count(const ir_ledger_t *ledger, ir_ledger_kind_t kind);

/* Starts a comparison of `kind`; then one ir_ledger_see for every id a store has; then the result.
 */
typedef struct ir_ledger_result {
    uint64_t present; /* distinct ids of the ledger that were seen */
    uint64_t missing; /* ids that must be there and were not seen */
    uint64_t doubled; /* sightings of an id beyond its first */
    uint64_t foreign; /* sightings of ids that the ledger does not have */
} ir_ledger_result_t;
void ir_ledger_begin(ir_ledger_t *ledger, ir_ledger_kind_t kind);
void ir_ledger_see(ir_ledger_t *ledger, const ir_id_t *id);
void ir_ledger_end(ir_ledger_t *ledger, ir_ledger_result_t *result);

#endif
