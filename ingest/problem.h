/* Answers in words: problem details (RFC 9457), and the ids of what was taken. */
#ifndef IR_INGEST_PROBLEM_H
#define IR_INGEST_PROBLEM_H

#include "common/buffer.h"
#include "ingest/submission.h"

#define IR_PROBLEM_TYPE "application/problem+json"

/* The phrase of a status code, "Bad Request". Never NULL. */
const char *ir_problem_phrase(int code);

/* {"title":…,"status":…,"reason":…,"detail":…}; the texts are ASCII or UTF-8. */
void ir_problem_append(ir_buffer_t *out, int code, const char *reason, const char *detail);

/* The same for a submission that was refused, with "refused", the number of its faults, and
 * "refusals", the first of them: [{"line":…,"record":…,"reason":…,"detail":…}]; without "line" when
 * the body is one pack, without "record" when the pack as a whole is wrong. */
void ir_problem_append_submission(ir_buffer_t *out, const ir_submission_t *submission);

#endif
