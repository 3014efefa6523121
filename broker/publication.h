/* A message to publish. */
#ifndef IR_BROKER_PUBLICATION_H
#define IR_BROKER_PUBLICATION_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_header {
    const char *name;
    enum { IR_HEADER_TEXT, IR_HEADER_INTEGER, IR_HEADER_INT32, IR_HEADER_FLAG } kind;
    ir_view_t text;
    int64_t integer; /* INTEGER: 64 bits; INT32: within its bounds; FLAG: 0 or 1 */
} ir_header_t;

#define IR_HEADERS_MAX 12

typedef struct ir_publication {
    const char *exchange;
    ir_view_t routing_key; /* at most 255 bytes */
    const char *content_type;
    ir_view_t message_id; /* or empty */
    ir_view_t user_id;    /* empty, or the connection's user: the broker accepts no other */
    int64_t timestamp_s;  /* property timestamp, seconds since 1970; 0: none */
    const ir_header_t *headers;
    size_t n_headers;
    ir_view_t body;
    bool mandatory; /* an unroutable message counts as failed */
    bool transient; /* delivery mode 1 instead of 2 */
    void *ticket;   /* returned with the answer, see ir_publisher_on_answer */
} ir_publication_t;

#endif
