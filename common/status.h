/* Status codes and errors.
 *
 * Libraries return errors; only programs log them. A function that can fail returns an ir_status_t.
 * Where more detail helps, it also fills an ir_error_t with one line: what failed, where, and what
 * to do. On failure the function's outputs stay untouched. */
#ifndef IR_COMMON_STATUS_H
#define IR_COMMON_STATUS_H

#include <stdarg.h>

typedef enum ir_status {
    IR_OK = 0,
    IR_ERR_MEMORY,    /* an allocation failed */
    IR_ERR_USAGE,     /* an argument or setting is wrong (programs exit 2) */
    IR_ERR_SYNTAX,    /* the input does not parse */
    IR_ERR_RANGE,     /* a number or size is outside its bounds */
    IR_ERR_NOT_FOUND, /* a file, key or object does not exist */
    IR_ERR_IO,        /* reading or writing failed (the text includes errno) */
    IR_ERR_FULL,      /* no space: disk, ring or bound */
    IR_ERR_TIMEOUT,   /* a wait reached its time limit */
    IR_ERR_CONNECT,   /* a server cannot be reached, or the connection broke */
    IR_ERR_AUTH,      /* a server refused the credentials */
    IR_ERR_PROTOCOL,  /* a server's answer violates the protocol */
    IR_ERR_REFUSED,   /* a server refused this input; a retry will not help */
    IR_ERR_VANISHED,  /* durably stored data no longer exists */
    IR_ERR_STATE,     /* called in the wrong state (closed, stopping) */
    IR_STATUS_COUNT
} ir_status_t;

/* The status in words, for example "out of memory". Never NULL. */
const char *ir_status_text(ir_status_t status);

/* A status with one line of text, without a newline. */
typedef struct ir_error {
    ir_status_t status;
    char text[480];
} ir_error_t;

/* Fills `error` (may be NULL) and returns `status`, so callers can write `return
 * ir_error_set(error, IR_ERR_IO, "cannot open %s: %s", path, strerror(errno));`. Control characters
 * from the arguments become '?'. A text that is too long is cut. */
ir_status_t ir_error_set(ir_error_t *error, ir_status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The result of handling a delivery, document, statement or publication, in every stage, store and
 * publisher. common/proof.h decides when a refusal is believed. */
typedef enum ir_outcome {
    IR_OUTCOME_OK,      /* durably done */
    IR_OUTCOME_RETRY,   /* not done, but may succeed later: keep it and back off */
    IR_OUTCOME_REFUSED, /* will never be accepted: dead-letter it */
    IR_OUTCOME_COUNT
} ir_outcome_t;

/* "ok", "retry", "refused". */
const char *ir_outcome_text(ir_outcome_t outcome);

#endif
