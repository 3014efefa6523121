/* Counts the bytes of a request and checks them against the limits. Of the content it recognises
 * only line ends. Loop thread only. */
#ifndef IR_HTTP_BYTES_H
#define IR_HTTP_BYTES_H

#include "http/connection.h"

#include <stddef.h>

struct evbuffer;
struct evbuffer_cb_info;

/* Size of one read by the library, plus the overhead of chunked encoding. */
#define IR_BYTES_SLACK 65536

/* The callback of a connection's input buffer; `context` is the connection. */
void ir_bytes_on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *context);

/* Counts the last `added` bytes of the buffer as the connection's request. */
void ir_bytes_take(ir_connection_t *connection, struct evbuffer *buffer, size_t added);

/* Empty lines are allowed before a request, because some clients send an extra one after a body
 * (RFC 9112, section 2.2). */
void ir_bytes_drop_empty_lines(struct evbuffer *buffer);

#endif
