/* Threads that take no signals: those belong to the thread that runs the event loop. */
#ifndef IR_COMMON_THREAD_H
#define IR_COMMON_THREAD_H

#include <pthread.h>

/* As pthread_create, with every signal blocked in the new thread. 0, or an errno value; `thread` is
 * then undefined. Any thread. */
int ir_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
