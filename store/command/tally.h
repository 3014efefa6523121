/* Counts the results of a reprocessing, per mote. One thread. */
#ifndef IR_STORE_COMMAND_TALLY_H
#define IR_STORE_COMMAND_TALLY_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum ir_tally_column {
    IR_TALLY_MESSAGES,
    IR_TALLY_REFUSED,      /* messages with refusals */
    IR_TALLY_OBSERVATIONS, /* accepted */
    IR_TALLY_NEW,          /* how many of them were not stored before */
    IR_TALLY_REVISIONS,    /* written because a flag changed */
    /* for a store of an earlier release */
    IR_TALLY_EARLIER, /* observations in it */
    IR_TALLY_EQUAL,   /* number of these with a counterpart in the new store */
    IR_TALLY_MERGED,  /* number of these that were repeats of a record and are now merged */
    IR_TALLY_MISSING, /* number of these without a counterpart */
    IR_TALLY_COLUMNS
} ir_tally_column_t;

typedef struct ir_tally ir_tally_t;

ir_tally_t *ir_tally_new(void); /* NULL when memory is exhausted */
void ir_tally_free(ir_tally_t *tally);

/* Returns false when memory is exhausted. */
bool ir_tally_add(ir_tally_t *tally, ir_view_t mote, ir_tally_column_t column, uint64_t count);

uint64_t ir_tally_total(const ir_tally_t *tally, ir_tally_column_t column);

/* Shows one line per mote, by name, and one for all, with or without the columns of an earlier
 * store. As a table, or as one JSON object on one line. */
void ir_tally_show(ir_tally_t *tally, bool earlier, FILE *out);
void ir_tally_show_json(ir_tally_t *tally, bool earlier, FILE *out);

#endif
