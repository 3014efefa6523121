/* The limits of an HTTP server's connections. */
#ifndef IR_HTTP_BOUNDS_H
#define IR_HTTP_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

typedef struct ir_bounds {
    size_t most; /* connections */
    size_t header_lines, header_bytes;
    size_t body_bytes;   /* the connection is closed after at most twice this time */
    size_t memory_bytes; /* memory of all unfinished requests together */
    int64_t header_ns, body_ns, idle_ns;
    int64_t answer_ns; /* limit from the end of a request until its answer is written */
} ir_bounds_t;

#endif
