/* Helpers for tests of frames sent to a broker. A library connection uses one end of a socket pair;
 * the test reads the frames from the other end. */
#ifndef IR_TESTS_WIRE_H
#define IR_TESTS_WIRE_H

#include "broker/rabbitmq_c.h"
#include "broker/topology.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct ir_wire {
    amqp_connection_state_t connection;
    int broker; /* the other end */
} ir_wire_t;

static const ir_topology_t wire_topology = {.partitions = 8, .queue_type = IR_QUEUE_QUORUM};

static inline ir_wire_t wire_open(void) {
    int ends[2] = {-1, -1};
    (void)!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
    const ir_wire_t wire = {.connection = amqp_new_connection(), .broker = ends[1]};
    amqp_tcp_socket_set_sockfd(amqp_tcp_socket_new(wire.connection), ends[0]);
    return wire;
}

static inline void wire_close(const ir_wire_t *wire) {
    amqp_destroy_connection(wire->connection);
    close(wire->broker);
}

static inline uint32_t wire_number(const unsigned char *bytes, int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Returns how many frames with this method were sent since the last call. Discards all frames. */
static inline int wire_count(const ir_wire_t *wire, amqp_method_number_t id) {
    unsigned char bytes[64 * 1024];
    const ssize_t size = recv(wire->broker, bytes, sizeof bytes, 0);
    int count = 0;
    for (ssize_t at = 0; at < size; at += 8 + wire_number(bytes + at + 3, 4)) {
        count += bytes[at] == AMQP_FRAME_METHOD && wire_number(bytes + at + 7, 4) == id;
    }
    return count;
}

#endif
