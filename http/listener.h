/* Parses and binds the address of an HTTP server. Loop thread only. */
#ifndef IR_HTTP_LISTENER_H
#define IR_HTTP_LISTENER_H

#include "common/status.h"

#include <stddef.h>

struct evhttp;
struct evhttp_bound_socket;

#define IR_WHERE_SIZE 80 /* room for an address and a port */

/* IR_ERR_USAGE when `address` is not HOST:PORT or [HOST]:PORT. Does not try to bind it. */
ir_status_t ir_listener_check(const char *address, ir_error_t *error);

/* Binds `address` ("127.0.0.1:9090", "[::1]:0"; port 0 chooses a free one). IR_ERR_USAGE;
 * IR_ERR_IO, with advice in the text when the port is in use. */
ir_status_t ir_listener_bind(struct evhttp *http, const char *address,
                             struct evhttp_bound_socket **bound, ir_error_t *error);

/* Writes the bound address, such as "127.0.0.1:40123" or "[::1]:40123", cut to `size`. Returns
 * `text`. */
const char *ir_listener_where(struct evhttp_bound_socket *bound, char *text, size_t size);

#endif
