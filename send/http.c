#include "send/http_state.h"

#include "observation/senml/senml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEDIA_LINES "application/x-ndjson"
#define REQUEST_BYTES                                                                              \
    (256 * 1024) /* limit for a request with several packs; ir-ingest accepts 1 MiB */
#define ANSWER_BYTES (256 * 1024) /* kept bytes of an answer's body */

/* ---- life ---- */

static size_t keep_answer(char *data, size_t size, size_t count, void *context) {
    ir_exchange_t *exchange = context;
    const size_t whole = size * count;
    const size_t room = ANSWER_BYTES - exchange->answer.size;
    ir_buffer_append(&exchange->answer, data, whole < room ? whole : room);
    return whole;
}

/* If a reused connection was closed before the answer, libcurl sends the request once more by
 * itself. */
static int count_request(void *context, char *to, char *from, int to_port, int from_port) {
    ir_exchange_t *exchange = context;
    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    exchange->requests++;
    exchange->answers->reach(exchange->answers->context);
    return CURL_PREREQFUNC_OK;
}

static bool prepare_exchange(ir_exchange_t *exchange, const ir_target_t *target) {
    CURL *easy = exchange->easy = curl_easy_init();
    const long timeout_ms = (long)(target->timeout_ns / IR_MILLISECOND_NS);
    ir_buffer_init(&exchange->body);
    ir_buffer_init(&exchange->answer);
    return easy != NULL && curl_easy_setopt(easy, CURLOPT_URL, target->uri) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms) == CURLE_OK &&
           (target->ca == NULL || curl_easy_setopt(easy, CURLOPT_CAINFO, target->ca) == CURLE_OK) &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_answer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, count_request) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange) == CURLE_OK;
}

static bool prepare_multi(ir_http_sender_t *http) {
    const long connections = (long)http->target->connections;
    http->multi = curl_multi_init();
    return http->multi != NULL &&
           curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK &&
           curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections) ==
               CURLM_OK &&
           curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK;
}

static bool prepare(ir_http_sender_t *http) {
    const unsigned connections = http->target->connections;
    http->queue = ir_mote_queue_new(IR_SENDER_OPEN_MAX);
    http->exchanges = calloc(connections, sizeof http->exchanges[0]);
    http->idle = calloc(connections, sizeof http->idle[0]);
    if (http->queue == NULL || http->exchanges == NULL || http->idle == NULL ||
        !prepare_multi(http)) {
        return false;
    }
    while (http->n_spare < IR_SENDER_OPEN_MAX) {
        http->spare[http->n_spare] = http->n_spare;
        http->n_spare++;
    }
    while (http->n_idle < connections) {
        ir_exchange_t *exchange = &http->exchanges[http->n_idle];
        http->idle[http->n_idle++] = exchange;
        exchange->answers = &http->answers;
        if (!prepare_exchange(exchange, http->target)) {
            return false;
        }
    }
    return true;
}

static void close_exchange(ir_http_sender_t *http, ir_exchange_t *exchange) {
    if (exchange->count > 0) {
        (void)curl_multi_remove_handle(http->multi, exchange->easy);
    }
    curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->named);
    ir_buffer_free(&exchange->body);
    ir_buffer_free(&exchange->answer);
}

static void close_http(void *sender) {
    ir_http_sender_t *http = sender;
    if (http == NULL) {
        return;
    }
    for (unsigned i = 0; http->exchanges != NULL && i < http->target->connections; i++) {
        close_exchange(http, &http->exchanges[i]);
    }
    (void)curl_multi_cleanup(http->multi);
    curl_slist_free_all(http->single);
    curl_slist_free_all(http->several);
    ir_mote_queue_free(http->queue);
    free(http->exchanges);
    free(http->idle);
    free(http);
}

static void *open_http(const ir_target_t *target, const ir_answers_t *answers) {
    ir_http_sender_t *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return NULL;
    }
    ir_backoff_init(&http->spread, IR_HTTP_HOLD_NS, IR_HTTP_LONGEST_HOLD_NS);
    http->target = target;
    http->answers = *answers;
    if (!prepare(http)) {
        close_http(http);
        return NULL;
    }
    return http;
}

