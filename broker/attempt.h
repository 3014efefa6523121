/* Cancels an attempt to connect from another thread. The owner embeds the struct and passes its
 * address to ir_broker_connect in the options. */
#ifndef IR_BROKER_ATTEMPT_H
#define IR_BROKER_ATTEMPT_H

#include <pthread.h>
#include <stdbool.h>

typedef struct ir_attempt {
    pthread_mutex_t lock;
    int fd; /* socket of the connection that is being made; -1: none */
    bool cancelled;
} ir_attempt_t;

void ir_attempt_init(ir_attempt_t *attempt);
void ir_attempt_destroy(ir_attempt_t *attempt);

/* Any thread. A call that waits for the server's answer on this connection fails at once, and no
 * further connection is begun. Only a connect(2) to an absent host is not interrupted: it ends with
 * its time-out. */
void ir_attempt_cancel(ir_attempt_t *attempt);

/* Called by the connecting thread: it uses this socket from now on. Call with -1 before the socket
 * is closed. Returns false if the attempt is cancelled. NULL is allowed. */
bool ir_attempt_use(ir_attempt_t *attempt, int fd);

#endif
