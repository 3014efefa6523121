#include "send/http_state.h"

#include "send/reply.h"

#include <stdio.h>

#define SHOWN_BYTES 300 /* how much of an answer's body is shown */
#define WHY_SIZE 480
#define REMEDY_SIZE 320
#define FAILING_NS                                                                                 \
    IR_SECOND_NS /* after this time of failures without an answer, the sender starts               \
                  * over */

static void tell(ir_http_sender_t *http, uint32_t item, ir_sender_answer_t answer,
                 const char *why) {
    http->answers.take(http->answers.context, http->items[item].parcel.number, answer, why);
}

static void finish(ir_http_sender_t *http, uint32_t item, ir_sender_answer_t answer,
                   const char *why) {
    ir_mote_queue_remove(http->queue, item);
    http->spare[http->n_spare++] = item;
    tell(http, item, answer, why);
}

static void tell_again(ir_http_sender_t *http, uint32_t first, uint32_t count, const char *why) {
    for (uint32_t item = first; count > 0; count--) {
        tell(http, item, IR_ANSWER_AGAIN, why);
        item = ir_mote_queue_behind(http->queue, item);
    }
}

static void set_alone(ir_http_sender_t *http, const ir_exchange_t *exchange) {
    uint32_t item = exchange->first;
    for (uint32_t i = 0; i < exchange->count; i++) {
        http->items[item].alone = true;
        item = ir_mote_queue_behind(http->queue, item);
    }
}

static int64_t time_after(ir_http_sender_t *http, int64_t wait_ns) {
    wait_ns = wait_ns <= 0 ? IR_HTTP_HOLD_NS : wait_ns;
    wait_ns = wait_ns < IR_HTTP_LONGEST_HOLD_NS ? wait_ns : IR_HTTP_LONGEST_HOLD_NS;
    return ir_clock_monotonic() + ir_backoff_spread(&http->spread, wait_ns);
}

/* Whether the server refuses only temporarily. */
static bool is_passing(long code) {
    return code == 408 || code == 425 || code == 429 || code >= 500;
}

/* Whether the server would refuse any other body as well: wrong token, another mote's token, or
 * unknown path. */
static bool is_denial(long code) {
    return code == 401 || code == 403 || code == 404 || code == 405;
}

/* An accepted pack may have records that are unusable; `reply` has them, or is NULL. */
static void confirm(ir_http_sender_t *http, uint32_t item, size_t place, const ir_reply_t *reply) {
    char reason[WHY_SIZE];
    char why[WHY_SIZE];
    const bool partly = ir_reply_refuses(reply, place, reason, sizeof reason);
    if (partly) {
        snprintf(why, sizeof why, "%s accepted it, except %s", http->target->label, reason);
    }
    finish(http, item, IR_ANSWER_CONFIRMED, partly ? why : NULL);
}

static void finish_all(ir_http_sender_t *http, const ir_exchange_t *exchange,
                       const ir_reply_t *reply) {
    uint32_t next = exchange->first;
    for (uint32_t place = 0; place < exchange->count; place++) {
        const uint32_t item = next;
        next = ir_mote_queue_behind(http->queue, item);
        confirm(http, item, place, reply);
    }
}

/* Returns the number of packs that the answer names as the reason why all were refused. */
static uint32_t refuse_packs(ir_http_sender_t *http, const ir_exchange_t *exchange,
                             const ir_reply_t *reply) {
    char reason[WHY_SIZE];
    char why[WHY_SIZE];
    uint32_t refused = 0;
    uint32_t next = exchange->first;
    for (uint32_t place = 0; place < exchange->count; place++) {
        const uint32_t item = next;
        next = ir_mote_queue_behind(http->queue, item);
        if (ir_reply_refuses(reply, place, reason, sizeof reason)) {
            snprintf(why, sizeof why, "%s refused %s", http->target->label, reason);
            finish(http, item, IR_ANSWER_REFUSED, why);
            refused++;
        }
    }
    return refused;
}

/* Sends the remaining packs again. If the answer names no pack, each is sent alone. */
static void take_packs(ir_http_sender_t *http, const ir_exchange_t *exchange, bool taken,
                       const char *whole) {
    ir_reply_t *reply = ir_reply_parse(ir_buffer_view(&exchange->answer));
    if (taken && ir_reply_takes(reply, exchange->count)) {
        finish_all(http, exchange, reply);
    } else if (taken || refuse_packs(http, exchange, reply) == 0) {
        set_alone(http, exchange);
        if (taken) {
            tell_again(http, exchange->first, exchange->count, whole);
        }
    }
    ir_reply_free(reply);
}

/* Returns what the user must do about the refusal; "" if the answer itself says so. */
static const char *remedy(const ir_http_sender_t *http, ir_view_t mote, long code,
                          char out[static REMEDY_SIZE]) {
    const ir_mote_tokens_t *tokens = http->target->tokens;
    if (code == 404 || code == 405) {
        return "; is this the address of a gateway?";
    }
    if (code == 401) {
        const char *what =
            tokens == NULL ? "; --mote-tokens is not given, so no token was sent for mote"
            : ir_mote_tokens_find(tokens, mote) == NULL
                ? "; the file of --mote-tokens has no token (`make registry` adds missing ones) "
                  "for mote"
                : "; the file of --mote-tokens has a wrong or an old token for mote";
        snprintf(out, REMEDY_SIZE, "%s '%.*s'", what, IR_VIEW_ARG(mote));
        return out;
    }
    return "";
}

static void deny(ir_http_sender_t *http, const ir_exchange_t *exchange, long code,
                 const char *whole) {
    char about[REMEDY_SIZE];
    char why[WHY_SIZE + REMEDY_SIZE];
    const ir_view_t mote = http->items[exchange->first].parcel.mote;
    snprintf(why, sizeof why, "%s%s", whole, remedy(http, mote, code, about));
    finish(http, exchange->first, IR_ANSWER_DENIED, why);
}

