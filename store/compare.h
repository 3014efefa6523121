/* Holds what an earlier release stored against what was made of it. */
#ifndef IR_STORE_COMPARE_H
#define IR_STORE_COMPARE_H

#include "store/command.h"
#include "store/tally.h"

/* Looks for the equal of every observation of `earlier` in stores->documents: name, time in whole
 * microseconds, and value as sent are the same. One without is "merged" when the same record of the
 * same message has an equal with another time (it was stored more than once), else "missing"; each
 * of these is written to stores->out, and all are counted. `mote`: only this one; NULL: all. Keeps
 * one series' ids in memory at a time. */
ir_status_t ir_compare_earlier(ir_documents_t *earlier, const ir_stores_t *stores, const char *mote,
                               ir_tally_t *tally, ir_error_t *error);

#endif
