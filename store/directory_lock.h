/* Who may write to an N-Quads directory at a moment: writers of what is certainly new together,
 * one that looks up before it writes alone. A waiting writer stands in a queue of one place, so
 * that those who write together cannot keep it out for ever. The locks end with their process. */
#ifndef IR_STORE_DIRECTORY_LOCK_H
#define IR_STORE_DIRECTORY_LOCK_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

/* `fd` is the lock file, opened for reading and writing by this writer. Waits at most `timeout_ns`;
 * IR_ERR_TIMEOUT then. */
ir_status_t ir_directory_lock(int fd, const char *directory, bool alone, int64_t timeout_ns,
                              ir_error_t *error);
void ir_directory_unlock(int fd);

#endif
