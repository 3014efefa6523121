#include "common/ini.h"

#include "common/arena.h"
#include "common/name_table.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <string.h>

#define SECTION_SIZE 64 /* libinih keeps less */
#define NAME_SIZE 64    /* the same */
#define BLANKS " \t\r\n\v\f"
#define BOM "\xEF\xBB\xBF"
#define ARENA_CHUNK 4096

typedef struct reading {
    FILE *file;
    const char *path;
    ir_ini_take_fn take;
    void *context;
    ir_fault_list_t *faults;
    unsigned line;
    bool only_semicolon; /* the line's value; libinih takes it for the beginning of a comment */
    bool in_order;       /* true if the line is empty, a comment or a section, or was accepted */
    bool section_is_wrong;
    char wrong_section[SECTION_SIZE]; /* the last unknown section */
    ir_arena_t *arena;
    ir_name_table_t given; /* maps "SECTION\nNAME" to its line (unsigned); in the arena */
} reading_t;

static void add(const reading_t *reading, ir_status_t status, const char *text) {
    ir_error_t fault;
    if (reading->line > 0) {
        ir_error_set(&fault, status, "%s:%u: %s", reading->path, reading->line, text);
    } else { /* the file cannot be read at all */
        ir_error_set(&fault, status, "%s: %s", reading->path, text);
    }
    ir_fault_list_add(reading->faults, reading->line, &fault);
}

/* libinih reports only the first line that it cannot parse, and only after the last line. */
static void judge(const reading_t *reading) {
    if (!reading->in_order) {
        add(reading, IR_ERR_USAGE, "neither a section nor NAME = VALUE");
    }
}

static bool needs_no_taking(const char *line) {
    line += strncmp(line, BOM, strlen(BOM)) == 0 ? strlen(BOM) : 0;
    line += strspn(line, BLANKS);
    return line[0] == '\0' || line[0] == ';' || line[0] == '#' ||
           (line[0] == '[' && strchr(line, ']') != NULL);
}

/* Skips the rest of a line that is too long, and discards the line. */
static void refuse_long(reading_t *reading, char *line) {
    int byte = 0;
    do {
        byte = getc(reading->file);
    } while (byte != '\n' && byte != EOF);
    line[0] = '\0';
    add(reading, IR_ERR_USAGE, "the line is too long");
}

/* libinih treats any indented line as a continuation of the previous value. */
static void unindent(char *line) {
    const size_t blanks = strspn(line, BLANKS);
    memmove(line, line + blanks, strlen(line + blanks) + 1);
}

static bool has_only_semicolon(const char *line) {
    const char *sign = line + strcspn(line, "=:");
    sign += sign[0] != '\0';
    const size_t blanks = strspn(sign, BLANKS);
    return blanks > 0 && sign[blanks] == ';' &&
           sign[blanks + 1 + strspn(sign + blanks + 1, BLANKS)] == '\0';
}

/* libinih calls this for the next line. */
static char *next_line(char *out, int size, void *stream) {
    reading_t *reading = stream;
    judge(reading);
    reading->in_order = true;
    if (fgets(out, size, reading->file) == NULL) {
        return NULL;
    }
    reading->line++;
    const bool cut = strchr(out, '\n') == NULL && !feof(reading->file);
    if (cut && strlen(out) + 1 < (size_t)size) { /* not a text file: reports no further lines */
        add(reading, IR_ERR_USAGE, "there is a NUL byte; if the file is UTF-16, save it as UTF-8");
        return NULL;
    }
    if (cut) {
        refuse_long(reading, out);
    }
    unindent(out);
    reading->only_semicolon = has_only_semicolon(out);
    reading->in_order = needs_no_taking(out);
    return out;
}

/* Refuses a name that occurs twice in a section: one of the two values would have no effect. */
static ir_status_t check_first(reading_t *reading, const char *section, const char *name,
                               ir_error_t *error) {
    char key[SECTION_SIZE + NAME_SIZE];
    snprintf(key, sizeof key, "%s\n%s", section, name);
    const unsigned *before = ir_name_table_find(&reading->given, ir_view_text(key));
    if (before != NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "%s is given twice; line %u has it already", name,
                            *before);
    }
    const ir_view_t kept = ir_arena_copy(reading->arena, ir_view_text(key));
    unsigned *line = ir_arena_alloc(reading->arena, sizeof *line);
    if (kept.data == NULL || line == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory");
    }
    *line = reading->line;
    return ir_name_table_add(&reading->given, kept, line)
               ? IR_OK
               : ir_error_set(error, IR_ERR_MEMORY, "out of memory");
}

static int on_line(void *user, const char *section, const char *name, const char *value) {
    reading_t *reading = user;
    ir_error_t error = {.status = IR_OK};
    reading->in_order = true;
    ir_status_t status =
        reading->only_semicolon
            ? ir_error_set(&error, IR_ERR_USAGE,
                           "%s has no value, because a ; after a blank begins a comment; write "
                           "the word semicolon",
                           name)
            : reading->take(reading->context, section, name, value, &error);
    if (status == IR_OK) {
        status = check_first(reading, section, name, &error);
    }
    const bool whole = status == IR_ERR_NOT_FOUND;
    const bool known = reading->section_is_wrong && strcmp(section, reading->wrong_section) == 0;
    if (status != IR_OK && !(whole && known)) {
        add(reading, whole ? IR_ERR_USAGE : status, error.text);
    }
    if (whole) {
        reading->section_is_wrong = true;
        snprintf(reading->wrong_section, sizeof reading->wrong_section, "%s", section);
    }
    return 1;
}

void ir_ini_read(FILE *file, const char *path, ir_ini_take_fn take, void *context,
                 ir_fault_list_t *faults) {
    reading_t reading = {.file = file,
                         .path = path,
                         .take = take,
                         .context = context,
                         .faults = faults,
                         .in_order = true,
                         .arena = ir_arena_new(ARENA_CHUNK)};
    if (reading.arena == NULL) {
        add(&reading, IR_ERR_MEMORY, "out of memory");
        return;
    }
    (void)ini_parse_stream(next_line, &reading, on_line, &reading);
    if (ferror(file)) {
        add(&reading, IR_ERR_USAGE, strerror(errno));
    }
    ir_name_table_free(&reading.given);
    ir_arena_free(reading.arena);
}
