/* Roughly when a message is from, by its bytes alone. A store that keeps messages by (hint, id)
 * puts those of one time next to each other, where ids alone would scatter them: then the cost of
 * a message does not grow with what is stored. Nothing else depends on the hint being right; it
 * only has to be the same whenever the same bytes come. */
#ifndef IR_STORE_TIME_HINT_H
#define IR_STORE_TIME_HINT_H

#include "common/view.h"

#include <stdint.h>

/* Seconds since the epoch: the first absolute base time or time in a SenML pack, JSON or CBOR; 0
 * when none is found. Any bytes are allowed. */
int64_t ir_time_hint(ir_view_t body);

#endif
