/* A request that has arrived completely, and its answer. The server owns the request until it is
 * answered, which may happen later; the answer ends it. If the connection closes before the answer,
 * the request stays valid, and its answer is discarded. Freeing the server also frees unanswered
 * requests. Texts are valid until the answer. Loop thread only. */
#ifndef IR_HTTP_REQUEST_H
#define IR_HTTP_REQUEST_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

struct evbuffer;

typedef struct ir_request ir_request_t;

/* The methods that handlers distinguish. */
typedef enum ir_method {
    IR_METHOD_GET,
    IR_METHOD_HEAD,
    IR_METHOD_POST,
    IR_METHOD_OPTIONS,
    IR_METHOD_TRACE,
    IR_METHOD_OTHER
} ir_method_t;

ir_method_t ir_request_method(const ir_request_t *request);

/* As sent, not decoded: "/v1/observations". NULL when the target has none. */
const char *ir_request_path(const ir_request_t *request);

/* The part after the "?", as sent; NULL: no query. */
const char *ir_request_query(const ir_request_t *request);

/* HTTP/1.0, which needs no Host. */
bool ir_request_is_1_0(const ir_request_t *request);

/* The value of the first header of this name, in any case; NULL: none. */
const char *ir_request_header(const ir_request_t *request, const char *name);
size_t ir_request_count_headers(const ir_request_t *request, const char *name);

/* The bytes of the body. The caller may move them out. */
struct evbuffer *ir_request_body(const ir_request_t *request);

/* The body is no longer needed: it is freed and no longer counts as memory. */
void ir_request_release(ir_request_t *request);

/* The address of the peer, without its port; NULL: the connection has closed. */
const char *ir_request_peer(const ir_request_t *request);

/* Adds a header to the answer. Copies both texts. */
void ir_request_set_header(ir_request_t *request, const char *name, const char *value);

/* Answers, now or later. `type` NULL: no body. With `last` the connection closes afterwards. The
 * request must not be used after this call. */
void ir_request_answer(ir_request_t *request, int code, const char *type, ir_view_t body,
                       bool last);

#endif
