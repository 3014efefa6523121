/* Identifies the mote of a request by the header Authorization: "Bearer TOKEN" (RFC 6750) or, for
 * clients that support nothing else, "Basic" (RFC 7617) with the mote's id as the user and its
 * token as the password. One thread. */
#ifndef IR_INGEST_CREDENTIALS_H
#define IR_INGEST_CREDENTIALS_H

#include "ingest/tokens.h"

/* The challenges that a 401 carries. */
#define IR_CHALLENGE_BEARER "Bearer realm=\"intelligent-river\""
#define IR_CHALLENGE_BASIC "Basic realm=\"intelligent-river\", charset=\"UTF-8\""

/* Returns NULL for unknown credentials. Any number of spaces may separate scheme and
 * credentials. */
ir_account_t *ir_credentials_find(const ir_tokens_t *tokens, const char *header);

#endif
