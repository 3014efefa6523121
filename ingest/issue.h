/* ir-ingest --issue-tokens: makes tokens for motes. */
#ifndef IR_INGEST_ISSUE_H
#define IR_INGEST_ISSUE_H

#include "common/status.h"

#include <stdio.h>

/* Reads mote ids from `names` ("-": standard input), one a line, and writes "MOTE TOKEN" for each
 * to `out`; a token is 256 random bits, 43 characters of base64url. With `tokens`, the hashes are
 * merged into that file first: a mote that is named loses the tokens it had, the others keep
 * theirs. The file is replaced as a whole, readable for its owner only. IR_ERR_NOT_FOUND,
 * IR_ERR_IO, IR_ERR_SYNTAX (with the line), IR_ERR_MEMORY; then nothing has changed. */
ir_status_t ir_issue_tokens(const char *names, const char *tokens, FILE *out, ir_error_t *error);

#endif
