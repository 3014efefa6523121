/* The motes' tokens for HTTP, from a file with lines "MOTE TOKEN". Empty lines and lines that begin
 * with '#' are ignored. Read-only once loaded, any thread. */
#ifndef IR_SEND_MOTE_TOKENS_H
#define IR_SEND_MOTE_TOKENS_H

#include "common/status.h"
#include "common/view.h"

#include <stddef.h>

typedef struct ir_mote_tokens ir_mote_tokens_t;

/* Refuses malformed lines with "FILE:LINE: reason", without showing the token. Also refuses a file
 * that other users can read (common/secret_file.h). */
ir_status_t ir_mote_tokens_load(const char *path, ir_mote_tokens_t **tokens, ir_error_t *error);
void ir_mote_tokens_free(ir_mote_tokens_t *tokens);

size_t ir_mote_tokens_count(const ir_mote_tokens_t *tokens);

/* NUL-terminated; NULL if the mote has no token. */
const char *ir_mote_tokens_find(const ir_mote_tokens_t *tokens, ir_view_t mote);

#endif
