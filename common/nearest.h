/* "Did you mean …?": finds the name most similar to an unknown one. */
#ifndef IR_COMMON_NEAREST_H
#define IR_COMMON_NEAREST_H

#include "common/view.h"

#define IR_NEAREST_SIZE 40    /* room for a name; longer names are not compared */
#define IR_NEAREST_DISTANCE 3 /* maximum number of letters changed, added or left out */
#define IR_NEAREST_TEXT_SIZE 80

typedef struct ir_nearest {
    ir_view_t unknown;
    const char *name; /* the most similar one so far; NULL: none is similar */
    unsigned distance;
} ir_nearest_t;

/* At most a third of a name's letters may differ; otherwise all short names would count as
 * similar. */
ir_nearest_t ir_nearest(ir_view_t unknown);

/* Considers one name, which is kept, not copied. Ignores case. */
void ir_nearest_try(ir_nearest_t *nearest, const char *name);

/* "; did you mean PREFIXname?", or nothing; for the end of a message. Returns `out`. */
const char *ir_nearest_text(const ir_nearest_t *nearest, const char *prefix,
                            char out[static IR_NEAREST_TEXT_SIZE]);

#endif
