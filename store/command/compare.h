/* Compares the store of an earlier release with the store that was converted from it. */
#ifndef IR_STORE_COMMAND_COMPARE_H
#define IR_STORE_COMMAND_COMPARE_H

#include "store/command/command.h"
#include "store/command/tally.h"

/* Looks in stores->documents for a counterpart of every observation of `earlier`: one with the same
 * name, time in whole microseconds, and value as sent. An observation without a counterpart is
 * "merged" if the same record of the same message has a counterpart with another time (it was
 * stored more than once), otherwise "missing". Missing observations are written to stores->out, and
 * all observations are counted. `mote`: only this mote; NULL: all. Keeps the ids of one series at a
 * time in memory. */
ir_status_t ir_compare_earlier(ir_documents_t *earlier, const ir_stores_t *stores, const char *mote,
                               ir_tally_t *tally, ir_error_t *error);

#endif
