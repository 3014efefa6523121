/* Decides who may write to an N-Quads directory at a given time. Writers of certainly new
 * observations may write at the same time. A writer that looks up observations before it writes
 * must be the only writer. While it waits, it holds a queue of one place, so that writers of the
 * first kind cannot keep it waiting for ever. The locks end with their process. */
#ifndef IR_STORE_GRAPH_NQUADS_DIRECTORY_LOCK_H
#define IR_STORE_GRAPH_NQUADS_DIRECTORY_LOCK_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

/* `fd` is the lock file, opened by this writer for reading and writing. Waits at most `timeout_ns`,
 * then returns IR_ERR_TIMEOUT. */
ir_status_t ir_directory_lock(int fd, const char *directory, bool alone, int64_t timeout_ns,
                              ir_error_t *error);
void ir_directory_unlock(int fd);

#endif
