/* Looks up the numbers of a source's motes by name. Immutable. */
#ifndef IR_LOADGEN_SOURCE_MOTES_H
#define IR_LOADGEN_SOURCE_MOTES_H

#include "common/view.h"
#include "loadgen/source/source.h"

#include <stdbool.h>

typedef struct ir_motes ir_motes_t;

/* Takes four bytes per mote. The source must outlive it. NULL when out of memory. */
ir_motes_t *ir_motes_new(const ir_source_t *source);
void ir_motes_free(ir_motes_t *motes);

bool ir_motes_find(const ir_motes_t *motes, ir_view_t name, unsigned *number);

#endif
