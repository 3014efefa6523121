#include "store/graph/nquads/directory_lock.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* Byte offsets in the lock file. */
#define QUEUE 0 /* this byte is locked while waiting for the other one */
#define WRITE 1

#define POLL_NS (IR_MILLISECOND_NS / 2)

static int set_lock(int fd, short type, off_t byte) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

/* Polls, because waiting for a lock in the kernel has no time limit. */
static int wait_lock(int fd, short type, off_t byte, int64_t deadline_ns) {
    int code = set_lock(fd, type, byte);
    while ((code == EAGAIN || code == EACCES || code == EINTR) &&
           ir_clock_monotonic() < deadline_ns) {
        const struct timespec pause = {.tv_nsec = POLL_NS};
        nanosleep(&pause, NULL);
        code = set_lock(fd, type, byte);
    }
    return code;
}

ir_status_t ir_directory_lock(int fd, const char *directory, bool alone, int64_t timeout_ns,
                              ir_error_t *error) {
    const int64_t deadline_ns = ir_clock_monotonic() + timeout_ns;
    int code = wait_lock(fd, F_WRLCK, QUEUE, deadline_ns);
    if (code == 0) {
        code = wait_lock(fd, alone ? F_WRLCK : F_RDLCK, WRITE, deadline_ns);
        set_lock(fd, F_UNLCK, QUEUE);
    }
    if (code == EAGAIN || code == EACCES || code == EINTR) {
        return ir_error_set(
            error, IR_ERR_TIMEOUT,
            "graph directory %s: another writer keeps it locked; look for a suspended ir-worker",
            directory);
    }
    return code == 0 ? IR_OK
                     : ir_error_set(error, IR_ERR_IO, "cannot lock the graph directory %s: %s",
                                    directory, strerror(code));
}

void ir_directory_unlock(int fd) {
    set_lock(fd, F_UNLCK, WRITE);
}
