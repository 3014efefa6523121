/* Rows of delimited text: where one ends, and what its fields are.
 *
 * The rules are those of RFC 4180 and a little more: any separator; lines end in LF or CRLF; a
 * field that begins with a quote ends with the next single quote and may hold separators and line
 * ends, two quotes stand for one; what follows the closing quote belongs to the field as it is.
 * Spaces and tabs around an unquoted field are left out. With a space as the separator, several in
 * a row count as one. Encodings in which all bytes below 0x80 are ASCII need no conversion first.
 *
 * libcsv was looked at. It does not tell where a row begins and ends, so no position could be kept,
 * and it reads on to the end of the input after a stray quote. */
#ifndef IR_FEED_FIELDS_H
#define IR_FEED_FIELDS_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_FIELDS_MAX 2048

typedef struct ir_dialect {
    char separator;
    bool quotes; /* otherwise a quote is a character like any other */
} ir_dialect_t;

typedef struct ir_fields {
    ir_view_t all[IR_FIELDS_MAX];
    size_t count;
} ir_fields_t;

/* How many bytes the first row of `text` takes, with its line end; 0: its end is not there yet.
 * `*lines`: how many line ends these bytes have. */
size_t ir_fields_end(ir_view_t text, const ir_dialect_t *dialect, size_t *lines);

/* Splits one row, with or without its line end. Two quotes become one in place, so the row is
 * changed; the fields are views of it. False when there are more than IR_FIELDS_MAX. */
bool ir_fields_split(char *row, size_t size, const ir_dialect_t *dialect, ir_fields_t *fields);

#endif
