/* Messages of a batch that are analysed once more: in another batch, or with other times. Errors as
 * in analysis.h. */
#ifndef IR_OBSERVATION_REANALYSIS_H
#define IR_OBSERVATION_REANALYSIS_H

#include "observation/analysis.h"

/* Adds message `message` of the batch `from`, in which it is set aside, as if the broker had
 * redelivered it. */
ir_status_t ir_batch_add_again(ir_batch_t *batch, const ir_analysis_t *analysis,
                               const ir_batch_t *from, uint32_t message);

/* Analyses every message again in `scratch`, with clocks[i] for message i, and swaps the contents.
 * Keeps nothing found after ir_batch_add, except which messages are set aside. IR_ERR_MEMORY leaves
 * the batch unchanged. */
ir_status_t ir_batch_rebuild(ir_batch_t *batch, ir_batch_t *scratch, const ir_analysis_t *analysis,
                             const ir_senml_clock_t *clocks);

#endif
