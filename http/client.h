/* An HTTP client for one server, with limits: one persistent connection, a time-out for every call,
 * no redirects. One thread at a time. */
#ifndef IR_HTTP_CLIENT_H
#define IR_HTTP_CLIENT_H

#include "common/buffer.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

/* How much is kept of an answer that no callback receives: enough for an error message. */
#define IR_HTTP_ANSWER_MAX ((size_t)64 * 1024)

typedef struct ir_http ir_http_client_t;

/* The client's credentials, and the authorities it trusts. Each may be NULL. */
typedef struct ir_http_login {
    const char *user, *password; /* for basic or digest authentication, as the server requires */
    const char *token;           /* a bearer token (RFC 6750), used instead of user and password */
    const char *ca_file;         /* authorities for https, PEM; NULL: the system's */
} ir_http_login_t;

/* Copies the login. Returns NULL when memory is exhausted. */
ir_http_client_t *ir_http_client_new(const ir_http_login_t *login, int64_t timeout_ns);
void ir_http_client_free(ir_http_client_t *http);

/* From now on, a call may exceed the time-out by `more_ns`. 0 restores the plain time-out. */
void ir_http_allow(ir_http_client_t *http, int64_t more_ns);

/* Receives part of an answer's body. Any status except IR_OK stops the call with that status. */
typedef ir_status_t (*ir_http_take_fn)(void *context, ir_view_t bytes);

typedef struct ir_http_request {
    const char *method; /* "GET", "POST", "PUT" */
    const char *url;
    const char *content_type; /* media type of the body, or NULL */
    const char *accept;       /* or NULL */
    ir_view_t body;
    ir_http_take_fn take; /* receives the body of a 2xx answer; NULL: its first bytes are kept */
    void *context;
    bool stalls_only; /* the time-out applies to silence, not to the whole call */
} ir_http_request_t;

/* IR_OK when a complete answer arrived: its head with the empty line, and a body of the announced
 * length (RFC 9112, 8: a body that ends only with the connection may be truncated). *code is its
 * status, whatever it is. Otherwise IR_ERR_CONNECT, IR_ERR_TIMEOUT, IR_ERR_PROTOCOL (not HTTP), or
 * the status of `take`. */
ir_status_t ir_http_client_call(ir_http_client_t *http, const ir_http_request_t *request, int *code,
                                ir_error_t *error);

/* The bytes kept of the last answer. */
ir_view_t ir_http_answer(const ir_http_client_t *http);

/* The media type of the last answer, without parameters; empty when none was given. Valid until the
 * next call. */
ir_view_t ir_http_media_type(const ir_http_client_t *http);

#endif