static void take_pack(ir_http_sender_t *http, const ir_exchange_t *exchange, long code, bool taken,
                      const char *whole) {
    const ir_view_t answer = ir_buffer_view(&exchange->answer);
    if (taken) {
        ir_reply_t *reply = ir_reply_mentions_refusals(answer) ? ir_reply_parse(answer) : NULL;
        confirm(http, exchange->first, IR_REPLY_WHOLE, reply);
        ir_reply_free(reply);
    } else if (is_denial(code)) {
        deny(http, exchange, code, whole);
    } else {
        finish(http, exchange->first, IR_ANSWER_REFUSED, whole);
    }
}

/* Without the line end after it. */
static int shown_size(const ir_buffer_t *answer) {
    size_t size = answer->size < SHOWN_BYTES ? answer->size : SHOWN_BYTES;
    while (size > 0 && (answer->data[size - 1] == '\n' || answer->data[size - 1] == '\r')) {
        size--;
    }
    return (int)size;
}

static void take_status(ir_http_sender_t *http, const ir_exchange_t *exchange) {
    const uint32_t first = exchange->first;
    const unsigned mote = http->items[first].parcel.mote_number;
    long code = 0;
    curl_off_t wait_s = 0;
    int64_t time_ns = 0;
    char why[WHY_SIZE];
    (void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &code);
    const bool taken = code >= 200 && code < 300;
    snprintf(why, sizeof why, "%s answered %ld %.*s", http->target->label, code,
             shown_size(&exchange->answer), exchange->answer.size > 0 ? exchange->answer.data : "");
    if (is_passing(code)) {
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &wait_s);
        tell_again(http, first, exchange->count, why);
        time_ns = time_after(http, (int64_t)wait_s * IR_SECOND_NS);
    } else if (exchange->count > 1) {
        take_packs(http, exchange, taken, why);
    } else {
        take_pack(http, exchange, code, taken, why);
    }
    ir_mote_queue_give_back(http->queue, mote, time_ns);
}

/* Decides what becomes of a request without an answer. */
static const char *failure_remedy(CURLcode code) {
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return ": its certificate is not trusted; give its authority with --ca, and the host as "
               "the "
               "certificate names it";
    case CURLE_SSL_CACERT_BADFILE:
        return ": the file of --ca contains no certificate";
    case CURLE_SSL_CONNECT_ERROR:
        return "; does this port expect TLS?";
    case CURLE_GOT_NOTHING:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return "; is this the HTTP port of a gateway or balancer (https:// for TLS)?";
    case CURLE_COULDNT_CONNECT:
        return "; is it running and listening there?";
    default:
        return "";
    }
}

static ir_status_t failure_status(CURLcode code) {
    return code == CURLE_OPERATION_TIMEDOUT ? IR_ERR_TIMEOUT
           : code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE
               ? IR_ERR_AUTH
               : IR_ERR_CONNECT;
}

/* Whether requests have failed for so long that the sender must start over. */
static bool take_failure(ir_http_sender_t *http, const ir_exchange_t *exchange, CURLcode code,
                         ir_error_t *error) {
    char why[WHY_SIZE];
    const int64_t now_ns = ir_clock_monotonic();
    http->failing_ns = http->failing_ns == 0 ? now_ns : http->failing_ns;
    snprintf(why, sizeof why, "%s: %s%s", http->target->label, curl_easy_strerror(code),
             failure_remedy(code));
    if (now_ns - http->failing_ns > FAILING_NS) {
        ir_error_set(error, failure_status(code), "%s", why);
        return true;
    }
    tell_again(http, exchange->first, exchange->count, why);
    ir_mote_queue_give_back(http->queue, http->items[exchange->first].parcel.mote_number,
                            time_after(http, 0));
    return false;
}

static void tell_repeats(ir_http_sender_t *http, const ir_exchange_t *exchange) {
    char why[WHY_SIZE];
    if (exchange->requests > 1) {
        snprintf(why, sizeof why, "%s closed an idle connection", http->target->label);
        tell_again(http, exchange->first, exchange->count, why);
    }
}

/* ---- starting over ---- */

static void rest(ir_http_sender_t *http, ir_exchange_t *exchange) {
    (void)curl_multi_remove_handle(http->multi, exchange->easy);
    exchange->count = 0;
    http->idle[http->n_idle++] = exchange;
}

/* After this, the owner passes all waiting and unanswered packs again. */
ir_outcome_t ir_http_sender_start_over(ir_http_sender_t *http) {
    for (unsigned i = 0; i < http->target->connections; i++) {
        if (http->exchanges[i].count > 0) {
            rest(http, &http->exchanges[i]);
        }
    }
    ir_mote_queue_clear(http->queue);
    for (http->n_spare = 0; http->n_spare < IR_SENDER_OPEN_MAX; http->n_spare++) {
        http->spare[http->n_spare] = http->n_spare;
    }
    http->failing_ns = 0;
    return IR_OUTCOME_RETRY;
}

/* ---- all answers ---- */

ir_outcome_t ir_http_sender_take_answers(ir_http_sender_t *http, ir_error_t *error) {
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
        ir_exchange_t *exchange = NULL;
        const CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
        tell_repeats(http, exchange);
        if (code == CURLE_OK) {
            http->failing_ns = 0;
            take_status(http, exchange);
        } else if (take_failure(http, exchange, code, error)) {
            return ir_http_sender_start_over(http);
        }
        rest(http, exchange);
    }
    return IR_OUTCOME_OK;
}
