#include "feed/fields.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Skips blanks before a field, unless the separator is a blank. */
static size_t skip_blanks(const char *text, size_t at, size_t size, char separator) {
    while (at < size && is_blank(text[at]) && (text[at] != separator || separator == ' ')) {
        at++;
    }
    return at;
}

/* Returns the end of the quoted part that begins at `at`: the position after its closing quote, or
 * `size`. */
static size_t skip_quoted(const char *text, size_t at, size_t size, char quote) {
    for (at++; at < size; at++) {
        if (text[at] == quote && (at + 1 == size || text[at + 1] != quote)) {
            return at + 1;
        }
        at += text[at] == quote;
    }
    return size;
}

static size_t count_lines(const char *text, size_t size) {
    size_t lines = 0;
    for (size_t i = 0; i < size; i++) {
        lines += text[i] == '\n';
    }
    return lines;
}

static size_t end_of_quoted_row(ir_view_t text, char separator, char quote) {
    size_t at = 0;
    while (at < text.size) {
        at = skip_blanks(text.data, at, text.size, separator);
        if (at < text.size && text.data[at] == quote) {
            at = skip_quoted(text.data, at, text.size, quote);
        }
        while (at < text.size && text.data[at] != separator && text.data[at] != '\n') {
            at++;
        }
        if (at < text.size && text.data[at++] == '\n') {
            return at;
        }
    }
    return 0;
}

size_t ir_fields_end(ir_view_t text, const ir_dialect_t *dialect, size_t *lines) {
    size_t end = 0;
    if (dialect->quote != '\0') {
        end = end_of_quoted_row(text, dialect->separator, dialect->quote);
    } else {
        const char *found = text.size > 0 ? memchr(text.data, '\n', text.size) : NULL;
        end = found != NULL ? (size_t)(found - text.data) + 1 : 0;
    }
    *lines = end > 0 ? count_lines(text.data, end) : 0;
    return end;
}

/* Parses the field that begins with a quote at `at`; returns its end. */
static size_t take_quoted(char *row, size_t at, size_t size, const ir_dialect_t *dialect,
                          ir_view_t *field) {
    const char quote = dialect->quote;
    const size_t begin = at + 1;
    const size_t end = skip_quoted(row, at, size, quote);
    const bool closed = end > begin && row[end - 1] == quote;
    size_t to = begin;
    for (size_t from = begin; from < end - closed; from++) {
        row[to++] = row[from];
        from += row[from] == quote;
    }
    for (at = end; at < size && row[at] != dialect->separator; at++) {
        row[to++] = row[at];
    }
    while (to > begin && at > end && is_blank(row[to - 1])) {
        to--;
    }
    *field = ir_view(row + begin, to - begin);
    return at;
}

static size_t take_plain(const char *row, size_t at, size_t size, char separator,
                         ir_view_t *field) {
    const size_t begin = at;
    while (at < size && row[at] != separator) {
        at++;
    }
    size_t end = at;
    while (end > begin && is_blank(row[end - 1])) {
        end--;
    }
    *field = ir_view(row + begin, end - begin);
    return at;
}

static size_t without_line_end(const char *row, size_t size) {
    size -= size > 0 && row[size - 1] == '\n';
    size -= size > 0 && row[size - 1] == '\r';
    return size;
}

bool ir_fields_split(char *row, size_t size, const ir_dialect_t *dialect, ir_fields_t *fields) {
    const char separator = dialect->separator;
    size = without_line_end(row, size);
    fields->count = 0;
    for (size_t at = 0;; at++) {
        at = skip_blanks(row, at, size, separator);
        if (separator == ' ' && at == size && fields->count > 0) {
            return true; /* trailing blanks are not another field */
        }
        if (fields->count == IR_FIELDS_MAX) {
            return false;
        }
        ir_view_t *field = &fields->all[fields->count++];
        at = dialect->quote != '\0' && at < size && row[at] == dialect->quote
                 ? take_quoted(row, at, size, dialect, field)
                 : take_plain(row, at, size, separator, field);
        if (at == size) {
            return true;
        }
    }
}
