#include "http/bytes.h"

#include <event2/buffer.h>

#include <string.h>

#define PEEKED 8

/* Counts the header lines until the empty line. */
static void scan_headers(ir_connection_t *connection, const char *data, size_t size) {
    while (size > 0 && connection->phase == IR_PHASE_HEADERS) {
        const char *end = memchr(data, '\n', size);
        const size_t length = end != NULL ? (size_t)(end - data) : size;
        connection->line_last = length > 0 ? data[length - 1] : connection->line_last;
        connection->line_size += length;
        connection->header_size += length + (end != NULL);
        data += length + (end != NULL);
        size -= length + (end != NULL);
        if (connection->header_size > connection->all->bounds.header_bytes) {
            ir_connection_doom(connection, IR_CLOSING_LARGE_HEADERS);
            return;
        }
        if (end == NULL) {
            return;
        }
        const bool empty = connection->line_size == 0 ||
                           (connection->line_size == 1 && connection->line_last == '\r');
        connection->line_size = 0;
        connection->lines++;
        if (empty) {
            ir_connection_enter(connection, IR_PHASE_BODY);
        } else if (connection->lines > connection->all->bounds.header_lines + 1) {
            ir_connection_doom(connection, IR_CLOSING_MANY_HEADERS);
        }
    }
}

static void scan(ir_connection_t *connection, struct evbuffer *buffer, size_t added) {
    struct evbuffer_ptr from;
    struct evbuffer_iovec parts[PEEKED];
    size_t at = evbuffer_get_length(buffer) - added;
    while (added > 0 && connection->phase == IR_PHASE_HEADERS &&
           evbuffer_ptr_set(buffer, &from, at, EVBUFFER_PTR_SET) == 0) {
        const int n = evbuffer_peek(buffer, (ev_ssize_t)added, &from, parts, PEEKED);
        for (int i = 0; i < n && i < PEEKED && added > 0; i++) {
            const size_t size = parts[i].iov_len < added ? parts[i].iov_len : added;
            scan_headers(connection, parts[i].iov_base, size);
            at += size;
            added -= size;
        }
        if (n <= 0) {
            return;
        }
    }
}

static void begin_request(ir_connection_t *connection) {
    connection->lines = connection->header_size = connection->line_size = 0;
    ir_connection_enter(connection, IR_PHASE_HEADERS);
}

/* The connection that holds most of an unfinished request, so that small requests of others get
 * through while somebody fills the memory. */
static ir_connection_t *find_largest(struct ir_connections *all) {
    ir_connection_t *largest = NULL;
    ir_connection_t *each = NULL;
    TAILQ_FOREACH(each, &all->lists[IR_PHASE_BODY], place) {
        largest = largest == NULL || each->received > largest->received ? each : largest;
    }
    return largest;
}

void ir_bytes_take(ir_connection_t *connection, struct evbuffer *buffer, size_t added) {
    struct ir_connections *all = connection->all;
    const ir_bounds_t *bounds = &all->bounds;
    connection->received += added;
    all->received += added;
    if (connection->phase == IR_PHASE_IDLE || connection->phase == IR_PHASE_NEW) {
        begin_request(connection);
    }
    scan(connection, buffer, added);
    if (connection->phase == IR_PHASE_BODY &&
        connection->received > bounds->header_bytes + 2 * bounds->body_bytes + IR_BYTES_SLACK) {
        ir_connection_doom(connection, IR_CLOSING_LARGE_BODY);
    } else if (connection->phase < IR_PHASE_DOOMED && all->received > bounds->memory_bytes) {
        ir_connection_t *largest = find_largest(all);
        ir_connection_doom(largest != NULL ? largest : connection, IR_CLOSING_MEMORY);
    }
}

void ir_bytes_drop_empty_lines(struct evbuffer *buffer) {
    char bytes[2];
    for (;;) {
        const ev_ssize_t size = evbuffer_copyout(buffer, bytes, sizeof bytes);
        const size_t feed = size > 0 && bytes[0] == '\r';
        if (size <= (ev_ssize_t)feed || bytes[feed] != '\n') {
            return;
        }
        evbuffer_drain(buffer, feed + 1);
    }
}

void ir_bytes_on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info,
                       void *context) {
    ir_connection_t *connection = context;
    size_t added = info->n_added;
    if (added > 0 && connection->phase <= IR_PHASE_IDLE) {
        ir_bytes_drop_empty_lines(buffer);
        added = evbuffer_get_length(buffer);
    }
    if (added > 0 && connection->phase < IR_PHASE_DOOMED) {
        ir_bytes_take(connection, buffer, added);
    }
}
