#include "ingest/issue.h"

#include "common/arena.h"
#include "common/base64.h"
#include "common/buffer.h"
#include "common/name_table.h"
#include "common/program.h"
#include "ingest/tokens.h"
#include "observation/registry/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_BYTES 32
#define ARENA_CHUNK 65536

#define REGISTRY_SUFFIX ".ttl"

typedef struct issue {
    const ir_issue_request_t *request;
    ir_arena_t *arena;
    ir_name_table_t known; /* with --issue-missing: the motes that have a token already */
    ir_name_table_t named; /* the motes that get a token */
    ir_buffer_t tokens;    /* lines for the caller */
    ir_buffer_t hashes;    /* lines for the file */
    bool out_of_memory;
} issue_t;

static void append_hash(ir_buffer_t *out, ir_view_t mote, const ir_token_hash_t *hash) {
    ir_buffer_append_view(out, mote);
    ir_buffer_append_text(out, " sha256:");
    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        ir_buffer_append_format(out, "%02x", hash->bytes[i]);
    }
    ir_buffer_append_char(out, '\n');
}

/* ---- new tokens ---- */

static ir_status_t make_token(issue_t *issue, ir_view_t mote, ir_error_t *error) {
    char bytes[TOKEN_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return ir_error_set(error, IR_ERR_IO, "no random numbers: %s", strerror(errno));
    }
    ir_buffer_append_view(&issue->tokens, mote);
    ir_buffer_append_char(&issue->tokens, ' ');
    const size_t begin = issue->tokens.size;
    ir_base64_append(&issue->tokens, ir_view(bytes, sizeof bytes), true);
    if (!ir_buffer_ok(&issue->tokens)) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a token");
    }
    ir_token_hash_t hash;
    ir_token_digest(ir_view(issue->tokens.data + begin, issue->tokens.size - begin), &hash);
    ir_buffer_append_char(&issue->tokens, '\n');
    append_hash(&issue->hashes, mote, &hash);
    return IR_OK;
}

static bool remember(issue_t *issue, ir_name_table_t *motes, ir_view_t *name) {
    *name = ir_arena_copy(issue->arena, *name);
    return name->data != NULL && ir_name_table_add(motes, *name, issue);
}

/* Makes a token for a mote, unless the list has named the mote before. */
static ir_status_t take_mote(issue_t *issue, ir_view_t name, ir_error_t *error) {
    if (ir_name_table_find(&issue->known, name) != NULL) {
        return IR_OK;
    }
    return remember(issue, &issue->named, &name)
               ? make_token(issue, name, error)
               : ir_error_set(error, IR_ERR_MEMORY, "out of memory for a mote");
}

static ir_status_t take_name(issue_t *issue, const char *path, unsigned line, ir_view_t name,
                             ir_error_t *error) {
    if (!ir_mote_id_valid(name)) {
        return ir_error_set(error, IR_ERR_SYNTAX,
                            "%s:%u: '%.*s' is not a mote's id: at most 200 letters, digits, '-', "
                            "':' and '_', beginning with a letter or digit",
                            path, line, name.size > 60 ? 60 : (int)name.size, name.data);
    }
    if (ir_name_table_find(&issue->named, name) != NULL) {
        return ir_error_set(error, IR_ERR_SYNTAX, "%s:%u: mote '%.*s' is named twice", path, line,
                            IR_VIEW_ARG(name));
    }
    return take_mote(issue, name, error);
}

static ir_status_t take_registered(void *context, const ir_mote_t *mote, ir_error_t *error) {
    return take_mote(context, ir_view_text(mote->id), error);
}

static ir_status_t read_registry(issue_t *issue, const char *path, ir_error_t *error) {
    ir_registry_t *registry = NULL;
    ir_status_t status = ir_registry_load(path, &registry, &ir_program_teller, error);
    if (status == IR_OK) {
        status = ir_registry_each_mote(registry, take_registered, issue, error);
    }
    ir_registry_unref(registry);
    return status;
}

static ir_status_t read_names(issue_t *issue, const char *path, ir_error_t *error) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (file == NULL) {
        return ir_error_set(error, errno == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                            "cannot open the motes' names %s: %s", path, strerror(errno));
    }
    ir_status_t status = IR_OK;
    char *text = NULL;
    size_t size = 0;
    unsigned line = 0;
    while (status == IR_OK && getline(&text, &size, file) > 0) {
        line++;
        const char *begin = text + strspn(text, " \t\r\n");
        const ir_view_t name = ir_view(begin, strcspn(begin, " \t\r\n"));
        if (name.size > 0 && name.data[0] != '#') {
            status = take_name(issue, path, line, name, error);
        }
    }
    free(text);
    if (file != stdin) {
        fclose(file);
    }
    return status;
}

