/* Helpers for the tests of message sources: a temporary file, and messages as text. */
#ifndef IR_TESTS_SOURCES_H
#define IR_TESTS_SOURCES_H

#include "loadgen/source/source.h"

#include <stddef.h>
#include <stdint.h>

#define SOURCES_REAL_FILE "loadgen/usgs_river_observations.csv.gz"

/* A file below /tmp, which all tests of a group share: its set-up and tear-down. */
extern char sources_path[];
int sources_make_file(void **state);
int sources_remove_file(void **state);

void sources_write(const void *bytes, size_t size);
void sources_write_text(const char *text);

/* Opens a source; if that fails, the test fails. */
ir_source_t sources_open(const ir_source_options_t *options);

/* Valid until the next call. */
const char *sources_body(const ir_source_t *source, uint64_t number);

#endif
