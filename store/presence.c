#include "store/presence.h"

#include <errno.h>
#include <stddef.h>

static bool note(ir_file_presence_t *presence, bool found, const struct stat *facts) {
    *presence = (ir_file_presence_t){.known = found};
    if (found) {
        presence->device = facts->st_dev;
        presence->inode = facts->st_ino;
    }
    return found;
}

bool ir_presence_note(ir_file_presence_t *presence, const char *path) {
    struct stat facts;
    return note(presence, stat(path, &facts) == 0, &facts);
}

bool ir_presence_note_open(ir_file_presence_t *presence, int fd) {
    struct stat facts;
    return note(presence, fstat(fd, &facts) == 0, &facts);
}

const char *ir_presence_missing(const ir_file_presence_t *presence, const char *path,
                                struct stat *facts) {
    struct stat found;
    if (!presence->known) {
        return NULL;
    }
    if (stat(path, &found) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? "was removed or moved away"
                                                   : "cannot be looked at";
    }
    if (facts != NULL) {
        *facts = found;
    }
    return found.st_dev == presence->device && found.st_ino == presence->inode ? NULL
                                                                               : "was replaced";
}