static ir_status_t read_motes(issue_t *issue, ir_error_t *error) {
    const char *path = issue->request->names;
    const size_t size = strlen(path);
    const size_t suffix = strlen(REGISTRY_SUFFIX);
    struct stat facts;
    const bool folder = stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
    return folder || (size > suffix && strcmp(path + size - suffix, REGISTRY_SUFFIX) == 0)
               ? read_registry(issue, path, error)
               : read_names(issue, path, error);
}

/* ---- the file ---- */

static void know_mote(void *context, ir_view_t mote, const ir_token_hash_t *hash) {
    issue_t *issue = context;
    (void)hash;
    if (ir_name_table_find(&issue->known, mote) == NULL) {
        issue->out_of_memory = !remember(issue, &issue->known, &mote) || issue->out_of_memory;
    }
}

static ir_status_t find_known(issue_t *issue, ir_error_t *error) {
    if (!issue->request->missing || issue->request->tokens == NULL) {
        return IR_OK;
    }
    const ir_status_t status = ir_tokens_scan(issue->request->tokens, know_mote, issue, error);
    if (issue->out_of_memory) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the tokens");
    }
    return status == IR_ERR_NOT_FOUND ? IR_OK : status;
}

static void keep_line(void *context, ir_view_t mote, const ir_token_hash_t *hash) {
    issue_t *issue = context;
    if (ir_name_table_find(&issue->named, mote) == NULL) {
        append_hash(&issue->hashes, mote, hash);
    }
}

static bool write_all(int fd, ir_view_t bytes) {
    size_t done = 0;
    while (done < bytes.size) {
        const ssize_t written = write(fd, bytes.data + done, bytes.size - done);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return fsync(fd) == 0;
}

/* Writes a new file beside the old one, then renames it. */
static ir_status_t replace_file(const char *path, ir_view_t text, ir_error_t *error) {
    ir_buffer_t beside;
    ir_buffer_init(&beside);
    ir_buffer_append_format(&beside, "%s.XXXXXX", path);
    ir_buffer_append_char(&beside, '\0');
    if (!ir_buffer_ok(&beside)) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a path");
    }
    const int fd = mkostemp(beside.data, O_CLOEXEC); /* mode 0600 */
    bool done = fd >= 0 && write_all(fd, text);
    int failure = errno;
    if (fd >= 0 && close(fd) != 0 && done) {
        failure = errno;
        done = false;
    }
    if (done && rename(beside.data, path) != 0) {
        failure = errno;
        done = false;
    }
    if (!done && fd >= 0) {
        unlink(beside.data);
    }
    ir_buffer_free(&beside);
    return done ? IR_OK
                : ir_error_set(error, IR_ERR_IO, "cannot write the tokens %s: %s", path,
                               strerror(failure));
}

static ir_status_t merge(issue_t *issue, const char *path, ir_error_t *error) {
    const ir_status_t status = ir_tokens_scan(path, keep_line, issue, error);
    if (status != IR_OK && status != IR_ERR_NOT_FOUND) {
        return status;
    }
    return ir_buffer_ok(&issue->hashes)
               ? replace_file(path, ir_buffer_view(&issue->hashes), error)
               : ir_error_set(error, IR_ERR_MEMORY, "out of memory for the tokens");
}

static ir_status_t write_tokens(const issue_t *issue, FILE *out, ir_error_t *error) {
    if (!ir_buffer_ok(&issue->tokens) || !ir_buffer_ok(&issue->hashes)) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for tokens");
    }
    return fwrite(issue->tokens.data, 1, issue->tokens.size, out) == issue->tokens.size &&
                   fflush(out) == 0
               ? IR_OK
               : ir_error_set(error, IR_ERR_IO, "cannot write the tokens: %s", strerror(errno));
}

ir_status_t ir_issue_tokens(const ir_issue_request_t *request, FILE *out, ir_error_t *error) {
    issue_t issue = {.request = request, .arena = ir_arena_new(ARENA_CHUNK)};
    ir_buffer_init(&issue.tokens);
    ir_buffer_init(&issue.hashes);
    ir_status_t status = issue.arena != NULL
                             ? find_known(&issue, error)
                             : ir_error_set(error, IR_ERR_MEMORY, "out of memory for tokens");
    if (status == IR_OK) {
        status = read_motes(&issue, error);
    }
    if (status == IR_OK && issue.named.count > 0) {
        status = write_tokens(&issue, out, error);
    }
    if (status == IR_OK && issue.named.count > 0 && request->tokens != NULL) {
        status = merge(&issue, request->tokens, error);
    }
    ir_name_table_free(&issue.known);
    ir_name_table_free(&issue.named);
    ir_arena_free(issue.arena);
    ir_buffer_free(&issue.tokens);
    ir_buffer_free(&issue.hashes);
    return status;
}
