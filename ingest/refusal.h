/* The faults of a submission, as listed in the answer. */
#ifndef IR_INGEST_REFUSAL_H
#define IR_INGEST_REFUSAL_H

#include "common/buffer.h"
#include "ingest/submission.h"

/* The members `,"refused":N,"refusals":[…]` of a JSON object: the number of faults, and the first
 * of them: {"line":…,"record":…,"reason":…,"detail":…}; without "line" when the body is one pack,
 * without "record" when the pack as a whole is wrong. Nothing when there are none. */
void ir_refusal_append_list(ir_buffer_t *out, const ir_submission_t *submission);

/* The answer to a refused request, as problem details (RFC 9457), with these members. */
void ir_refusal_append(ir_buffer_t *out, const ir_submission_t *submission);

#endif
