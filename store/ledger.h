/* The ledger records what a load generator sent, so that the stores can be compared with it.
 *
 * It is text with one entry per line (LF); one space separates the fields. The first line is
 * "# ir-ledger 2", the last "# end": a ledger without it is truncated. In between, in any order:
 *
 *   w MOTE                    a mote that sent; the ledger says nothing about other motes
 *   m RAW-ID                  a confirmed message whose times are absolute, followed by an
 *   o OBSERVATION-ID          for each of its records
 *   u RAW-ID                  a message without a confirm, which may or may not be stored, with a
 *   p OBSERVATION-ID          for each of its records
 *   r RAW-ID                  a message that must be refused completely (a deliberate fault)
 *   t CONTENT MOTE RECORDS SENT CONFIRMED [RAW-ID NAME]
 *                             a message whose times are relative to its arrival. The ids of its
 *                             observations follow from the arrival that the stores have
 *
 * CONTENT identifies mote and body (the id of kind IR_RAW_PLAIN). RECORDS is the number of records
 * that become observations; SENT and CONFIRMED say how often the message was sent and confirmed.
 * NAME, and RAW-ID which follows from it, are present if it was sent with a name. Messages with the
 * same mote and body have one line each. */
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

/* A message whose times are relative to its arrival. */
typedef struct ir_ledger_arrival {
    ir_id_t content;
    ir_view_t mote;
    uint32_t records, sent, confirmed;
    ir_view_t name; /* empty: none; no control characters */
    ir_id_t raw_id; /* its id if it has a name */
} ir_ledger_arrival_t;

/* Overwrites `path`. One thread at a time. After an error nothing more is written. */
ir_status_t ir_ledger_create(const char *path, ir_ledger_writer_t **writer, ir_error_t *error);
ir_status_t ir_ledger_write_mote(ir_ledger_writer_t *writer, ir_view_t mote, ir_error_t *error);
ir_status_t ir_ledger_write(ir_ledger_writer_t *writer, char kind, const ir_id_t *raw_id,
                            const ir_id_t *observations, size_t n_observations, ir_error_t *error);
ir_status_t ir_ledger_write_arrival(ir_ledger_writer_t *writer, const ir_ledger_arrival_t *arrival,
                                    ir_error_t *error);
/* Ends the ledger, flushes and closes it; reports earlier errors, such as a full disk. NULL is
 * allowed. */
ir_status_t ir_ledger_close(ir_ledger_writer_t *writer, ir_error_t *error);

/* ---- reading ---- */

typedef enum ir_ledger_kind { IR_LEDGER_RAW, IR_LEDGER_OBSERVATION } ir_ledger_kind_t;

typedef struct ir_ledger ir_ledger_t;

/* How complete a ledger is. */
typedef struct ir_ledger_extent {
    uint64_t lines;  /* lines read, including the first */
    bool cut_off;    /* the end is missing … */
    bool incomplete; /* … in the middle of a line */
} ir_ledger_extent_t;

ir_ledger_t *ir_ledger_new(void); /* empty; NULL when memory is exhausted */
void ir_ledger_free(ir_ledger_t *ledger);

/* Adds a file's content; call it before the first comparison. Memory: 17 bytes per id, 40 per
 * message with relative times. An id counts once, and must be stored if any ledger says so; items
 * of a `known` ledger may be stored, but need not. Of a truncated ledger the complete lines are
 * used; then an id that is not in it is not certainly foreign. IR_ERR_SYNTAX names file and line.
 */
ir_status_t ir_ledger_add(ir_ledger_t *ledger, const char *path, bool known,
                          ir_ledger_extent_t *extent, ir_error_t *error);

/* ---- comparing ---- */

/* Whether there are messages whose times are relative to their arrival. */
bool ir_ledger_has_arrivals(const ir_ledger_t *ledger);

/* Starts a comparison of `kind`. Then call ir_ledger_see (or ir_ledger_see_arrival) once for every
 * id in a store, then get the result. */
typedef struct ir_ledger_result {
    uint64_t expected; /* distinct ids that must be stored */
    uint64_t present;  /* distinct ids of the ledger that were seen */
    uint64_t missing;  /* ids that must be stored but were not seen */
    uint64_t doubled;  /* how many sightings repeat an id, or exceed how often a message was sent */
    uint64_t foreign;  /* sightings of ids that the ledger does not have */
    uint64_t others;   /* those of them whose mote the ledger does not have either */
    uint64_t again;    /* extra copies of messages that were sent again without a name */
} ir_ledger_result_t;
void ir_ledger_begin(ir_ledger_t *ledger, ir_ledger_kind_t kind);

/* `mote`: the sender. Empty if the store does not know it; an observation then belongs to the mote
 * under which it was seen before in the documents. An id that is not in the ledger is foreign,
 * unless its mote is known and not in the ledger. A ledger without motes (of an earlier release)
 * covers all motes. Returns false when memory is exhausted. */
bool ir_ledger_see(ir_ledger_t *ledger, const ir_id_t *id, ir_view_t mote);
void ir_ledger_end(ir_ledger_t *ledger, ir_ledger_result_t *result);

/* Whether the ledger knows the id of this message; then report it by its id. */
bool ir_ledger_knows_raw(const ir_ledger_t *ledger, const ir_id_t *raw_id);

/* Reports a raw message with relative times, and the ids of its observations. `key` is its id if it
 * has a name, otherwise that of its content. Returns false, and records nothing, when the ledger
 * has no such message. IR_ERR_MEMORY in `status`. */
bool ir_ledger_has_arrival(const ir_ledger_t *ledger, const ir_id_t *key);
ir_status_t ir_ledger_see_arrival(ir_ledger_t *ledger, const ir_id_t *key,
                                  const ir_id_t *observations, size_t n_observations);

#endif
