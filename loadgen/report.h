/* Logs a short report of a run and of each phase. */
#ifndef IR_LOADGEN_REPORT_H
#define IR_LOADGEN_REPORT_H

#include "loadgen/measure/result.h"
#include "loadgen/summary.h"

void ir_report_step(const ir_result_t *result);
void ir_report_tell(const ir_summary_t *summary);

#endif
