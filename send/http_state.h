/* The state of a sender over HTTP, shared by http.c (requests) and http_answers.c (what the server
 * answers). */
#ifndef IR_SEND_HTTP_STATE_H
#define IR_SEND_HTTP_STATE_H

#include "common/backoff.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "send/mote_queue.h"
#include "send/sender.h"

#include <curl/curl.h>

#define IR_HTTP_HOLD_NS (500 * IR_MILLISECOND_NS) /* delay if the server gives none */
#define IR_HTTP_LONGEST_HOLD_NS (3600 * IR_SECOND_NS)

typedef struct ir_http_item {
    ir_parcel_t parcel;
    char name[IR_SENDER_NAME_SIZE];
    bool alone; /* must be sent in its own request */
} ir_http_item_t;

/* A request in progress: the first `count` items of a queue. */
typedef struct ir_exchange {
    CURL *easy;
    const ir_answers_t *answers; /* the sender's */
    uint32_t first, count;       /* count 0: idle */
    unsigned requests;           /* how often it was sent */
    ir_buffer_t body;            /* body of a request with several packs, one per line */
    ir_buffer_t answer;
    struct curl_slist *named; /* headers for a pack with a name */
} ir_exchange_t;

typedef struct ir_http_sender {
    const ir_target_t *target;
    ir_answers_t answers;
    CURLM *multi;
    ir_exchange_t *exchanges;
    unsigned n_idle;
    ir_exchange_t **idle;
    struct curl_slist *single, *several; /* headers for requests with one pack, and with several */
    uint32_t packs;                      /* maximum number of packs in one request */
    ir_mote_queue_t *queue;
    ir_http_item_t items[IR_SENDER_OPEN_MAX];
    uint32_t spare[IR_SENDER_OPEN_MAX]; /* items not in use */
    uint32_t n_spare;
    int64_t failing_ns; /* when requests began to fail without any answer; 0: requests do not
                         * fail */
    ir_backoff_t spread;
} ir_http_sender_t;

/* Acts on all requests that have ended. RETRY: everything must be sent again. */
ir_outcome_t ir_http_sender_take_answers(ir_http_sender_t *http, ir_error_t *error);

/* Cancels every request and gives up its items; returns RETRY. */
ir_outcome_t ir_http_sender_start_over(ir_http_sender_t *http);

#endif
