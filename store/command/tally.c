#include "store/command/tally.h"

#include "common/buffer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const column_names[IR_TALLY_COLUMNS] = {
    [IR_TALLY_MESSAGES] = "messages",
    [IR_TALLY_REFUSED] = "refused",
    [IR_TALLY_OBSERVATIONS] = "observations",
    [IR_TALLY_NEW] = "new",
    [IR_TALLY_REVISIONS] = "revisions",
    [IR_TALLY_EARLIER] = "earlier",
    [IR_TALLY_EQUAL] = "equal",
    [IR_TALLY_MERGED] = "merged",
    [IR_TALLY_MISSING] = "missing",
};

typedef struct row {
    char *mote;
    uint64_t counts[IR_TALLY_COLUMNS];
} row_t;

struct ir_tally {
    row_t *rows; /* sorted by the mote's name */
    size_t count, capacity;
    size_t last; /* the row found last: most calls are for the same mote */
};

ir_tally_t *ir_tally_new(void) {
    return calloc(1, sizeof(ir_tally_t));
}

void ir_tally_free(ir_tally_t *tally) {
    if (tally == NULL) {
        return;
    }
    for (size_t i = 0; i < tally->count; i++) {
        free(tally->rows[i].mote);
    }
    free(tally->rows);
    free(tally);
}

static int compare(ir_view_t a, const char *b) {
    const size_t size = strlen(b);
    const int order = memcmp(a.size > 0 ? a.data : "", b, a.size < size ? a.size : size);
    return order != 0 ? order : (a.size > size) - (a.size < size);
}

/* Returns the index of the mote's row, or where it belongs. */
static size_t find(const ir_tally_t *tally, ir_view_t mote) {
    size_t first = 0;
    size_t end = tally->count;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        if (compare(mote, tally->rows[middle].mote) > 0) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

static bool insert(ir_tally_t *tally, size_t at, ir_view_t mote) {
    if (tally->count == tally->capacity) {
        const size_t capacity = tally->capacity > 0 ? tally->capacity * 2 : 64;
        row_t *grown = realloc(tally->rows, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        tally->rows = grown;
        tally->capacity = capacity;
    }
    char *name = strndup(mote.size > 0 ? mote.data : "", mote.size);
    if (name == NULL) {
        return false;
    }
    memmove(&tally->rows[at + 1], &tally->rows[at], (tally->count - at) * sizeof *tally->rows);
    tally->rows[at] = (row_t){.mote = name};
    tally->count++;
    return true;
}

bool ir_tally_add(ir_tally_t *tally, ir_view_t mote, ir_tally_column_t column, uint64_t count) {
    size_t at = tally->last;
    if (at >= tally->count || compare(mote, tally->rows[at].mote) != 0) {
        at = find(tally, mote);
        if ((at == tally->count || compare(mote, tally->rows[at].mote) != 0) &&
            !insert(tally, at, mote)) {
            return false;
        }
        tally->last = at;
    }
    tally->rows[at].counts[column] += count;
    return true;
}

uint64_t ir_tally_total(const ir_tally_t *tally, ir_tally_column_t column) {
    uint64_t total = 0;
    for (size_t i = 0; i < tally->count; i++) {
        total += tally->rows[i].counts[column];
    }
    return total;
}

/* ---- showing ---- */

static int columns(bool earlier) {
    return earlier ? IR_TALLY_COLUMNS : IR_TALLY_EARLIER;
}

void ir_tally_show(ir_tally_t *tally, bool earlier, FILE *out) {
    fprintf(out, "%-24s", "mote");
    for (int column = 0; column < columns(earlier); column++) {
        fprintf(out, " %12s", column_names[column]);
    }
    for (size_t i = 0; i < tally->count; i++) {
        fprintf(out, "\n%-24s", tally->rows[i].mote);
        for (int column = 0; column < columns(earlier); column++) {
            fprintf(out, " %12" PRIu64, tally->rows[i].counts[column]);
        }
    }
    fprintf(out, "\n%-24s", "all");
    for (int column = 0; column < columns(earlier); column++) {
        fprintf(out, " %12" PRIu64, ir_tally_total(tally, (ir_tally_column_t)column));
    }
    fputc('\n', out);
}

static void append_counts(ir_buffer_t *out, const uint64_t counts[static IR_TALLY_COLUMNS],
                          bool earlier) {
    for (int column = 0; column < columns(earlier); column++) {
        ir_buffer_append_format(out, "%s\"%s\":%" PRIu64, column > 0 ? "," : "{",
                                column_names[column], counts[column]);
    }
    ir_buffer_append_char(out, '}');
}

void ir_tally_show_json(ir_tally_t *tally, bool earlier, FILE *out) {
    uint64_t totals[IR_TALLY_COLUMNS];
    ir_buffer_t line;
    ir_buffer_init(&line);
    ir_buffer_append_text(&line, "{\"motes\":{");
    for (size_t i = 0; i < tally->count; i++) {
        ir_buffer_append_text(&line, i > 0 ? "," : "");
        ir_buffer_append_json_string(&line, ir_view_text(tally->rows[i].mote));
        ir_buffer_append_char(&line, ':');
        append_counts(&line, tally->rows[i].counts, earlier);
    }
    for (int column = 0; column < IR_TALLY_COLUMNS; column++) {
        totals[column] = ir_tally_total(tally, (ir_tally_column_t)column);
    }
    ir_buffer_append_text(&line, "},\"all\":");
    append_counts(&line, totals, earlier);
    ir_buffer_append_text(&line, "}\n");
    fwrite(line.data, 1, line.size, out);
    ir_buffer_free(&line);
}
