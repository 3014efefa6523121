#include "observation/turtle/scan.h"

#include <ctype.h>

/* Three quotes begin and end a multi-line text. */
static void take_quote(ir_turtle_scan_t *scan, int byte) {
    scan->run = byte == scan->last ? scan->run + 1 : 1;
    scan->stop = false;
    if (scan->run == 3) {
        scan->long_text = !scan->long_text;
        scan->quote = 0;
        scan->run = 0;
    } else if (!scan->long_text && (scan->quote == 0 || scan->quote == byte)) {
        scan->quote = scan->quote == 0 ? byte : 0;
    }
}

static void take_plain(ir_turtle_scan_t *scan, int byte) {
    if (byte == scan->quote) {
        scan->quote = 0; /* the end of an IRI */
    } else if (scan->quote == 0 && !scan->long_text) {
        scan->quote = byte == '<' ? '>' : 0;
        scan->comment = byte == '#';
        scan->stop = byte == '.' || (scan->stop && (isspace(byte) || byte == '#'));
    }
}

bool ir_turtle_scan(ir_turtle_scan_t *scan, int byte) {
    const bool escaped = scan->last == '\\' && (scan->quote != 0 || scan->long_text);
    if (byte == '\n') {
        const bool stop = scan->stop && !scan->long_text;
        *scan = (ir_turtle_scan_t){.long_text = scan->long_text};
        return stop;
    }
    if (!scan->comment && !escaped) {
        const bool quote = (byte == '"' || byte == '\'') && scan->quote != '>';
        (quote ? take_quote : take_plain)(scan, byte);
    }
    scan->last = escaped ? 0 : byte;
    return false;
}