/* The first requests open the connections. */
static ir_outcome_t connect_http(void *sender, ir_error_t *error) {
    (void)sender;
    (void)error;
    return IR_OUTCOME_OK;
}

/* ---- requests ---- */

static ir_outcome_t out_of_memory(ir_error_t *error) {
    ir_error_set(error, IR_ERR_MEMORY, "out of memory for a request");
    return IR_OUTCOME_REFUSED;
}

/* `name` may be empty. */
static struct curl_slist *make_headers(const char *content_type, const char *name) {
    char type[256];
    char key[IR_SENDER_NAME_SIZE + 32];
    snprintf(type, sizeof type, "Content-Type: %s", content_type);
    snprintf(key, sizeof key, "Idempotency-Key: %s", name);
    struct curl_slist *headers = curl_slist_append(NULL, type);
    /* The empty "Expect" avoids waiting for "100 Continue" before the body. */
    if (headers != NULL && (curl_slist_append(headers, "Expect:") == NULL ||
                            (name[0] != '\0' && curl_slist_append(headers, key) == NULL))) {
        curl_slist_free_all(headers);
        return NULL;
    }
    return headers;
}

/* All packs of a sender have the same content type. Only JSON packs can be sent as lines. */
static bool prepare_headers(ir_http_sender_t *http, const char *content_type) {
    if (http->single == NULL) {
        const bool json = ir_media_parse(ir_view_text(content_type)) == IR_MEDIA_SENML_JSON;
        http->packs = json ? http->target->packs : 1;
        http->single = make_headers(content_type, "");
        http->several = make_headers(MEDIA_LINES, "");
    }
    return http->single != NULL && http->several != NULL;
}

/* The gateway trims the spaces around a line and computes the raw id of the rest.
 * */
static bool is_line(ir_view_t body) {
    return body.size > 0 && strchr(" \t\r", body.data[0]) == NULL &&
           strchr(" \t\r", body.data[body.size - 1]) == NULL &&
           memchr(body.data, '\n', body.size) == NULL;
}

/* A name (Idempotency-Key) belongs to a single pack. If several packs had one key, the gateway
 * would name each pack by its position in the request, which may differ in the next attempt. */
static bool may_join(const ir_http_sender_t *http, uint32_t number) {
    const ir_http_item_t *item = &http->items[number];
    return !item->alone && item->name[0] == '\0' && is_line(item->parcel.body);
}

/* Returns how many items of the queue fit into one request. */
static void fill(const ir_http_sender_t *http, ir_exchange_t *exchange) {
    ir_buffer_clear(&exchange->body);
    exchange->count = 0;
    for (uint32_t item = exchange->first;
         item != IR_MOTE_QUEUE_NONE && exchange->count < http->packs;
         item = ir_mote_queue_behind(http->queue, item)) {
        const ir_view_t pack = http->items[item].parcel.body;
        if (!may_join(http, item) || exchange->body.size + pack.size >= REQUEST_BYTES) {
            break;
        }
        ir_buffer_append_view(&exchange->body, pack);
        ir_buffer_append_char(&exchange->body, '\n');
        exchange->count++;
    }
    exchange->count = exchange->count > 0 ? exchange->count : 1;
}

/* NULL when out of memory. */
static const struct curl_slist *choose_headers(ir_http_sender_t *http, ir_exchange_t *exchange) {
    const ir_http_item_t *first = &http->items[exchange->first];
    if (exchange->count > 1) {
        return http->several;
    }
    if (first->name[0] == '\0') {
        return http->single;
    }
    curl_slist_free_all(exchange->named);
    exchange->named = make_headers(first->parcel.content_type, first->name);
    return exchange->named;
}

