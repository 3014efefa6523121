/* The motes' tokens for HTTP: a file of lines "MOTE TOKEN"; empty lines and lines that begin with
 * '#' are passed over. Read-only once loaded, any thread. */
#ifndef IR_SEND_MOTE_TOKENS_H
#define IR_SEND_MOTE_TOKENS_H

#include "common/status.h"
#include "common/view.h"

#include <stddef.h>

typedef struct ir_mote_tokens ir_mote_tokens_t;

/* Refuses with "FILE:LINE: what is wrong", without the token, and a file that others may read
 * (common/secret_file.h). */
ir_status_t ir_mote_tokens_load(const char *path, ir_mote_tokens_t **tokens, ir_error_t *error);
void ir_mote_tokens_free(ir_mote_tokens_t *tokens);

size_t ir_mote_tokens_count(const ir_mote_tokens_t *tokens);

/* NUL-terminated; NULL when there is none for this mote. */
const char *ir_mote_tokens_find(const ir_mote_tokens_t *tokens, ir_view_t mote);

#endif
