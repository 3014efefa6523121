#include "common/invariant.h"

#include "common/log.h"

#include <stdlib.h>

void ir_invariant_violated(const char *condition, const char *file, int line) {
    ir_log(IR_LOG_ERROR, "%s:%d: the program has a fault: \"%s\" does not hold; it ends here", file,
           line, condition);
    abort();
}
