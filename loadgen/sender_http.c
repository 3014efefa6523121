#include "loadgen/lineup.h"
#include "loadgen/sender.h"

#include "common/buffer.h"
#include "common/clock.h"
#include "common/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define KEPT_ANSWER 300 /* bytes of an answer's body that are shown */
#define WHY_SIZE 480
#define DEFAULT_HOLD_NS (500 * IR_MILLISECOND_NS) /* when the server does not say how long */
#define LONGEST_HOLD_NS (30 * IR_SECOND_NS)
#define FAILING_NS IR_SECOND_NS /* with failures and not one answer: start anew */

/* What of this is under way. */
typedef struct ir_exchange {
    CURL *easy;
    uint32_t item; /* IR_LINEUP_NONE: idle */
    char answer[KEPT_ANSWER + 1];
    size_t answer_size;
} ir_exchange_t;

typedef struct ir_http {
    const ir_target_t *target;
    ir_answers_t answers;
    CURLM *multi;
    ir_exchange_t *exchanges;
    unsigned n_idle;
    ir_exchange_t **idle;
    struct curl_slist *headers;
    ir_lineup_t *lineup;
    ir_parcel_t parcels[IR_SENDER_OPEN_MAX]; /* by item */
    uint32_t spare[IR_SENDER_OPEN_MAX];      /* items not in use */
    uint32_t n_spare;
    int64_t failing_ns; /* since when requests fail and none is answered; 0: not now */
} ir_http_t;

/* ---- life ---- */

static size_t keep_answer(char *data, size_t size, size_t count, void *context) {
    ir_exchange_t *exchange = context;
    const size_t whole = size * count;
    const size_t room = KEPT_ANSWER - exchange->answer_size;
    const size_t kept = whole < room ? whole : room;
    memcpy(exchange->answer + exchange->answer_size, data, kept);
    exchange->answer_size += kept;
    exchange->answer[exchange->answer_size] = '\0';
    return whole;
}

static bool prepare_exchange(ir_exchange_t *exchange, const ir_target_t *target) {
    CURL *easy = exchange->easy = curl_easy_init();
    const long timeout_ms = (long)(target->timeout_ns / IR_MILLISECOND_NS);
    exchange->item = IR_LINEUP_NONE;
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
           curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange) == CURLE_OK;
}

static bool prepare_multi(ir_http_t *http) {
    const long connections = (long)http->target->connections;
    http->multi = curl_multi_init();
    return http->multi != NULL &&
           curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK &&
           curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections) ==
               CURLM_OK &&
           curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK;
}

static bool prepare(ir_http_t *http) {
    const unsigned connections = http->target->connections;
    http->lineup = ir_lineup_new(IR_SENDER_OPEN_MAX);
    http->exchanges = calloc(connections, sizeof http->exchanges[0]);
    http->idle = calloc(connections, sizeof http->idle[0]);
    if (http->lineup == NULL || http->exchanges == NULL || http->idle == NULL ||
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
        if (!prepare_exchange(exchange, http->target)) {
            return false;
        }
    }
    return true;
}

static void close_http(void *sender) {
    ir_http_t *http = sender;
    if (http == NULL) {
        return;
    }
    for (unsigned i = 0; http->exchanges != NULL && i < http->target->connections; i++) {
        CURL *easy = http->exchanges[i].easy;
        if (easy != NULL && http->exchanges[i].item != IR_LINEUP_NONE) {
            (void)curl_multi_remove_handle(http->multi, easy);
        }
        curl_easy_cleanup(easy);
    }
    (void)curl_multi_cleanup(http->multi);
    curl_slist_free_all(http->headers);
    ir_lineup_free(http->lineup);
    free(http->exchanges);
    free(http->idle);
    free(http);
}

static void *open_http(const ir_target_t *target, const ir_answers_t *answers) {
    ir_http_t *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return NULL;
    }
    http->target = target;
    http->answers = *answers;
    if (!prepare(http)) {
        close_http(http);
        return NULL;
    }
    return http;
}

/* ---- starting over ---- */

