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

/* Writes "MOTE TOKEN" to `out` for each named mote. A token is 256 random bits, 43 characters of
 * base64url. Then the hashes are merged into the file of tokens: these motes lose their old tokens,
 * the others keep theirs. The file is replaced atomically, and only its owner may read it. Without
 * motes it stays unchanged. IR_ERR_NOT_FOUND, IR_ERR_IO, IR_ERR_SYNTAX (with the line),
 * IR_ERR_MEMORY: the file has not changed, and the tokens in `out` are invalid. */
ir_status_t ir_issue_tokens(const ir_issue_request_t *request, FILE *out, ir_error_t *error);

#endif
