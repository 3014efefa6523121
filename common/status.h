/* What a call can say about itself.
 *
 * Libraries return, programs log: a function that can fail returns an ir_status_t and, where the
 * reader would want to know more, fills an ir_error_t with one line that says what, where and what
 * to do. On failure the function's outputs stay untouched. */
#ifndef IR_COMMON_STATUS_H
#define IR_COMMON_STATUS_H

#include <stdarg.h>

typedef enum ir_status {
    IR_OK = 0,
    IR_ERR_MEMORY,    /* an allocation failed */
    IR_ERR_USAGE,     /* an argument or setting is wrong (programs exit 2) */
    IR_ERR_SYNTAX,    /* input that does not parse */
    IR_ERR_RANGE,     /* a number or size outside its bounds */
    IR_ERR_NOT_FOUND, /* a file, key or object that is not there */
    IR_ERR_IO,        /* reading or writing failed (errno is in the text) */
    IR_ERR_FULL,      /* no space: disk, ring or bound */
    IR_ERR_TIMEOUT,   /* a bounded wait ended */
    IR_ERR_CONNECT,   /* a server cannot be reached, or the connection broke */
    IR_ERR_AUTH,      /* a server refused the credentials */
    IR_ERR_PROTOCOL,  /* a server answered something that does not belong here */
    IR_ERR_REFUSED,   /* a server refused this very input; asking again will not help */
    IR_ERR_VANISHED,  /* what was stored durably is not there any more */
    IR_ERR_STATE,     /* called in the wrong state (closed, stopping) */
    IR_STATUS_COUNT
} ir_status_t;

/* The status in words, for example "out of memory". Never NULL. */
const char *ir_status_text(ir_status_t status);

/* A status with one line of text. The line has no newline at its end. */
typedef struct ir_error {
    ir_status_t status;
    char text[480];
} ir_error_t;

/* Fills `error` (may be NULL) and returns `status`, so that callers can write
 * `return ir_error_set(error, IR_ERR_IO, "cannot open %s: %s", path, strerror(errno));`.
 * Control characters that came in by the arguments are replaced by '?'; a text that does not fit
 * is cut. */
ir_status_t ir_error_set(ir_error_t *error, ir_status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What becomes of a delivery, a document, a statement or a publication: of every stage, store and
 * publisher. common/proof.h decides when a refusal is believed. */
typedef enum ir_outcome {
    IR_OUTCOME_OK,      /* durably done */
    IR_OUTCOME_RETRY,   /* not done, the same call may succeed later: hold it and back off */
    IR_OUTCOME_REFUSED, /* this item was not taken and never will be: dead-letter it */
    IR_OUTCOME_COUNT
} ir_outcome_t;

/* "ok", "retry", "refused". */
const char *ir_outcome_text(ir_outcome_t outcome);

#endif