static bool begin(ir_http_sender_t *http, ir_exchange_t *exchange, uint32_t first) {
    const ir_parcel_t *parcel = &http->items[first].parcel;
    CURL *easy = exchange->easy;
    const char *token = http->target->tokens != NULL
                            ? ir_mote_tokens_find(http->target->tokens, parcel->mote)
                            : NULL;
    ir_buffer_clear(&exchange->answer);
    exchange->first = first;
    exchange->requests = 0;
    fill(http, exchange);
    const ir_view_t body = exchange->count > 1 ? ir_buffer_view(&exchange->body) : parcel->body;
    const struct curl_slist *headers = choose_headers(http, exchange);
    return ir_buffer_ok(&exchange->body) && headers != NULL &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data) == CURLE_OK &&
           (token == NULL ||
            curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER) == CURLE_OK) &&
           curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, token) == CURLE_OK &&
           curl_multi_add_handle(http->multi, easy) == CURLM_OK;
}

static ir_outcome_t begin_all(ir_http_sender_t *http, int64_t now_ns, ir_error_t *error) {
    while (http->n_idle > 0) {
        const uint32_t first = ir_mote_queue_take(http->queue, now_ns);
        if (first == IR_MOTE_QUEUE_NONE) {
            break;
        }
        if (!begin(http, http->idle[--http->n_idle], first)) {
            return out_of_memory(error);
        }
    }
    return IR_OUTCOME_OK;
}

static ir_outcome_t send_http(void *sender, const ir_parcel_t *parcel, ir_error_t *error) {
    ir_http_sender_t *http = sender;
    const uint32_t number = http->spare[http->n_spare - 1];
    ir_http_item_t *item = &http->items[number];
    if (!prepare_headers(http, parcel->content_type) ||
        !ir_mote_queue_put(http->queue, parcel->mote_number, number)) {
        return out_of_memory(error);
    }
    http->n_spare--;
    *item = (ir_http_item_t){.parcel = *parcel};
    snprintf(item->name, sizeof item->name, "%.*s", IR_VIEW_ARG(parcel->name));
    return IR_OUTCOME_OK;
}

/* ---- the turn ---- */

static ir_outcome_t perform(ir_http_sender_t *http, ir_error_t *error) {
    int running = 0;
    const CURLMcode code = curl_multi_perform(http->multi, &running);
    if (code != CURLM_OK) {
        ir_error_set(error, IR_ERR_CONNECT, "%s: %s", http->target->label,
                     curl_multi_strerror(code));
        return ir_http_sender_start_over(http);
    }
    return ir_http_sender_take_answers(http, error);
}

static void wait_for_bytes(ir_http_sender_t *http, int64_t now_ns, int64_t wait_ns) {
    const int64_t wake_ns = ir_mote_queue_wake(http->queue);
    if (wake_ns < INT64_MAX && wake_ns - now_ns < wait_ns) {
        wait_ns = wake_ns > now_ns ? wake_ns - now_ns : 0;
    }
    /* Rounds up, so that waits below a millisecond do not become a busy loop. */
    const int ms = (int)((wait_ns + IR_MILLISECOND_NS - 1) / IR_MILLISECOND_NS);
    (void)curl_multi_poll(http->multi, NULL, 0, ms, NULL);
}

static ir_outcome_t push_http(void *sender, int64_t wait_ns, ir_error_t *error) {
    ir_http_sender_t *http = sender;
    const int64_t now_ns = ir_clock_monotonic();
    ir_outcome_t outcome = begin_all(http, now_ns, error);
    if (outcome == IR_OUTCOME_OK) {
        outcome = perform(http, error);
    }
    if (outcome != IR_OUTCOME_OK || wait_ns <= 0) {
        return outcome;
    }
    /* Uses connections that have just become free before it waits. */
    outcome = begin_all(http, now_ns, error);
    if (outcome == IR_OUTCOME_OK) {
        wait_for_bytes(http, now_ns, wait_ns);
        outcome = perform(http, error);
    }
    return outcome;
}

const ir_sender_t ir_sender_http = {
    .name = "http",
    .names = true,
    .multiplexes = true,
    .open = open_http,
    .close = close_http,
    .connect = connect_http,
    .send = send_http,
    .push = push_http,
};
