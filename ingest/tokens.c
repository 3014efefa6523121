#include "ingest/tokens.h"

#include "common/arena.h"
#include "common/name_table.h"
#include "observation/registry/registry.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK 65536
#define SPACES " \t\r\n"
#define HASH_PREFIX "sha256:"

typedef struct entry {
    ir_token_hash_t hash;
    ir_account_t *account;
} entry_t;

struct ir_tokens {
    ir_arena_t *arena;     /* accounts and their names */
    ir_name_table_t motes; /* name to account */
    entry_t *entries;      /* by hash */
    size_t n_entries, capacity;
};

/* ---- the file ---- */

typedef struct scan {
    const char *path;
    unsigned line;
    ir_token_line_fn each;
    void *context;
} scan_t;

static ir_view_t next_word(char **text) {
    *text += strspn(*text, SPACES);
    const ir_view_t word = ir_view(*text, strcspn(*text, SPACES));
    *text += word.size;
    return word;
}

static int digit_of(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hash(ir_view_t word, ir_token_hash_t *hash) {
    const size_t prefix = strlen(HASH_PREFIX);
    if (word.size != prefix + 2 * sizeof hash->bytes ||
        memcmp(word.data, HASH_PREFIX, prefix) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        const int high = digit_of(word.data[prefix + 2 * i]);
        const int low = digit_of(word.data[prefix + 2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        hash->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static ir_status_t take_line(const scan_t *scan, char *text, ir_error_t *error) {
    const ir_view_t mote = next_word(&text);
    if (mote.size == 0 || mote.data[0] == '#') {
        return IR_OK;
    }
    const ir_view_t word = next_word(&text);
    ir_token_hash_t hash;
    if (!ir_mote_id_valid(mote)) {
        return ir_error_set(error, IR_ERR_SYNTAX,
                            "%s:%u: '%.60s' is not a mote's id: at most 200 letters, digits, '-', "
                            "':' and '_', beginning with a letter or digit",
                            scan->path, scan->line, mote.data);
    }
    if (!parse_hash(word, &hash) || next_word(&text).size > 0) {
        return ir_error_set(error, IR_ERR_SYNTAX,
                            "%s:%u: not 'MOTE sha256:HEX' with 64 digits in lower case; "
                            "--issue-tokens writes such lines",
                            scan->path, scan->line);
    }
    scan->each(scan->context, mote, &hash);
    return IR_OK;
}

ir_status_t ir_tokens_scan(const char *path, ir_token_line_fn each, void *context,
                           ir_error_t *error) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return ir_error_set(error, errno == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                            "cannot open the tokens %s: %s; --issue-tokens makes such a file", path,
                            strerror(errno));
    }
    scan_t scan = {path, 0, each, context};
    ir_status_t status = IR_OK;
    char *text = NULL;
    size_t size = 0;
    while (status == IR_OK && getline(&text, &size, file) > 0) {
        scan.line++;
        status = take_line(&scan, text, error);
    }
    if (status == IR_OK && !feof(file)) {
        status =
            ir_error_set(error, IR_ERR_IO, "cannot read the tokens %s: %s", path, strerror(errno));
    }
    free(text);
    fclose(file);
    return status;
}

/* ---- the table ---- */

typedef struct loading {
    ir_tokens_t *tokens;
    bool out_of_memory;
} loading_t;

static ir_account_t *account_of(ir_tokens_t *tokens, ir_view_t mote) {
    ir_account_t *account = ir_name_table_find(&tokens->motes, mote);
    if (account != NULL) {
        return account;
    }
    const ir_view_t name = ir_arena_copy(tokens->arena, mote);
    account = ir_arena_alloc(tokens->arena, sizeof *account);
    if (name.data == NULL || account == NULL) {
        return NULL;
    }
    *account = (ir_account_t){.mote = name.data};
    if (!ir_name_table_add(&tokens->motes, name, account)) {
        return NULL;
    }
    return account;
}

static bool make_room(ir_tokens_t *tokens) {
    if (tokens->n_entries < tokens->capacity) {
        return true;
    }
    const size_t capacity = tokens->capacity > 0 ? tokens->capacity * 2 : 64;
    entry_t *entries = realloc(tokens->entries, capacity * sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    tokens->entries = entries;
    tokens->capacity = capacity;
    return true;
}

static void add_token(void *context, ir_view_t mote, const ir_token_hash_t *hash) {
    loading_t *loading = context;
    ir_tokens_t *tokens = loading->tokens;
    ir_account_t *account = loading->out_of_memory ? NULL : account_of(tokens, mote);
    if (account == NULL || !make_room(tokens)) {
        loading->out_of_memory = true;
        return;
    }
    tokens->entries[tokens->n_entries++] = (entry_t){*hash, account};
}

static int compare_entries(const void *a, const void *b) {
    return memcmp(((const entry_t *)a)->hash.bytes, ((const entry_t *)b)->hash.bytes,
                  IR_TOKEN_HASH_SIZE);
}

static ir_status_t check_single(const char *path, const ir_tokens_t *tokens, ir_error_t *error) {
    for (size_t i = 1; i < tokens->n_entries; i++) {
        const entry_t *entry = &tokens->entries[i];
        if (compare_entries(entry - 1, entry) == 0 && entry->account != entry[-1].account) {
            return ir_error_set(error, IR_ERR_SYNTAX, "%s: motes '%s' and '%s' have the same token",
                                path, entry[-1].account->mote, entry->account->mote);
        }
    }
    return IR_OK;
}

ir_status_t ir_tokens_load(const char *path, ir_tokens_t **tokens, ir_error_t *error) {
    loading_t loading = {.tokens = calloc(1, sizeof *loading.tokens)};
    ir_tokens_t *made = loading.tokens;
    if (made == NULL || (made->arena = ir_arena_new(ARENA_CHUNK)) == NULL) {
        ir_tokens_free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "tokens: out of memory");
    }
    ir_status_t status = ir_tokens_scan(path, add_token, &loading, error);
    if (status == IR_OK && loading.out_of_memory) {
        status = ir_error_set(error, IR_ERR_MEMORY, "tokens %s: out of memory", path);
    }
    if (status == IR_OK && made->n_entries > 0) {
        qsort(made->entries, made->n_entries, sizeof *made->entries, compare_entries);
        status = check_single(path, made, error);
    }
    if (status != IR_OK) {
        ir_tokens_free(made);
        return status;
    }
    *tokens = made;
    return IR_OK;
}

void ir_tokens_free(ir_tokens_t *tokens) {
    if (tokens == NULL) {
        return;
    }
    ir_name_table_free(&tokens->motes);
    ir_arena_free(tokens->arena);
    free(tokens->entries);
    free(tokens);
}

void ir_token_digest(ir_view_t token, ir_token_hash_t *hash) {
    struct sha256_ctx digest;
    sha256_init(&digest);
    sha256_update(&digest, token.size, (const uint8_t *)token.data);
    sha256_digest(&digest, sizeof hash->bytes, hash->bytes);
}

ir_account_t *ir_tokens_find(const ir_tokens_t *tokens, ir_view_t token) {
    entry_t wanted = {.account = NULL};
    if (token.size == 0 || tokens->n_entries == 0) {
        return NULL;
    }
    ir_token_digest(token, &wanted.hash);
    const entry_t *found = bsearch(&wanted, tokens->entries, tokens->n_entries,
                                   sizeof *tokens->entries, compare_entries);
    return found != NULL &&
                   memeql_sec(found->hash.bytes, wanted.hash.bytes, IR_TOKEN_HASH_SIZE) != 0
               ? found->account
               : NULL;
}

ir_account_t *ir_tokens_account(const ir_tokens_t *tokens, const char *mote) {
    return ir_name_table_find(&tokens->motes, ir_view_text(mote));
}

void ir_tokens_inherit(ir_tokens_t *tokens, const ir_tokens_t *before) {
    for (size_t i = 0; i < tokens->n_entries; i++) {
        ir_account_t *account = tokens->entries[i].account;
        const ir_account_t *old = ir_name_table_find(&before->motes, ir_view_text(account->mote));
        if (old != NULL) {
            account->bucket = old->bucket;
            account->decoding = old->decoding;
            account->turn = old->turn;
        }
    }
}

size_t ir_tokens_count(const ir_tokens_t *tokens) {
    return tokens->n_entries;
}

size_t ir_tokens_motes(const ir_tokens_t *tokens) {
    return tokens->motes.count;
}
