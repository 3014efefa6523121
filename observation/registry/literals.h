/* Reads the values of statements: numbers, pairs of numbers or times, durations and texts. Private
 * to this folder. Results and errors are those of facts.h. */
#ifndef IR_OBSERVATION_REGISTRY_LITERALS_H
#define IR_OBSERVATION_REGISTRY_LITERALS_H

#include "observation/registry/facts.h"
#include "observation/value.h"

#include <stdbool.h>
#include <stdint.h>

/* A finite number. `what` describes it in the fault. */
ir_status_t ir_literal_number(const ir_builder_t *builder, const ir_fact_t *statement,
                              const char *what, double *number);

/* A number, or the text of a literal of another type. */
ir_status_t ir_literal_value(const ir_builder_t *builder, const ir_fact_t *statement,
                             const char *what, ir_value_t *value);

/* ( low high ), finite, low ≤ high. */
ir_status_t ir_literal_span(const ir_builder_t *builder, const ir_fact_t *statement,
                            ir_span_t *span);

/* ( from to ), whole numbers within smallest … largest, from ≤ to. */
ir_status_t ir_literal_range(const ir_builder_t *builder, const ir_fact_t *statement,
                             int64_t smallest, int64_t largest, int64_t *begin, int64_t *end);

/* ( from to ), xsd:dateTime, from ≤ to. */
ir_status_t ir_literal_times(const ir_builder_t *builder, const ir_fact_t *statement,
                             int64_t *begin, int64_t *end);

/* An xsd:duration in days, hours, minutes and seconds, or a number of seconds; above 0, at most
 * ten years. `whole`: only whole seconds. */
ir_status_t ir_literal_duration(const ir_builder_t *builder, const ir_fact_t *statement, bool whole,
                                int64_t *duration_ns);

/* A literal's text. */
ir_status_t ir_literal_text(const ir_builder_t *builder, const ir_fact_t *statement,
                            const char *what, ir_view_t *text);

#endif
