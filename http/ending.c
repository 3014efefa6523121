#include "http/ending.h"

#include "common/buffer.h"
#include "http/problem.h"

#include <event2/buffer.h>
#include <event2/event.h>

#include <sys/socket.h>

/* Simulates a time-out: the library then frees the connection and calls its close callback. */
static void end(ir_connection_t *connection) {
    bufferevent_trigger_event(connection->bufferevent, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
}

static void on_leftover(struct bufferevent *bufferevent, void *context) {
    (void)context;
    struct evbuffer *input = bufferevent_get_input(bufferevent);
    evbuffer_drain(input, evbuffer_get_length(input));
}

void ir_ending_stop_lingering(ir_connection_t *connection) {
    bufferevent_setcb(connection->bufferevent, connection->read_callback,
                      connection->write_callback, connection->event_callback,
                      connection->callback_context);
    end(connection);
}

static void on_linger_event(struct bufferevent *bufferevent, short what, void *context) {
    (void)bufferevent;
    (void)what;
    ir_ending_stop_lingering(context);
}

/* Discards further input until the peer closes the connection or the owner ends this. The library
 * does not see that input. */
static void linger(ir_connection_t *connection) {
    struct bufferevent *bufferevent = connection->bufferevent;
    shutdown(bufferevent_getfd(bufferevent), SHUT_WR);
    bufferevent_getcb(bufferevent, &connection->read_callback, &connection->write_callback,
                      &connection->event_callback, &connection->callback_context);
    bufferevent_setcb(bufferevent, on_leftover, NULL, on_linger_event, connection);
    on_leftover(bufferevent, NULL);
    ir_connection_forget_bytes(connection);
    ir_connection_enter(connection, IR_PHASE_LINGERING);
    bufferevent_enable(bufferevent, EV_READ);
}

/* Writes the answer to the socket, because the library is still waiting for the request. Nothing
 * else is being written at that moment, and the answer fits into an empty socket buffer. */
static void send_refusal(ir_connection_t *connection, ir_closing_t why) {
    ir_buffer_t body;
    ir_buffer_t answer;
    ir_buffer_init(&body);
    ir_buffer_init(&answer);
    const int code = ir_closing_code(why);
    ir_problem_append(&body, code, ir_closing_text(why), ir_closing_detail(why));
    ir_buffer_append_format(&answer,
                            "HTTP/1.1 %d %s\r\nContent-Type: " IR_PROBLEM_TYPE
                            "\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
                            code, ir_problem_phrase(code), body.size,
                            code == 503 ? "Retry-After: 5\r\n" : "");
    ir_buffer_append_view(&answer, ir_buffer_view(&body));
    if (ir_buffer_ok(&answer)) {
        (void)!send(bufferevent_getfd(connection->bufferevent), answer.data, answer.size,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    ir_buffer_free(&body);
    ir_buffer_free(&answer);
}

void ir_ending_refuse(ir_connection_t *connection, ir_closing_t why) {
    ir_connection_count_closing(connection, why);
    const struct evbuffer *output = bufferevent_get_output(connection->bufferevent);
    if (ir_closing_code(why) != 0 && evbuffer_get_length(output) == 0) {
        send_refusal(connection, why);
        linger(connection);
        return;
    }
    ir_connection_forget_bytes(connection);
    ir_connection_enter(connection, IR_PHASE_LINGERING);
    end(connection);
}