static void rest(ir_http_t *http, ir_exchange_t *exchange) {
    (void)curl_multi_remove_handle(http->multi, exchange->easy);
    exchange->item = IR_LINEUP_NONE;
    http->idle[http->n_idle++] = exchange;
}

/* All that waits or is under way will be given again. */
static ir_outcome_t start_over(ir_http_t *http) {
    for (unsigned i = 0; i < http->target->connections; i++) {
        if (http->exchanges[i].item != IR_LINEUP_NONE) {
            rest(http, &http->exchanges[i]);
        }
    }
    ir_lineup_clear(http->lineup);
    for (http->n_spare = 0; http->n_spare < IR_SENDER_OPEN_MAX; http->n_spare++) {
        http->spare[http->n_spare] = http->n_spare;
    }
    http->failing_ns = 0;
    return IR_OUTCOME_RETRY;
}

/* Connections are made by the first requests. */
static ir_outcome_t connect_http(void *sender, ir_error_t *error) {
    (void)sender;
    (void)error;
    return IR_OUTCOME_OK;
}

/* ---- requests ---- */

static ir_outcome_t out_of_memory(ir_error_t *error) {
    ir_error_set(error, IR_ERR_MEMORY, "out of memory for a request");
    return IR_OUTCOME_REJECT;
}

/* One kind of content goes out in a run. */
static bool prepare_headers(ir_http_t *http, const char *content_type) {
    char line[256];
    if (http->headers != NULL) {
        return true;
    }
    snprintf(line, sizeof line, "Content-Type: %s", content_type);
    http->headers = curl_slist_append(NULL, line);
    /* Without waiting for "100 Continue" before the body. */
    return http->headers != NULL && curl_slist_append(http->headers, "Expect:") != NULL;
}

static bool begin(ir_http_t *http, ir_exchange_t *exchange, uint32_t item) {
    const ir_parcel_t *parcel = &http->parcels[item];
    CURL *easy = exchange->easy;
    const char *token =
        http->target->tokens != NULL ? ir_bearers_find(http->target->tokens, parcel->mote) : NULL;
    exchange->item = item;
    exchange->answer_size = 0;
    exchange->answer[0] = '\0';
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)parcel->body.size) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, parcel->body.data) == CURLE_OK &&
           (token == NULL ||
            curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER) == CURLE_OK) &&
           curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, token) == CURLE_OK &&
           curl_multi_add_handle(http->multi, easy) == CURLM_OK;
}

static ir_outcome_t begin_all(ir_http_t *http, int64_t now_ns, ir_error_t *error) {
    while (http->n_idle > 0) {
        const uint32_t item = ir_lineup_next(http->lineup, now_ns);
        if (item == IR_LINEUP_NONE) {
            break;
        }
        if (!begin(http, http->idle[--http->n_idle], item)) {
            return out_of_memory(error);
        }
    }
    return IR_OUTCOME_OK;
}

static ir_outcome_t send_http(void *sender, const ir_parcel_t *parcel, ir_error_t *error) {
    ir_http_t *http = sender;
    const uint32_t item = http->spare[http->n_spare - 1];
    if (!prepare_headers(http, parcel->content_type) ||
        !ir_lineup_put(http->lineup, parcel->mote_number, item)) {
        return out_of_memory(error);
    }
    http->n_spare--;
    http->parcels[item] = *parcel;
    return IR_OUTCOME_OK;
}

/* ---- answers ---- */

static void tell(ir_http_t *http, uint32_t item, ir_answer_t answer, const char *why) {
    http->answers.take(http->answers.context, http->parcels[item].number, answer, why);
}

static void finish(ir_http_t *http, uint32_t item, ir_answer_t answer, const char *why) {
    ir_lineup_done(http->lineup, item);
    http->spare[http->n_spare++] = item;
    tell(http, item, answer, why);
}

static void hold(ir_http_t *http, uint32_t item, int64_t hold_ns, const char *why) {
    hold_ns = hold_ns <= 0                ? DEFAULT_HOLD_NS
              : hold_ns < LONGEST_HOLD_NS ? hold_ns
                                          : LONGEST_HOLD_NS;
    ir_lineup_hold(http->lineup, item, ir_clock_monotonic() + hold_ns);
    tell(http, item, IR_ANSWER_AGAIN, why);
}

