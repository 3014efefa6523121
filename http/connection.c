#include "http/connection.h"

#include "common/clock.h"

#include <event2/event.h>

#include <stdlib.h>

void ir_connection_enter(ir_connection_t *connection, ir_connection_phase_t phase) {
    struct ir_connections *all = connection->all;
    TAILQ_REMOVE(&all->lists[connection->phase], connection, place);
    all->counts[connection->phase]--;
    connection->phase = phase;
    connection->since_ns = ir_clock_monotonic();
    TAILQ_INSERT_TAIL(&all->lists[phase], connection, place);
    all->counts[phase]++;
}

void ir_connection_forget_bytes(ir_connection_t *connection) {
    connection->all->received -= connection->received;
    connection->received = 0;
}

void ir_connection_doom(ir_connection_t *connection, ir_closing_t why) {
    connection->doom = why;
    ir_connection_forget_bytes(connection);
    ir_connection_enter(connection, IR_PHASE_DOOMED);
    bufferevent_disable(connection->bufferevent, EV_READ);
    event_active(connection->all->soon, EV_TIMEOUT, 1);
}

void ir_connection_count_closing(const ir_connection_t *connection, ir_closing_t why) {
    ir_metric_increase(connection->all->closed[why], 1);
}

ir_connection_t *ir_connection_find(const struct ir_connections *all, evutil_socket_t fd) {
    return fd >= 0 && (size_t)fd < all->n_descriptors ? all->by_descriptor[fd] : NULL;
}

void ir_connection_free(ir_connection_t *connection) {
    TAILQ_REMOVE(&connection->all->lists[connection->phase], connection, place);
    connection->all->counts[connection->phase]--;
    free(connection);
}
