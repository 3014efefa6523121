/* The ledger: what a load generator says it sent, so that the stores can be held against it.
 *
 * Text, one line each, LF, fields parted by one space. The first is "# ir-ledger 2", the last
 * "# end": a ledger without it was cut off. Between them stand, in any order:
 *
 *   m RAW-ID                  a confirmed message whose times are absolute, followed by an
 *   o OBSERVATION-ID          for each of its records
 *   u RAW-ID                  one without a confirm, which may or may not have arrived, with a
 *   p OBSERVATION-ID          for each of its records
 *   r RAW-ID                  a message meant to be refused whole (a fault on purpose)
 *   t CONTENT MOTE RECORDS SENT CONFIRMED [RAW-ID NAME]
 *                             a message whose times count from its arrival, so that the ids of its
 *                             observations follow from what the stores say of that
 *
 * CONTENT stands for mote and body (the id of kind IR_RAW_PLAIN), RECORDS for those that become
 * observations, SENT and CONFIRMED for how often; a name and the raw id that follows from it are
 * there if it was sent with one. Messages with the same mote and body have a line each. */
#ifndef IR_STORE_LEDGER_H
#define IR_STORE_LEDGER_H

#include "common/status.h"
#include "common/view.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- writing ---- */

typedef struct ir_ledger_writer ir_ledger_writer_t;

/* A message whose times count from its arrival. */
typedef struct ir_ledger_arrival {
    ir_id_t content;
    ir_view_t mote;
    uint32_t records, sent, confirmed;
    ir_view_t name; /* empty: none; no control characters */
    ir_id_t raw_id; /* when it has a name */
} ir_ledger_arrival_t;

/* Overwrites `path`. One thread at a time. After an error nothing more is written. */
ir_status_t ir_ledger_create(const char *path, ir_ledger_writer_t **writer, ir_error_t *error);
ir_status_t ir_ledger_write(ir_ledger_writer_t *writer, char kind, const ir_id_t *raw_id,
                            const ir_id_t *observations, size_t n_observations, ir_error_t *error);
ir_status_t ir_ledger_write_arrival(ir_ledger_writer_t *writer, const ir_ledger_arrival_t *arrival,
                                    ir_error_t *error);
/* Ends the ledger, flushes and closes; reports what a full disk did. Takes NULL. */
ir_status_t ir_ledger_close(ir_ledger_writer_t *writer, ir_error_t *error);

/* ---- reading ---- */

typedef enum ir_ledger_kind { IR_LEDGER_RAW, IR_LEDGER_OBSERVATION } ir_ledger_kind_t;

typedef struct ir_ledger ir_ledger_t;

/* How far a ledger goes. */
typedef struct ir_ledger_extent {
    uint64_t lines;  /* that were taken, the first one included */
    bool cut_off;    /* the end is missing … */
    bool incomplete; /* … in the middle of a line */
} ir_ledger_extent_t;

ir_ledger_t *ir_ledger_new(void); /* empty; NULL when memory is out */
void ir_ledger_free(ir_ledger_t *ledger);

/* Adds what a file says, before the first comparison, in memory: 17 bytes an id, 40 a message whose
 * times count from its arrival. An id counts once, and must be there when any ledger says so. Of a
 * ledger that was cut off the whole lines are taken, and nothing that is not in it is foreign for
 * certain. IR_ERR_SYNTAX names file and line. */
ir_status_t ir_ledger_add(ir_ledger_t *ledger, const char *path, ir_ledger_extent_t *extent,
                          ir_error_t *error);

/* ---- comparing ---- */

/* Whether there are messages whose times count from their arrival. */
bool ir_ledger_has_arrivals(const ir_ledger_t *ledger);

/* Starts a comparison of `kind`; then one ir_ledger_see (or ir_ledger_see_arrival) for every id a
 * store has; then the result. */
typedef struct ir_ledger_result {
    uint64_t expected; /* distinct ids that must be there */
    uint64_t present;  /* distinct ids of the ledger that were seen */
    uint64_t missing;  /* ids that must be there and were not seen */
    uint64_t
        doubled; /* sightings of an id beyond its first, and of messages beyond their sendings */
    uint64_t foreign; /* sightings of ids that the ledger does not have */
    uint64_t again;   /* messages beyond the first of one that was sent again without a name */
} ir_ledger_result_t;
void ir_ledger_begin(ir_ledger_t *ledger, ir_ledger_kind_t kind);
void ir_ledger_see(ir_ledger_t *ledger, const ir_id_t *id);
void ir_ledger_end(ir_ledger_t *ledger, ir_ledger_result_t *result);

/* Whether the ledger says which ids this message has: then it is to be seen by its id. */
bool ir_ledger_knows_raw(const ir_ledger_t *ledger, const ir_id_t *raw_id);

/* Sees a raw message whose times count from its arrival, with the ids of the observations that must
 * come of it. `key` is its id if it has a name, else that of its content. False: the ledger has no
 * such message; then nothing was noted. IR_ERR_MEMORY in `status`. */
bool ir_ledger_has_arrival(const ir_ledger_t *ledger, const ir_id_t *key);
ir_status_t ir_ledger_see_arrival(ir_ledger_t *ledger, const ir_id_t *key,
                                  const ir_id_t *observations, size_t n_observations);

#endif
