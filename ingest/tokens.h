/* Decides who may publish as which mote. A token is a secret that a mote sends with every request.
 * The file contains only its SHA-256, one per line: "MOTE sha256:HEX". Blank lines and lines that
 * begin with '#' are skipped. A mote may have several tokens (while one is being replaced); a token
 * belongs to one mote. One thread. */
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

/* A mote's account in the gateway; valid as long as its table. */
typedef struct ir_account {
    const char *mote;
    ir_bucket_t bucket;
    size_t decoding; /* number of its requests in the decoder (ingest/decoder.h) */
    uint64_t turn;   /* the turn of the last of these requests */
} ir_account_t;

typedef struct ir_tokens ir_tokens_t;

/* Reads the file. IR_ERR_NOT_FOUND, IR_ERR_IO, IR_ERR_MEMORY; IR_ERR_SYNTAX with FILE:LINE for a
 * malformed line, or for a token that two motes have. */
ir_status_t ir_tokens_load(const char *path, ir_tokens_t **tokens, ir_error_t *error);
void ir_tokens_free(ir_tokens_t *tokens);

/* The mote that this token belongs to, or NULL. The look-up uses the hash and ends with a
 * comparison in constant time, so its duration reveals nothing about any token. */
ir_account_t *ir_tokens_find(const ir_tokens_t *tokens, ir_view_t token);

/* The account of a mote, or NULL. */
ir_account_t *ir_tokens_account(const ir_tokens_t *tokens, const char *mote);

/* Takes over the accounts of the previous table, so that rate limits continue. */
void ir_tokens_inherit(ir_tokens_t *tokens, const ir_tokens_t *before);

size_t ir_tokens_count(const ir_tokens_t *tokens);
size_t ir_tokens_motes(const ir_tokens_t *tokens);

void ir_token_digest(ir_view_t token, ir_token_hash_t *hash);

typedef void (*ir_token_line_fn)(void *context, ir_view_t mote, const ir_token_hash_t *hash);

/* Calls `each` for every token of the file, in order. Errors as ir_tokens_load. */
ir_status_t ir_tokens_scan(const char *path, ir_token_line_fn each, void *context,
                           ir_error_t *error);

#endif
