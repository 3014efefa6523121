/* The gateway's state, shared by its files: gateway.c (start, loop and end), intake.c (requests),
 * reading.c (their bodies) and waiting.c (requests that wait for the broker). Loop thread only. */
#ifndef IR_INGEST_STATE_H
#define IR_INGEST_STATE_H

#include "common/buffer.h"
#include "common/reload.h"
#include "http/connections.h"
#include "http/endpoint.h"
#include "ingest/decoder.h"
#include "ingest/meters.h"
#include "ingest/options.h"
#include "ingest/outlet.h"
#include "ingest/proxies.h"
#include "ingest/submission.h"
#include "ingest/tokens.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct event_base;

/* The phases of the gateway. */
typedef enum ir_gateway_phase {
    IR_GATEWAY_RUNNING,
    IR_GATEWAY_DRAINING, /* no longer ready, but still accepts requests */
    IR_GATEWAY_CLOSING   /* no new connections; finishes accepted requests */
} ir_gateway_phase_t;

/* A request that waits for the broker's confirms. */
typedef struct ir_waiting {
    TAILQ_ENTRY(ir_waiting) place;
    ir_request_t *request;
    ir_shipment_t *shipment;
    size_t observations;
} ir_waiting_t;

TAILQ_HEAD(ir_waiting_list, ir_waiting);

typedef struct ir_gateway {
    const ir_ingest_options_t *options;
    ir_proxies_t proxies;
    ir_bucket_limits_t bucket_limits;
    ir_ingest_meters_t meters;
    ir_tokens_t *tokens;
    ir_reload_t *reload;
    ir_registry_t *registry; /* NULL: none */
    ir_reload_t *registry_reload;
    ir_submission_reader_t *reader;
    ir_submission_t submission; /* content of the request that the loop is decoding */
    ir_decoder_t *decoder;      /* reads the others */
    int64_t last_arrival_ns;    /* arrival of the last pack */

    struct event_base *base;
    struct event *on_sent, *on_read, *on_settled, *on_tick, *on_hup, *on_term, *on_int;
    ir_endpoint_t *endpoint;
    ir_connections_t *connections;
    ir_outlet_t *outlet;
    struct ir_waiting_list waiting; /* longest first */
    size_t n_waiting;
    size_t shipped, shipped_bytes; /* shipments in the outlet, even those for which no request
                                    * waits */

    ir_gateway_phase_t phase;
    int64_t phase_ns;
    int64_t logged_ns;
} ir_gateway_t;

/* intake.c: handles a complete request; `context` is the gateway. */
void ir_intake_request(ir_request_t *request, void *context);

/* Answers with the body (NULL type: no body), and counts the answer. */
void ir_intake_answer(ir_gateway_t *gateway, ir_request_t *request, int code, const char *type,
                      const ir_buffer_t *body);

/* Answers with problem details; `wait_ns` above 0 becomes Retry-After. */
void ir_intake_refuse(ir_gateway_t *gateway, ir_request_t *request, int code, const char *reason,
                      const char *detail, int64_t wait_ns);

/* Answers with the faults of the body, and counts them. */
void ir_intake_refuse_submission(ir_gateway_t *gateway, ir_request_t *request,
                                 const ir_submission_t *submission, const char *mote);

/* ... with 429 when the mote has to wait. */
bool ir_intake_may_send(ir_gateway_t *gateway, ir_request_t *request, ir_account_t *account);

/* reading.c: decodes the body, in the loop or in the thread, and then answers or sends its
 * messages. `input` lacks body and arrival. */
void ir_reading_begin(ir_gateway_t *gateway, ir_request_t *request, ir_account_t *account,
                      ir_submission_input_t *input);

/* Continues with requests that the thread has decoded, and passes it the next one. */
void ir_reading_go_on(ir_gateway_t *gateway);

/* Answers requests whose bodies were not decoded in time. */
void ir_reading_expire(ir_gateway_t *gateway, int64_t now_ns);

/* Whether a request with this many bytes may be accepted: all requests in progress together are
 * limited. */
bool ir_waiting_has_room(const ir_gateway_t *gateway, size_t bytes);

/* waiting.c: takes ownership of the messages and sends them; answers 503 when that is impossible.
 * The request was complete at `since_ns`. */
void ir_waiting_begin(ir_gateway_t *gateway, ir_request_t *request, ir_shipment_t *shipment,
                      size_t observations, int64_t since_ns);

/* Answers the requests whose messages are settled. */
void ir_waiting_settle(ir_gateway_t *gateway);

/* Answers the requests that have waited too long. */
void ir_waiting_expire(ir_gateway_t *gateway, int64_t now_ns);

/* Removes the waiting requests, after ir_connections_free has freed them. */
void ir_waiting_forget(ir_gateway_t *gateway);

#endif
