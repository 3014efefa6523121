/* The answer to a submission that was refused, as problem details (RFC 9457). */
#ifndef IR_INGEST_REFUSAL_H
#define IR_INGEST_REFUSAL_H

#include "common/buffer.h"
#include "ingest/submission.h"

/* With "refused", the number of its faults, and "refusals", the first of them:
 * [{"line":…,"record":…,"reason":…,"detail":…}]; without "line" when the body is one pack, without
 * "record" when the pack as a whole is wrong. */
void ir_refusal_append(ir_buffer_t *out, const ir_submission_t *submission);

#endif
