/* Who may publish as which mote. A token is a secret that a mote sends with every request; the file
 * holds only its SHA-256, one a line, "MOTE sha256:HEX"; blank lines and lines that begin with '#'
 * are passed over. A mote may have several tokens (while one is being changed), a token has one
 * mote. One thread. */
#ifndef IR_INGEST_TOKENS_H
#define IR_INGEST_TOKENS_H

#include "common/status.h"
#include "common/view.h"
#include "ingest/bucket.h"

#include <stddef.h>
#include <stdint.h>

#define IR_TOKEN_HASH_SIZE 32

typedef struct ir_token_hash {
    uint8_t bytes[IR_TOKEN_HASH_SIZE];
} ir_token_hash_t;

/* A mote as the gateway knows it; lives as long as its table. */
typedef struct ir_account {
    const char *mote;
    ir_bucket_t bucket;
    size_t decoding; /* its requests that are read beside the loop, and the last one's turn */
    uint64_t turn;   /* (ingest/decoder.h) */
} ir_account_t;

typedef struct ir_tokens ir_tokens_t;

/* Reads the file. IR_ERR_NOT_FOUND, IR_ERR_IO, IR_ERR_MEMORY; IR_ERR_SYNTAX with FILE:LINE for a
 * line that is neither of the above, or a token that two motes have. */
ir_status_t ir_tokens_load(const char *path, ir_tokens_t **tokens, ir_error_t *error);
void ir_tokens_free(ir_tokens_t *tokens);

/* Whose token this is, or NULL. What is looked up is the hash, and the last step compares it in
 * constant time: the time taken tells nothing about any token. */
ir_account_t *ir_tokens_find(const ir_tokens_t *tokens, ir_view_t token);

/* The account of a mote, or NULL. */
ir_account_t *ir_tokens_account(const ir_tokens_t *tokens, const char *mote);

/* What the motes have sent so far goes on counting: takes over the accounts of the table before. */
void ir_tokens_inherit(ir_tokens_t *tokens, const ir_tokens_t *before);

size_t ir_tokens_count(const ir_tokens_t *tokens);
size_t ir_tokens_motes(const ir_tokens_t *tokens);

void ir_token_digest(ir_view_t token, ir_token_hash_t *hash);

typedef void (*ir_token_line_fn)(void *context, ir_view_t mote, const ir_token_hash_t *hash);

/* Calls `each` for every token of the file, in order. Errors as ir_tokens_load. */
ir_status_t ir_tokens_scan(const char *path, ir_token_line_fn each, void *context,
                           ir_error_t *error);

#endif
