/* ir-ingest --check: what can be told without taking anything. */
#ifndef IR_INGEST_CHECK_H
#define IR_INGEST_CHECK_H

#include "ingest/options.h"

#include <stdbool.h>
#include <stdio.h>

/* Validates tokens and registry, tries the broker once unless offline, and writes to `out` what the
 * gateway would do and, for everything that is wrong, one line that says what. True when nothing
 * is. */
bool ir_ingest_check(const ir_ingest_options_t *options, FILE *out);

#endif
