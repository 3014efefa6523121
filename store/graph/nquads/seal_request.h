/* Asks the writers of an N-Quads directory to seal their segments, since an open one cannot be
 * rewritten: the file `seals` there grows by a byte for each request. Every writer checks the size
 * of that file before it writes and, while idle, each second. One thread. */
#ifndef IR_STORE_GRAPH_NQUADS_SEAL_REQUEST_H
#define IR_STORE_GRAPH_NQUADS_SEAL_REQUEST_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_SEAL_REQUESTS "seals"

typedef struct ir_seal_request {
    int fd;
    int64_t seen; /* requests that were met */
} ir_seal_request_t;

/* Whether somebody has asked since the last ir_seal_met. */
bool ir_seal_asked(const ir_seal_request_t *request);
void ir_seal_met(ir_seal_request_t *request);

ir_status_t ir_seal_ask(const ir_seal_request_t *request, ir_error_t *error);

#endif
