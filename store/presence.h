/* Whether an open file is still the one at its path. A file that was removed, moved or replaced
 * while it is open takes every write, and nobody finds them afterwards. One stat a question. */
#ifndef IR_STORE_PRESENCE_H
#define IR_STORE_PRESENCE_H

#include <stdbool.h>
#include <sys/stat.h>

typedef struct ir_presence {
    bool known; /* false: nothing is held against it */
    dev_t device;
    ino_t inode;
} ir_presence_t;

/* What stands at the path now. False, and not known, when nothing does (errno). */
bool ir_presence_note(ir_presence_t *presence, const char *path);

/* The open file. */
bool ir_presence_note_open(ir_presence_t *presence, int fd);

/* NULL: it is there, or is not known. Else what happened to it, to follow the path: "was removed or
 * moved away", "was replaced", "cannot be looked at". `facts` (may be NULL) gets what stat says. */
const char *ir_presence_missing(const ir_presence_t *presence, const char *path,
                                struct stat *facts);

#endif
