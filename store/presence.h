/* Checks that an open file is still the one at its path. A file that was removed, moved or replaced
 * while open accepts every write, but nobody finds the data afterwards. One stat per check. */
#ifndef IR_STORE_PRESENCE_H
#define IR_STORE_PRESENCE_H

#include <stdbool.h>
#include <sys/stat.h>

typedef struct ir_file_presence {
    bool known; /* false: there is nothing to compare with */
    dev_t device;
    ino_t inode;
} ir_file_presence_t;

/* Records the file at the path. Returns false, with `known` false, when there is none (errno). */
bool ir_presence_note(ir_file_presence_t *presence, const char *path);

/* Records the open file. */
bool ir_presence_note_open(ir_file_presence_t *presence, int fd);

/* Returns NULL if the file is there, or is not known. Otherwise a text about what happened to it,
 * to be appended to the path: "was removed or moved away", "was replaced", "cannot be looked at".
 * `facts` (may be NULL) receives stat's result. */
const char *ir_presence_missing(const ir_file_presence_t *presence, const char *path,
                                struct stat *facts);

#endif