/* Whether the server only cannot take it now. */
static bool is_passing(long code) {
    return code == 408 || code == 425 || code == 429 || code >= 500;
}

static void take_status(ir_http_t *http, const ir_exchange_t *exchange, uint32_t item) {
    long code = 0;
    curl_off_t wait_s = 0;
    char why[WHY_SIZE];
    (void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &code);
    if (code >= 200 && code < 300) {
        finish(http, item, IR_ANSWER_CONFIRMED, NULL);
        return;
    }
    snprintf(why, sizeof why, "%s answered %ld %s", http->target->label, code, exchange->answer);
    if (is_passing(code)) {
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &wait_s);
        hold(http, item, (int64_t)wait_s * IR_SECOND_NS, why);
    } else {
        finish(http, item, IR_ANSWER_REFUSED, why);
    }
}

/* True: that goes on for so long that all is begun anew. */
static bool take_failure(ir_http_t *http, uint32_t item, CURLcode code, ir_error_t *error) {
    char why[WHY_SIZE];
    const int64_t now_ns = ir_clock_monotonic();
    http->failing_ns = http->failing_ns == 0 ? now_ns : http->failing_ns;
    snprintf(why, sizeof why, "%s: %s", http->target->label, curl_easy_strerror(code));
    if (now_ns - http->failing_ns > FAILING_NS) {
        ir_error_set(error, code == CURLE_OPERATION_TIMEDOUT ? IR_ERR_TIMEOUT : IR_ERR_CONNECT,
                     "%s", why);
        return true;
    }
    hold(http, item, DEFAULT_HOLD_NS, why);
    return false;
}

static ir_outcome_t take_answers(ir_http_t *http, ir_error_t *error) {
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
        ir_exchange_t *exchange = NULL;
        const CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
        const uint32_t item = exchange->item;
        rest(http, exchange);
        if (code == CURLE_OK) {
            http->failing_ns = 0;
            take_status(http, exchange, item);
        } else if (take_failure(http, item, code, error)) {
            return start_over(http);
        }
    }
    return IR_OUTCOME_OK;
}

/* ---- the turn ---- */

static ir_outcome_t perform(ir_http_t *http, ir_error_t *error) {
    int running = 0;
    const CURLMcode code = curl_multi_perform(http->multi, &running);
    if (code != CURLM_OK) {
        ir_error_set(error, IR_ERR_CONNECT, "%s: %s", http->target->label,
                     curl_multi_strerror(code));
        return start_over(http);
    }
    return take_answers(http, error);
}

static void wait_for_bytes(ir_http_t *http, int64_t now_ns, int64_t wait_ns) {
    const int64_t wake_ns = ir_lineup_wake(http->lineup);
    if (wake_ns < INT64_MAX && wake_ns - now_ns < wait_ns) {
        wait_ns = wake_ns > now_ns ? wake_ns - now_ns : 0;
    }
    /* Rounded up: half a millisecond must not become a busy loop. */
    const int ms = (int)((wait_ns + IR_MILLISECOND_NS - 1) / IR_MILLISECOND_NS);
    (void)curl_multi_poll(http->multi, NULL, 0, ms, NULL);
}

static ir_outcome_t push_http(void *sender, int64_t wait_ns, ir_error_t *error) {
    ir_http_t *http = sender;
    const int64_t now_ns = ir_clock_monotonic();
    ir_outcome_t outcome = begin_all(http, now_ns, error);
    if (outcome == IR_OUTCOME_OK) {
        outcome = perform(http, error);
    }
    if (outcome != IR_OUTCOME_OK || wait_ns <= 0) {
        return outcome;
    }
    /* A connection that just came free is used before waiting. */
    outcome = begin_all(http, now_ns, error);
    if (outcome == IR_OUTCOME_OK) {
        wait_for_bytes(http, now_ns, wait_ns);
        outcome = perform(http, error);
    }
    return outcome;
}

const ir_sender_t ir_sender_http = {
    .name = "http",
    .multiplexes = true,
    .open = open_http,
    .close = close_http,
    .connect = connect_http,
    .send = send_http,
    .push = push_http,
};
