/* Finds where statements of Turtle end, for a reader that could not parse one. Private to this
 * folder. */
#ifndef IR_OBSERVATION_TURTLE_SCAN_H
#define IR_OBSERVATION_TURTLE_SCAN_H

#include <stdbool.h>

/* The context of a byte. Starts zeroed, anywhere in a line that is not inside a multi-line text. */
typedef struct ir_turtle_scan {
    int quote;    /* the character that will end the present text or IRI; 0: outside of both */
    int last;     /* the previous byte */
    unsigned run; /* number of equal quotes before this byte */
    bool long_text, comment;
    bool stop; /* the last byte outside of texts, IRIs, comments and white space is a full stop */
} ir_turtle_scan_t;

/* Processes the next byte. True at the end of a line whose last word is a full stop. If it began
 * inside a text, it may find the end of a later statement, but never one inside a multi-line
 * text. */
bool ir_turtle_scan(ir_turtle_scan_t *scan, int byte);

#endif
