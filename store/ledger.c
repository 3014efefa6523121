#include "store/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "# ir-ledger 1"
#define PATH_SIZE 256
#define KINDS 2
#define FIRST_CAPACITY 1024
#define WRITE_BUFFER_SIZE ((size_t)64 * 1024)
/* Longer than any right line. */
#define LINE_SIZE 64

/* ---- writing ---- */

struct ir_ledger_writer {
    FILE *file;
    char path[PATH_SIZE];
};

static ir_status_t write_failed(const char *path, ir_error_t *error) {
    const int code = errno;
    return ir_error_set(error, code == ENOSPC || code == EDQUOT ? IR_ERR_FULL : IR_ERR_IO,
                        "ledger %s: cannot write: %s%s", path, strerror(code),
                        code == ENOSPC ? "; free some space and send again" : "");
}

ir_status_t ir_ledger_create(const char *path, ir_ledger_writer_t **writer, ir_error_t *error) {
    ir_ledger_writer_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "ledger %s: out of memory", path);
    }
    snprintf(made->path, sizeof made->path, "%s", path);
    made->file = fopen(path, "we");
    if (made->file == NULL) {
        const ir_status_t status =
            ir_error_set(error, IR_ERR_IO, "ledger %s: cannot create: %s", path, strerror(errno));
        free(made);
        return status;
    }
    setvbuf(made->file, NULL, _IOFBF, WRITE_BUFFER_SIZE);
    if (fputs(HEADER "\n", made->file) < 0) {
        const ir_status_t status = write_failed(path, error);
        fclose(made->file);
        free(made);
        return status;
    }
    *writer = made;
    return IR_OK;
}

static bool write_line(FILE *file, char kind, const ir_id_t *id) {
    char line[2 + IR_ID_TEXT_SIZE] = {kind, ' '};
    ir_id_format(id, line + 2);
    line[sizeof line - 1] = '\n';
    return fwrite(line, sizeof line, 1, file) == 1;
}

ir_status_t ir_ledger_write(ir_ledger_writer_t *writer, char kind, const ir_id_t *raw_id,
                            const ir_id_t *observations, size_t n_observations, ir_error_t *error) {
    if (strchr("mur", kind) == NULL || kind == '\0' || (kind == 'r' && n_observations > 0)) {
        return ir_error_set(error, IR_ERR_USAGE, "ledger %s: no entry of kind '%c'%s", writer->path,
                            kind, kind == 'r' ? " has observations" : "");
    }
    bool good = write_line(writer->file, kind, raw_id);
    for (size_t i = 0; good && i < n_observations; i++) {
        good = write_line(writer->file, kind == 'm' ? 'o' : 'p', &observations[i]);
    }
    return good ? IR_OK : write_failed(writer->path, error);
}

ir_status_t ir_ledger_close(ir_ledger_writer_t *writer, ir_error_t *error) {
    if (writer == NULL) {
        return IR_OK;
    }
    /* An error may stand from an earlier write while the last flush succeeds. */
    const bool spoilt = ferror(writer->file) != 0;
    ir_status_t status = IR_OK;
    if (fclose(writer->file) != 0) {
        status = write_failed(writer->path, error);
    } else if (spoilt) {
        status = ir_error_set(error, IR_ERR_IO, "ledger %s: incomplete, an earlier write failed",
                              writer->path);
    }
    free(writer);
    return status;
}

/* ---- reading ---- */

enum { MARK_REQUIRED = 1, MARK_SEEN = 2 };

/* Only bytes, so that it takes 17 of them. */
typedef struct ir_ledger_entry {
    ir_id_t id;
    uint8_t marks;
} ir_ledger_entry_t;

typedef struct ir_ledger_set {
    ir_ledger_entry_t *entries; /* sorted by id, distinct */
    size_t count, capacity;
    uint64_t required;
} ir_ledger_set_t;

struct ir_ledger {
    ir_ledger_set_t sets[KINDS];
    ir_ledger_kind_t kind; /* of the comparison under way */
    ir_ledger_result_t result;
};

