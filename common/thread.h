/* Starts threads that receive no signals: the event-loop thread handles all signals. Makes what
 * threads wait for. */
#ifndef IR_COMMON_THREAD_H
#define IR_COMMON_THREAD_H

#include <pthread.h>

/* Initialises a lock and a condition whose timed waits use CLOCK_MONOTONIC. */
void ir_thread_init_condition(pthread_mutex_t *lock, pthread_cond_t *condition);

/* Like pthread_create, but all signals are blocked in the new thread. Returns 0 or an errno value;
 * on failure `thread` is undefined. Any thread. */
int ir_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
