#include "observation/senml/senml.h"
#include "store/ledger_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLD_HEADER "# ir-ledger 1"
/* Longer than any valid line: two names, two ids, three numbers. */
#define LINE_SIZE (2 * IR_NAME_SIZE_MAX + 2 * IR_ID_TEXT_SIZE + 64)

/* The state of reading. */
typedef struct ir_ledger_reading {
    ir_ledger_t *ledger;
    bool known;   /* its entries may be stored, but need not */
    char message; /* kind of the last line about a message; 0: there was none */
    bool ended;
    const char *wrong;
} ir_ledger_reading_t;

static ir_status_t wrong(ir_ledger_reading_t *reading, const char *text) {
    reading->wrong = text;
    return IR_ERR_SYNTAX;
}

static ir_status_t noted(ir_ledger_reading_t *reading, bool good) {
    reading->wrong = "out of memory";
    return good ? IR_OK : IR_ERR_MEMORY;
}

static ir_status_t take_id(ir_ledger_reading_t *reading, const char *line) {
    ir_id_t id;
    const char kind = line[0];
    if (kind == '\0' || strchr("moupr", kind) == NULL || line[1] != ' ' ||
        !ir_id_parse(ir_view_text(line + 2), &id)) {
        return wrong(reading, "neither \"m\", \"o\", \"u\", \"p\" nor \"r\", a space and an id");
    }
    const bool observation = kind == 'o' || kind == 'p';
    if (observation && reading->message != (kind == 'o' ? 'm' : 'u')) {
        return wrong(reading, kind == 'o' ? "an \"o\" line without its \"m\" line"
                                          : "a \"p\" line without its \"u\" line");
    }
    if (!observation) {
        reading->message = kind;
    }
    return noted(reading, ir_ledger_note(reading->ledger,
                                         observation ? IR_LEDGER_OBSERVATION : IR_LEDGER_RAW, &id,
                                         kind != 'u' && kind != 'p' && !reading->known));
}

/* The next field of a line that strsep splits; empty when there is none. */
static ir_view_t next_field(char **rest) {
    const char *field = strsep(rest, " ");
    return ir_view_text(field != NULL ? field : "");
}

static bool next_count(char **rest, uint32_t *count) {
    const ir_view_t text = next_field(rest);
    char *end = NULL;
    if (text.size == 0 || !isdigit((unsigned char)text.data[0])) {
        return false;
    }
    errno = 0;
    const unsigned long number = strtoul(text.data, &end, 10);
    *count = (uint32_t)number;
    return *end == '\0' && errno == 0 && number <= UINT32_MAX;
}

static ir_status_t take_arrival(ir_ledger_reading_t *reading, char *line) {
    ir_ledger_arrival_t arrival = {.records = 0};
    char *rest = line + 1;
    (void)next_field(&rest); /* skips the empty field before the space */
    const bool good = ir_id_parse(next_field(&rest), &arrival.content) &&
                      (arrival.mote = next_field(&rest)).size > 0 &&
                      next_count(&rest, &arrival.records) && next_count(&rest, &arrival.sent) &&
                      next_count(&rest, &arrival.confirmed) && arrival.sent >= arrival.confirmed;
    if (!good || (rest != NULL && !ir_id_parse(next_field(&rest), &arrival.raw_id))) {
        return wrong(reading, "not \"t CONTENT MOTE RECORDS SENT CONFIRMED [RAW-ID NAME]\"");
    }
    arrival.name = ir_view_text(rest);
    arrival.confirmed = reading->known ? 0 : arrival.confirmed;
    reading->message = 't';
    return noted(reading, ir_ledger_note_arrival(reading->ledger, &arrival));
}

static ir_status_t take_first(ir_ledger_reading_t *reading, const char *line) {
    if (strcmp(line, OLD_HEADER) == 0) {
        return wrong(reading, "a ledger of version 1, whose ids have an older format: only the "
                              "release that wrote it can verify with it");
    }
    return strcmp(line, IR_LEDGER_HEADER) == 0
               ? IR_OK
               : wrong(reading, "not a ledger: the first line is not \"" IR_LEDGER_HEADER "\"");
}

/* Processes one line without its newline. */
static ir_status_t take_line(ir_ledger_reading_t *reading, char *line, uint64_t number) {
    if (number == 1) {
        return take_first(reading, line);
    }
    if (reading->ended) {
        return wrong(reading, "a line after \"" IR_LEDGER_END "\"");
    }
    if (strcmp(line, IR_LEDGER_END) == 0) {
        reading->ended = true;
        return IR_OK;
    }
    if (line[0] == 'w' && line[1] == ' ') {
        return noted(reading, ir_ledger_note_mote(reading->ledger, ir_view_text(line + 2)));
    }
    return line[0] == 't' && line[1] == ' ' ? take_arrival(reading, line) : take_id(reading, line);
}

static ir_status_t read_lines(ir_ledger_reading_t *reading, FILE *file, const char *path,
                              ir_ledger_extent_t *extent, ir_error_t *error) {
    char line[LINE_SIZE];
    while (fgets(line, sizeof line, file) != NULL) {
        const size_t size = strlen(line);
        ir_status_t status = IR_OK;
        if (size > 0 && line[size - 1] == '\n') {
            line[size - 1] = '\0';
            status = take_line(reading, line, extent->lines + 1);
        } else if (feof(file) && extent->lines > 0) {
            extent->incomplete = true;
            break;
        } else {
            status = wrong(reading, "cut off in its first line, or a line that is too long");
        }
        if (status != IR_OK) {
            return ir_error_set(error, status, "ledger %s:%llu: %s", path,
                                (unsigned long long)extent->lines + 1, reading->wrong);
        }
        extent->lines++;
    }
    extent->cut_off = !reading->ended;
    return ferror(file)
               ? ir_error_set(error, IR_ERR_IO, "ledger %s: cannot read: %s", path, strerror(errno))
               : IR_OK;
}

ir_status_t ir_ledger_add(ir_ledger_t *ledger, const char *path, bool known,
                          ir_ledger_extent_t *extent, ir_error_t *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ir_error_set(error, errno == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                            "ledger %s: cannot open: %s", path, strerror(errno));
    }
    ir_ledger_reading_t reading = {.ledger = ledger, .known = known};
    *extent = (ir_ledger_extent_t){.lines = 0};
    ir_status_t status = read_lines(&reading, file, path, extent, error);
    if (status == IR_OK && extent->lines == 0) {
        status =
            ir_error_set(error, IR_ERR_SYNTAX,
                         "ledger %s:1: not a ledger: the file is empty or cannot be read", path);
    }
    fclose(file);
    ir_ledger_sort(ledger);
    return status;
}