static bool add_entry(ir_ledger_set_t *set, const ir_id_t *id, uint8_t marks) {
    if (set->count == set->capacity) {
        const size_t capacity = set->capacity > 0 ? set->capacity * 2 : FIRST_CAPACITY;
        ir_ledger_entry_t *grown = realloc(set->entries, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        set->entries = grown;
        set->capacity = capacity;
    }
    set->entries[set->count++] = (ir_ledger_entry_t){*id, marks};
    return true;
}

static int compare_entries(const void *a, const void *b) {
    return ir_id_compare(&((const ir_ledger_entry_t *)a)->id, &((const ir_ledger_entry_t *)b)->id);
}

static void sort_set(ir_ledger_set_t *set) {
    if (set->count == 0) {
        return;
    }
    qsort(set->entries, set->count, sizeof *set->entries, compare_entries);
    size_t kept = 0;
    for (size_t i = 1; i < set->count; i++) {
        if (compare_entries(&set->entries[kept], &set->entries[i]) == 0) {
            set->entries[kept].marks |= set->entries[i].marks;
        } else {
            set->entries[++kept] = set->entries[i];
        }
    }
    set->count = kept + 1;
    set->required = 0;
    for (size_t i = 0; i < set->count; i++) {
        set->required += (set->entries[i].marks & MARK_REQUIRED) != 0;
    }
}

/* One line without its newline. `message` is the kind of the message line above it, 0 at first. */
static ir_status_t read_line(ir_ledger_t *ledger, const char *line, char *message,
                             const char **wrong) {
    ir_id_t id;
    const char kind = line[0];
    if (kind == '\0' || strchr("moupr", kind) == NULL || line[1] != ' ' ||
        !ir_id_parse(ir_view_text(line + 2), &id)) {
        *wrong = "neither \"m\", \"o\", \"u\", \"p\" nor \"r\", a space and an id";
        return IR_ERR_SYNTAX;
    }
    const bool observation = kind == 'o' || kind == 'p';
    if (observation && *message != (kind == 'o' ? 'm' : 'u')) {
        *wrong = kind == 'o' ? "an \"o\" line without its \"m\" line"
                             : "a \"p\" line without its \"u\" line";
        return IR_ERR_SYNTAX;
    }
    if (!observation) {
        *message = kind;
    }
    ir_ledger_set_t *set = &ledger->sets[observation ? IR_LEDGER_OBSERVATION : IR_LEDGER_RAW];
    const uint8_t marks = kind == 'u' || kind == 'p' ? 0 : MARK_REQUIRED;
    *wrong = "out of memory";
    return add_entry(set, &id, marks) ? IR_OK : IR_ERR_MEMORY;
}

static ir_status_t read_lines(ir_ledger_t *ledger, FILE *file, const char *path,
                              ir_error_t *error) {
    char line[LINE_SIZE];
    char message = 0;
    for (uint64_t number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        const size_t size = strlen(line);
        const char *wrong = "cut off or too long";
        ir_status_t status = IR_ERR_SYNTAX;
        if (size > 0 && line[size - 1] == '\n') {
            line[size - 1] = '\0';
            wrong = "not a ledger: the first line is not \"" HEADER "\"";
            if (number > 1) {
                status = read_line(ledger, line, &message, &wrong);
            } else if (strcmp(line, HEADER) == 0) {
                status = IR_OK;
            }
        }
        if (status != IR_OK) {
            return ir_error_set(error, status, "ledger %s:%llu: %s", path,
                                (unsigned long long)number, wrong);
        }
    }
    if (ferror(file)) {
        return ir_error_set(error, IR_ERR_IO, "ledger %s: cannot read: %s", path, strerror(errno));
    }
    return IR_OK;
}

ir_status_t ir_ledger_add(ir_ledger_t *ledger, const char *path, ir_error_t *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ir_error_set(error, errno == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                            "ledger %s: cannot open: %s", path, strerror(errno));
    }
    ir_status_t status = IR_OK;
    if (getc(file) == EOF) {
        status =
            ir_error_set(error, IR_ERR_SYNTAX,
                         "ledger %s:1: not a ledger: the file is empty or cannot be read", path);
    } else {
        rewind(file);
        status = read_lines(ledger, file, path, error);
    }
    fclose(file);
    for (int kind = 0; kind < KINDS; kind++) {
        sort_set(&ledger->sets[kind]);
    }
    return status;
}

ir_status_t ir_ledger_load(const char *path, ir_ledger_t **ledger, ir_error_t *error) {
    ir_ledger_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "ledger %s: out of memory", path);
    }
    const ir_status_t status = ir_ledger_add(made, path, error);
    if (status != IR_OK) {
        ir_ledger_free(made);
        return status;
    }
    *ledger = made;
    return IR_OK;
}

void ir_ledger_free(ir_ledger_t *ledger) {
    if (ledger == NULL) {
        return;
    }
    for (int kind = 0; kind < KINDS; kind++) {
        free(ledger->sets[kind].entries);
    }
    free(ledger);
}

uint64_t ir_ledger_count(const ir_ledger_t *ledger, ir_ledger_kind_t kind) {
    return ledger->sets[kind].required;
}

/* ---- comparing ---- */

void ir_ledger_begin(ir_ledger_t *ledger, ir_ledger_kind_t kind) {
    ledger->kind = kind;
    ledger->result = (ir_ledger_result_t){0};
    ir_ledger_set_t *set = &ledger->sets[kind];
    for (size_t i = 0; i < set->count; i++) {
        set->entries[i].marks &= (uint8_t)~MARK_SEEN;
    }
}

void ir_ledger_see(ir_ledger_t *ledger, const ir_id_t *id) {
    const ir_ledger_set_t *set = &ledger->sets[ledger->kind];
    const ir_ledger_entry_t wanted = {*id, 0};
    ir_ledger_entry_t *found = set->count == 0 ? NULL
                                               : bsearch(&wanted, set->entries, set->count,
                                                         sizeof wanted, compare_entries);
    if (found == NULL) {
        ledger->result.foreign++;
    } else if ((found->marks & MARK_SEEN) != 0) {
        ledger->result.doubled++;
    } else {
        found->marks |= MARK_SEEN;
        ledger->result.present++;
    }
}

void ir_ledger_end(ir_ledger_t *ledger, ir_ledger_result_t *result) {
    const ir_ledger_set_t *set = &ledger->sets[ledger->kind];
    for (size_t i = 0; i < set->count; i++) {
        ledger->result.missing += set->entries[i].marks == MARK_REQUIRED;
    }
    *result = ledger->result;
}
