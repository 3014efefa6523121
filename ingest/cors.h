/* Decides which web pages may send: Cross-Origin Resource Sharing (Fetch standard, section 3.2). A
 * browser asks with OPTIONS before it posts. It shows the page an answer only if the answer names
 * the page's origin. Pure functions. */
#ifndef IR_INGEST_CORS_H
#define IR_INGEST_CORS_H

#include "common/status.h"

#include <stdbool.h>

/* The methods and headers that a page may use, and the headers that it may read. */
#define IR_CORS_METHODS "POST"
#define IR_CORS_HEADERS "Authorization, Content-Type, Content-Encoding, Idempotency-Key"
#define IR_CORS_EXPOSED "Retry-After"
#define IR_CORS_SECONDS "600" /* seconds for which a browser need not ask again */

/* `list`: origins like "https://river.example:8443", separated by commas, or "*" for all.
 * IR_ERR_USAGE names an invalid one. */
ir_status_t ir_cors_check(const char *list, ir_error_t *error);

/* Whether a page of this origin may send; `origin` NULL: no page does. */
bool ir_cors_allows(const char *list, const char *origin);

#endif
