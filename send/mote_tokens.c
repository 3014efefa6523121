#include "send/mote_tokens.h"

#include "common/secret_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"
#define FIRST_CAPACITY 64

typedef struct ir_mote_token {
    char *mote; /* the line's memory: "MOTE\0TOKEN\0" */
    const char *token;
} ir_mote_token_t;

struct ir_mote_tokens {
    ir_mote_token_t *all; /* sorted by mote */
    size_t count, capacity;
};

static int compare(const void *a, const void *b) {
    return strcmp(((const ir_mote_token_t *)a)->mote, ((const ir_mote_token_t *)b)->mote);
}

static bool reserve(ir_mote_tokens_t *tokens) {
    if (tokens->count < tokens->capacity) {
        return true;
    }
    const size_t capacity = tokens->capacity > 0 ? tokens->capacity * 2 : FIRST_CAPACITY;
    ir_mote_token_t *all = realloc(tokens->all, capacity * sizeof *all);
    if (all != NULL) {
        tokens->all = all;
        tokens->capacity = capacity;
    }
    return all != NULL;
}

static ir_status_t add(ir_mote_tokens_t *tokens, const char *mote, const char *token,
                       ir_error_t *error) {
    const size_t mote_size = strlen(mote) + 1;
    const size_t token_size = strlen(token) + 1;
    char *text = malloc(mote_size + token_size);
    if (text == NULL || !reserve(tokens)) {
        free(text);
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the motes' tokens");
    }
    memcpy(text, mote, mote_size);
    memcpy(text + mote_size, token, token_size);
    tokens->all[tokens->count++] = (ir_mote_token_t){.mote = text, .token = text + mote_size};
    return IR_OK;
}

static ir_status_t take_line(ir_mote_tokens_t *tokens, char *line, const char *path,
                             unsigned number, ir_error_t *error) {
    char *rest = NULL;
    const char *mote = strtok_r(line, BLANKS, &rest);
    if (mote == NULL || mote[0] == '#') {
        return IR_OK;
    }
    const char *token = strtok_r(NULL, BLANKS, &rest);
    if (token == NULL || strtok_r(NULL, BLANKS, &rest) != NULL) {
        return ir_error_set(error, IR_ERR_SYNTAX, "%s:%u: expected a mote and a token", path,
                            number);
    }
    return add(tokens, mote, token, error);
}

static ir_status_t read_lines(ir_mote_tokens_t *tokens, FILE *file, const char *path,
                              ir_error_t *error) {
    char *line = NULL;
    size_t size = 0;
    ir_status_t status = IR_OK;
    for (unsigned number = 1; status == IR_OK && getline(&line, &size, file) >= 0; number++) {
        status = take_line(tokens, line, path, number, error);
    }
    free(line);
    return status == IR_OK && ferror(file) != 0
               ? ir_error_set(error, IR_ERR_IO, "cannot read %s: %s", path, strerror(errno))
               : status;
}

ir_status_t ir_mote_tokens_load(const char *path, ir_mote_tokens_t **tokens, ir_error_t *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ir_error_set(error, IR_ERR_IO, "cannot open the motes' tokens %s: %s", path,
                            strerror(errno));
    }
    ir_mote_tokens_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        (void)fclose(file);
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the motes' tokens");
    }
    ir_status_t status = ir_secret_file_check(file, path, error);
    if (status == IR_OK) {
        status = read_lines(made, file, path, error);
    }
    (void)fclose(file);
    if (status != IR_OK) {
        ir_mote_tokens_free(made);
        return status;
    }
    if (made->count > 0) {
        qsort(made->all, made->count, sizeof made->all[0], compare);
    }
    *tokens = made;
    return IR_OK;
}

void ir_mote_tokens_free(ir_mote_tokens_t *tokens) {
    if (tokens != NULL) {
        for (size_t i = 0; i < tokens->count; i++) {
            free(tokens->all[i].mote);
        }
        free(tokens->all);
        free(tokens);
    }
}

size_t ir_mote_tokens_count(const ir_mote_tokens_t *tokens) {
    return tokens->count;
}

/* Like strcmp, for a mote and a text without a terminating NUL. */
static int compare_view(ir_view_t mote, const char *text) {
    const int order = strncmp(mote.data, text, mote.size);
    return order != 0 ? order : -(text[mote.size] != '\0');
}

const char *ir_mote_tokens_find(const ir_mote_tokens_t *tokens, ir_view_t mote) {
    size_t low = 0;
    size_t high = tokens->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compare_view(mote, tokens->all[middle].mote);
        if (order == 0) {
            return tokens->all[middle].token;
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return NULL;
}
