/* ir-ingest --check: checks everything that can be checked without accepting requests. */
#ifndef IR_INGEST_CHECK_H
#define IR_INGEST_CHECK_H

#include "ingest/options.h"

#include <stdbool.h>
#include <stdio.h>

/* Validates tokens and registry, and tries the broker once unless offline. Writes to `out` what the
 * gateway would do, and one line for each fault. Returns true when there is none. */
bool ir_ingest_check(const ir_ingest_options_t *options, FILE *out);

#endif
