/* ir-ingest --issue-tokens: makes tokens for motes. */
#ifndef IR_INGEST_ISSUE_H
#define IR_INGEST_ISSUE_H

#include "common/status.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct ir_issue_request {
    const char *names; /* a list of mote ids, one a line ("-": standard input), or a registry, *.ttl
                          or a folder of them */
    const char *tokens; /* the file of hashes; NULL: none */
    bool missing;       /* only for motes that have no token in that file */
} ir_issue_request_t;

/* Writes "MOTE TOKEN" for each mote that is named to `out`; a token is 256 random bits, 43
 * characters of base64url. Then the hashes are merged into the file of tokens: these motes lose the
 * tokens they had, the others keep theirs. The file is replaced as a whole, readable for its owner
 * only; without a mote to issue for it stays as it is. IR_ERR_NOT_FOUND, IR_ERR_IO, IR_ERR_SYNTAX
 * (with the line), IR_ERR_MEMORY; then the file has not changed, and what `out` got is worth
 * nothing. */
ir_status_t ir_issue_tokens(const ir_issue_request_t *request, FILE *out, ir_error_t *error);

#endif
