/* Starts threads that receive no signals: the event-loop thread handles all signals. */
#ifndef IR_COMMON_THREAD_H
#define IR_COMMON_THREAD_H

#include <pthread.h>

/* Like pthread_create, but all signals are blocked in the new thread. Returns 0 or an errno value;
 * on failure `thread` is undefined. Any thread. */
int ir_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
