/* Why an observation is suspect or fails, in words: "gross range suspect; spike fail". */
#ifndef IR_ANNOTATION_QUALITY_REASONS_H
#define IR_ANNOTATION_QUALITY_REASONS_H

#include "common/buffer.h"
#include "observation/batch.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether a flag says that something is wrong: suspect or fail. */
bool ir_flag_is_bad(uint8_t flag);

/* Appends each bad test in the order of the tests; "ahead of arrival suspect" when the aggregate is
 * suspect and no test is (quality.h); nothing when there is no reason. Characters are plain ASCII
 * without quotes and commas. */
void ir_reasons_append(ir_buffer_t *out, const ir_observation_t *observation);

#endif
