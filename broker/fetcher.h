/* Fetches the messages of a queue one by one (basic.get). The broker keeps a message until it is
 * acknowledged. A message that is not acknowledged returns to its place when the connection ends;
 * it cannot be fetched again before. Blocking calls; one thread. */
#ifndef IR_BROKER_FETCHER_H
#define IR_BROKER_FETCHER_H

#include "broker/assembled.h"
#include "broker/connection.h"
#include "broker/headers.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_fetcher ir_fetcher_t;

/* Connects. `queue` is not copied. */
ir_status_t ir_fetcher_open(const ir_broker_options_t *options, const char *queue,
                            ir_fetcher_t **fetcher, ir_error_t *error);

/* Gets the next message; *got is false when there is none. Message and headers (NULL: none) are
 * valid until the next call. */
ir_status_t ir_fetcher_next(ir_fetcher_t *fetcher, ir_assembled_t *message,
                            const ir_headers_t **headers, bool *got, ir_error_t *error);

/* Removes a fetched message from the queue. */
ir_status_t ir_fetcher_acknowledge(ir_fetcher_t *fetcher, uint64_t tag, ir_error_t *error);

/* NULL is allowed. */
void ir_fetcher_close(ir_fetcher_t *fetcher);

#endif
