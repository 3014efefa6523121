/* The commands of ir-store. For the program only: these functions write to `out`. */
#ifndef IR_STORE_COMMAND_COMMAND_H
#define IR_STORE_COMMAND_COMMAND_H

#include "store/command/options.h"

#include <stdio.h>

/* Both stores, open. */
typedef struct ir_stores {
    const ir_store_options_t *options;
    ir_documents_t *documents;
    ir_graph_t *graph;
    FILE *out;
    char writer[32]; /* name for N-Quads segments: other writers may be active */
} ir_stores_t;

/* Initiates the replica set that the document store's URI names, unless it already is. */
ir_status_t ir_store_initiate(const ir_stores_t *stores, ir_error_t *error);

/* Calls ir_store_initiate, then prepares both stores for writing: tables, indexes, the registry's
 * graph. With options->again, IR_ERR_NOT_FOUND for a store that is not set up, and nothing is
 * done. */
ir_status_t ir_store_init(const ir_stores_t *stores, ir_error_t *error);

/* Shows what the stores hold. Returns false when one of them cannot be queried; the reason is
 * shown, and the other one is still queried. */
bool ir_store_status(const ir_stores_t *stores);

/* The result of a comparison with ledgers. */
typedef enum ir_verify_outcome {
    IR_VERIFY_GOOD,    /* nothing is missing, duplicated or foreign */
    IR_VERIFY_CUT_OFF, /* a ledger is truncated; as far as it shows, nothing is missing or
                        * duplicated */
    IR_VERIFY_WRONG
} ir_verify_outcome_t;

/* Compares the ledgers (options->ledger, and n more paths) with both stores and shows the
 * result. */
ir_status_t ir_store_verify(const ir_stores_t *stores, char *const *more, int n_more,
                            ir_verify_outcome_t *outcome, ir_error_t *error);

/* Writes observations in a format, or all statements as N-Quads (export.c). */
ir_status_t ir_store_export(const ir_stores_t *stores, ir_error_t *error);

/* Shows the newest observation of every series, of one mote or of all (last.c). */
ir_status_t ir_store_last(const ir_stores_t *stores, ir_error_t *error);

/* Lists, shows, replays or drops refused messages (rejected.c). `words` are the arguments after the
 * command. */
ir_status_t ir_store_rejected(const ir_stores_t *stores, char *const *words, int n_words,
                              ir_error_t *error);

/* Shows the amount of data that the selected motes (options->mote, a pattern; empty: all) sent in
 * the options' time range. With options->yes, it removes them from both stores. Can also remove
 * only parts of the graph (purge.c). */
ir_status_t ir_store_purge(const ir_stores_t *stores, ir_error_t *error);

/* Saves both stores, and the files of options->with, into a new folder in the only argument
 * (backup.c), and brings them back from there (restore.c). */
ir_status_t ir_store_backup(const ir_stores_t *stores, char *const *words, int n_words,
                            ir_error_t *error);
ir_status_t ir_store_restore(const ir_stores_t *stores, char *const *words, int n_words,
                             ir_error_t *error);

/* Makes the graph's files smaller (compact.c). */
ir_status_t ir_store_compact(const ir_stores_t *stores, ir_error_t *error);

/* Analyses stored raw messages again (reprocess.c). */
ir_status_t ir_store_reprocess(const ir_stores_t *stores, ir_error_t *error);

#endif
