/* Splits delimited text into rows and fields.
 *
 * The rules extend RFC 4180. The separator can be any character. Lines end in LF or CRLF. A field
 * that begins with a quote ends at the next single quote and may contain separators and line ends;
 * two quotes mean one. Text after the closing quote is part of the field, unchanged. Spaces and
 * tabs around an unquoted field are removed. If the separator is a space, several spaces count as
 * one. The text may be in any encoding in which bytes below 0x80 are ASCII.
 *
 * libcsv is not used: it does not report where a row begins and ends, which the cursors need, and
 * after a stray quote it reads to the end of the input. */
#ifndef IR_FEED_FIELDS_H
#define IR_FEED_FIELDS_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_FIELDS_MAX 2048

typedef struct ir_dialect {
    char separator;
    char quote; /* 0: there is none */
} ir_dialect_t;

typedef struct ir_fields {
    ir_view_t all[IR_FIELDS_MAX];
    size_t count;
} ir_fields_t;

/* The size of the first row of `text` in bytes, with its line end; 0: the row is incomplete.
 * `*lines`: the number of line ends in the row. */
size_t ir_fields_end(ir_view_t text, const ir_dialect_t *dialect, size_t *lines);

/* Splits one row, with or without its line end. The fields are views of the row, which is modified:
 * two quotes become one. False if the row has more than IR_FIELDS_MAX fields. */
bool ir_fields_split(char *row, size_t size, const ir_dialect_t *dialect, ir_fields_t *fields);

#endif
