#include "common/clock.h"
#include "common/log.h"
#include "http/problem.h"
#include "ingest/cors.h"
#include "ingest/credentials.h"
#include "ingest/refusal.h"
#include "ingest/state.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PATH "/v1/observations"
#define METHODS "POST, OPTIONS"
#define KEY "Idempotency-Key"
#define LOG_EVERY_NS IR_SECOND_NS
#define ADDRESS_SIZE 64

/* ---- answering ---- */

static void log_refusal(ir_gateway_t *gateway, ir_request_t *request, int code,
                        const char *reason) {
    char client[ADDRESS_SIZE] = "a client that has gone";
    const char *peer = ir_request_peer(request);
    if (peer != NULL) {
        ir_proxies_client(&gateway->proxies, peer, ir_request_header(request, "X-Forwarded-For"),
                          client, sizeof client);
    }
    ir_log_limited(&gateway->logged_ns, LOG_EVERY_NS, IR_LOG_INFO, "%d %s to %s", code, reason,
                   client);
}

/* After HEAD and TRACE the library reads no body. If there is one, it would be parsed as the next
 * request. */
static bool must_be_last(const ir_gateway_t *gateway, ir_request_t *request, int code) {
    const ir_method_t method = ir_request_method(request);
    const bool bodiless = method == IR_METHOD_HEAD || method == IR_METHOD_TRACE;
    return gateway->phase != IR_GATEWAY_RUNNING || code == 413 ||
           (bodiless && (ir_request_header(request, "Content-Length") != NULL ||
                         ir_request_header(request, "Transfer-Encoding") != NULL));
}

/* Lets the browser show the answer to the page that sent the request. */
static bool allow_page(const ir_gateway_t *gateway, ir_request_t *request) {
    const char *origin = ir_request_header(request, "Origin");
    if (!ir_cors_allows(gateway->options->cors_origins, origin)) {
        return false;
    }
    ir_request_set_header(request, "Access-Control-Allow-Origin", origin);
    ir_request_set_header(request, "Access-Control-Expose-Headers", IR_CORS_EXPOSED);
    ir_request_set_header(request, "Vary", "Origin");
    return true;
}

void ir_intake_answer(ir_gateway_t *gateway, ir_request_t *request, int code, const char *type,
                      const ir_buffer_t *body) {
    allow_page(gateway, request);
    ir_ingest_meters_answer(&gateway->meters, code);
    ir_request_answer(request, code, type, body != NULL ? ir_buffer_view(body) : ir_view(NULL, 0),
                      must_be_last(gateway, request, code));
}

static void set_retry_after(ir_request_t *request, int64_t wait_ns) {
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%lld",
             (long long)((wait_ns + IR_SECOND_NS - 1) / IR_SECOND_NS));
    ir_request_set_header(request, "Retry-After", seconds);
}

void ir_intake_refuse(ir_gateway_t *gateway, ir_request_t *request, int code, const char *reason,
                      const char *detail, int64_t wait_ns) {
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_problem_append(&body, code, reason, detail);
    if (wait_ns > 0) {
        set_retry_after(request, wait_ns);
    }
    log_refusal(gateway, request, code, reason);
    ir_intake_answer(gateway, request, code, IR_PROBLEM_TYPE, &body);
    ir_buffer_free(&body);
}

/* ---- identifying the mote ---- */

static ir_account_t *authorize(ir_gateway_t *gateway, ir_request_t *request) {
    const char *given = ir_request_header(request, "Authorization");
    ir_account_t *account = given != NULL ? ir_credentials_find(gateway->tokens, given) : NULL;
    if (account == NULL) {
        ir_request_set_header(request, "WWW-Authenticate",
                              given == NULL ? IR_CHALLENGE_BEARER
                                            : IR_CHALLENGE_BEARER ", error=\"invalid_token\"");
        ir_request_set_header(request, "WWW-Authenticate", IR_CHALLENGE_BASIC);
        ir_intake_refuse(gateway, request, 401, given == NULL ? "no-token" : "bad-token",
                         given == NULL ? "send the mote's token: Authorization: Bearer TOKEN"
                                       : "this token does not belong to any mote",
                         0);
    }
    return account;
}

bool ir_intake_may_send(ir_gateway_t *gateway, ir_request_t *request, ir_account_t *account) {
    const int64_t wait_ns =
        ir_bucket_wait(&account->bucket, &gateway->bucket_limits, ir_clock_monotonic());
    if (wait_ns > 0) {
        ir_culprits_add(&gateway->meters.culprits, ir_view_text(account->mote), 1, "rate");
        ir_intake_refuse(gateway, request, 429, "rate",
                         "this mote has exceeded its rate limit for now; nothing was accepted",
                         wait_ns);
    }
    return wait_ns == 0;
}

/* Called before decoding: without a broker, the request would be refused afterwards anyway. */
static bool has_broker(ir_gateway_t *gateway, ir_request_t *request) {
    const ir_outlet_state_t state = ir_outlet_state(gateway->outlet);
    if (state != IR_OUTLET_OPEN) {
        const bool blocked = state == IR_OUTLET_BLOCKED;
        ir_intake_refuse(gateway, request, 503, blocked ? "broker-full" : "broker-away",
                         blocked ? "nothing was accepted: the broker accepts no messages at present"
                                 : "nothing was accepted: the broker is away",
                         gateway->options->retry_after_ns);
    }
    return state == IR_OUTLET_OPEN;
}

