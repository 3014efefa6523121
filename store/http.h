/* A bounded HTTP client for one server: one connection that is kept, every call within a time-out,
 * no redirects. One thread at a time. */
#ifndef IR_STORE_HTTP_H
#define IR_STORE_HTTP_H

#include "common/buffer.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

/* What is kept of an answer that nobody takes: enough to say what was wrong. */
#define IR_HTTP_ANSWER_MAX ((size_t)64 * 1024)

typedef struct ir_http ir_http_t;

/* Who calls, and whom it trusts; each may be NULL. */
typedef struct ir_http_login {
    const char *user, *password; /* basic or digest, as the server wants */
    const char *token;           /* a bearer token (RFC 6750), in their place */
    const char *ca_file;         /* authorities for https, PEM; NULL: the system's */
} ir_http_login_t;

/* Copies the login. NULL when memory is out. */
ir_http_t *ir_http_new(const ir_http_login_t *login, int64_t timeout_ns);
void ir_http_free(ir_http_t *http);

/* From now on a call may take so much longer than the time-out; 0: no longer. */
void ir_http_allow(ir_http_t *http, int64_t more_ns);

/* Takes part of the body of an answer; not IR_OK stops the call with that status. */
typedef ir_status_t (*ir_http_take_fn)(void *context, ir_view_t bytes);

typedef struct ir_http_request {
    const char *method; /* "GET", "POST", "PUT" */
    const char *url;
    const char *content_type; /* of the body, or NULL */
    const char *accept;       /* or NULL */
    ir_view_t body;
    ir_http_take_fn take; /* gets the body of a 2xx answer; NULL: the first bytes are kept */
    void *context;
    bool stalls_only; /* the time-out bounds how long nothing arrives, not the whole call */
} ir_http_request_t;

/* IR_OK when an answer came whole: its head with the empty line, and the body that the head
 * announces (RFC 9112, 8: one that only ends with the connection may be cut off). *code is its
 * status, whatever it says. Else IR_ERR_CONNECT, IR_ERR_TIMEOUT, IR_ERR_PROTOCOL (not HTTP) or what
 * `take` returned. */
ir_status_t ir_http_call(ir_http_t *http, const ir_http_request_t *request, int *code,
                         ir_error_t *error);

/* The bytes kept of the last answer. */
ir_view_t ir_http_answer(const ir_http_t *http);

/* The media type of the last answer, without parameters; empty: none was given. Lives until the
 * next call. */
ir_view_t ir_http_media_type(const ir_http_t *http);

#endif
