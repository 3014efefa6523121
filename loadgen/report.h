/* What came of a run, and of its stretches, in a few lines of the log. */
#ifndef IR_LOADGEN_REPORT_H
#define IR_LOADGEN_REPORT_H

#include "loadgen/measure/result.h"
#include "loadgen/summary.h"

void ir_report_step(const ir_result_t *result);
void ir_report_tell(const ir_summary_t *summary);

#endif