/* ---- headers and body ---- */

void ir_intake_refuse_submission(ir_gateway_t *gateway, ir_request_t *request,
                                 const ir_submission_t *submission, const char *mote) {
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_refusal_append(&body, submission);
    ir_metric_increase(gateway->meters.records_refused, submission->n_faults);
    ir_culprits_add(&gateway->meters.culprits, ir_view_text(mote),
                    submission->n_faults > 0 ? submission->n_faults : 1, submission->reason);
    log_refusal(gateway, request, submission->code, submission->reason);
    if (submission->code == 415) {
        ir_request_set_header(request, "Accept-Encoding", "gzip");
    }
    ir_intake_answer(gateway, request, submission->code, IR_PROBLEM_TYPE, &body);
    ir_buffer_free(&body);
}

/* The sender's name for the request. A header that occurs twice is invalid. */
static const char *find_key(ir_request_t *request) {
    return ir_request_count_headers(request, KEY) > 1 ? "" : ir_request_header(request, KEY);
}

static void take_submission(ir_gateway_t *gateway, ir_request_t *request, ir_account_t *account) {
    ir_submission_input_t input = {
        .mote = account->mote,
        .content_type = ir_request_header(request, "Content-Type"),
        .content_encoding = ir_request_header(request, "Content-Encoding"),
        .idempotency_key = find_key(request),
        .registry = gateway->registry,
        .accept_unregistered = gateway->options->analysis.unregistered == 1,
    };
    ir_reading_begin(gateway, request, account, &input);
}

/* ---- routing ---- */

/* The body's length must be unambiguous. Otherwise a balancer in front might find other requests in
 * the same bytes. */
static bool is_framed(ir_gateway_t *gateway, ir_request_t *request) {
    const size_t lengths = ir_request_count_headers(request, "Content-Length");
    const size_t encodings = ir_request_count_headers(request, "Transfer-Encoding");
    const char *encoding = ir_request_header(request, "Transfer-Encoding");
    if (lengths + encodings <= 1 && (encoding == NULL || strcasecmp(encoding, "chunked") == 0)) {
        return true;
    }
    ir_request_set_header(request, "Connection", "close");
    ir_intake_refuse(gateway, request, 400, "framing",
                     "Content-Length and Transfer-Encoding make the end of the body ambiguous", 0);
    return false;
}

/* HTTP/1.1 requires exactly one Host header (RFC 9112, section 3.2). Otherwise a proxy in front
 * might take the request for one to another server. */
static bool has_host(ir_gateway_t *gateway, ir_request_t *request) {
    const size_t hosts = ir_request_count_headers(request, "Host");
    if (hosts == 1 || (hosts == 0 && ir_request_is_1_0(request))) {
        return true;
    }
    ir_intake_refuse(gateway, request, 400, "host",
                     hosts == 0 ? "a request of HTTP/1.1 without Host" : "more than one Host", 0);
    return false;
}

/* Answers OPTIONS with the allowed methods and the pages that may use them. */
static void answer_options(ir_gateway_t *gateway, ir_request_t *request) {
    ir_request_set_header(request, "Allow", METHODS);
    if (ir_request_header(request, "Access-Control-Request-Method") != NULL &&
        ir_cors_allows(gateway->options->cors_origins, ir_request_header(request, "Origin"))) {
        ir_request_set_header(request, "Access-Control-Allow-Methods", IR_CORS_METHODS);
        ir_request_set_header(request, "Access-Control-Allow-Headers", IR_CORS_HEADERS);
        ir_request_set_header(request, "Access-Control-Max-Age", IR_CORS_SECONDS);
    }
    ir_intake_answer(gateway, request, 204, NULL, NULL);
}

static bool is_path(const char *path) {
    const size_t size = sizeof PATH - 1;
    return path != NULL && strncmp(path, PATH, size) == 0 &&
           (path[size] == '\0' || strcmp(path + size, "/") == 0);
}

static bool is_for_observations(ir_gateway_t *gateway, ir_request_t *request) {
    const ir_method_t method = ir_request_method(request);
    if (!is_path(ir_request_path(request))) {
        ir_intake_refuse(gateway, request, 404, "path", "observations are sent to " PATH, 0);
        return false;
    }
    if (!has_host(gateway, request)) {
        return false;
    }
    if (method == IR_METHOD_OPTIONS) {
        answer_options(gateway, request);
        return false;
    }
    if (method != IR_METHOD_POST) {
        ir_request_set_header(request, "Allow", METHODS);
        ir_intake_refuse(gateway, request, 405, "method", "observations are sent with POST", 0);
        return false;
    }
    return true;
}

void ir_intake_request(ir_request_t *request, void *context) {
    ir_gateway_t *gateway = context;
    if (!is_framed(gateway, request) || ir_endpoint_serve(gateway->endpoint, request) ||
        !is_for_observations(gateway, request)) {
        return;
    }
    ir_account_t *account = authorize(gateway, request);
    if (account != NULL && ir_intake_may_send(gateway, request, account) &&
        has_broker(gateway, request)) {
        take_submission(gateway, request, account);
    }
}
