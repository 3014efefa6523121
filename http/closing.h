/* Why this side closed a connection, or why it ended in the middle of a request. Pure functions. */
#ifndef IR_HTTP_CLOSING_H
#define IR_HTTP_CLOSING_H

typedef enum ir_closing {
    IR_CLOSING_IDLE,          /* "idle": the keep-alive time ended */
    IR_CLOSING_CROWDED,       /* "crowded": it was idle, and its slot was needed */
    IR_CLOSING_SLOW_HEADERS,  /* "slow-headers": 408 */
    IR_CLOSING_SLOW_BODY,     /* "slow-body": 408 */
    IR_CLOSING_SLOW_READER,   /* "slow-reader": the answer was not read in time */
    IR_CLOSING_MANY_HEADERS,  /* "many-headers": 431 */
    IR_CLOSING_LARGE_HEADERS, /* "large-headers": 431 */
    IR_CLOSING_LARGE_BODY,    /* "large-body": 413 */
    IR_CLOSING_MEMORY,        /* "memory": 503, unfinished requests take too much memory */
    IR_CLOSING_BROKEN,        /* "broken": the request was not HTTP (400) or incomplete */
    IR_CLOSING_COUNT
} ir_closing_t;

const char *ir_closing_text(ir_closing_t closing);

/* The code of the answer that the peer gets first; 0: none. */
int ir_closing_code(ir_closing_t closing);

/* The detail of that answer; NULL: none. */
const char *ir_closing_detail(ir_closing_t closing);

#endif
