/* Where statements of Turtle end, for a reader that did not understand one. Private to this folder.
 */
#ifndef IR_OBSERVATION_TURTLE_SCAN_H
#define IR_OBSERVATION_TURTLE_SCAN_H

#include <stdbool.h>

/* Where a byte stands. Starts zeroed, anywhere in a line outside of texts of several lines. */
typedef struct ir_turtle_scan {
    int quote;    /* what ends the text or IRI that it stands in; 0: in none */
    int last;     /* the byte before it */
    unsigned run; /* how many equal quotes stand before it */
    bool long_text, comment;
    bool stop; /* the last byte outside of texts, IRIs, comments and white space is a full stop */
} ir_turtle_scan_t;

/* Takes the next byte. True at the end of a line whose last word is a full stop. Where it began
 * within a text, it may find the end of a later statement; never one within a text of several
 * lines. */
bool ir_turtle_scan(ir_turtle_scan_t *scan, int byte);

#endif
