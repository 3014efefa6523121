/* Problem details (RFC 9457). */
#ifndef IR_HTTP_PROBLEM_H
#define IR_HTTP_PROBLEM_H

#include "common/buffer.h"

#define IR_PROBLEM_TYPE "application/problem+json"

/* The reason phrase of a status code, such as "Bad Request". Never NULL. */
const char *ir_problem_phrase(int code);

/* Appends {"title":…,"status":…,"reason":…,"detail":…}. The texts are ASCII or UTF-8. */
void ir_problem_append(ir_buffer_t *out, int code, const char *reason, const char *detail);

/* Begins such an object: the caller appends further members and then the closing brace. */
void ir_problem_open(ir_buffer_t *out, int code, const char *reason, const char *detail);
void ir_problem_member(ir_buffer_t *out, const char *name, const char *text);

#endif
