#include "loadgen/source/motes.h"

#include <stdlib.h>
#include <string.h>

struct ir_motes {
    const ir_source_t *source;
    unsigned *numbers; /* by name */
};

static int compare(ir_view_t a, ir_view_t b) {
    const int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_motes(const void *a, const void *b, void *source) {
    return compare(ir_source_mote(source, *(const unsigned *)a),
                   ir_source_mote(source, *(const unsigned *)b));
}

ir_motes_t *ir_motes_new(const ir_source_t *source) {
    ir_motes_t *motes = calloc(1, sizeof *motes);
    if (motes == NULL) {
        return NULL;
    }
    motes->source = source;
    motes->numbers = calloc((size_t)source->motes + 1, sizeof motes->numbers[0]);
    if (motes->numbers == NULL) {
        free(motes);
        return NULL;
    }
    for (unsigned i = 0; i < source->motes; i++) {
        motes->numbers[i] = i;
    }
    qsort_r(motes->numbers, source->motes, sizeof motes->numbers[0], compare_motes, (void *)source);
    return motes;
}

void ir_motes_free(ir_motes_t *motes) {
    if (motes != NULL) {
        free(motes->numbers);
        free(motes);
    }
}

bool ir_motes_find(const ir_motes_t *motes, ir_view_t name, unsigned *number) {
    unsigned low = 0;
    unsigned high = motes->source->motes;
    while (low < high) {
        const unsigned middle = low + (high - low) / 2;
        const int order = compare(name, ir_source_mote(motes->source, motes->numbers[middle]));
        if (order == 0) {
            *number = motes->numbers[middle];
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}
