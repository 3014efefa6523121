/* Checks the quality verdicts of stored series again, as if everything that is stored now had
 * arrived in the order of its time. A flag that differs from the newest verdict (newest.h) is
 * written as a revision that supersedes that verdict; nothing is overwritten. Some spike and
 * flat-line flags stay "not evaluated" until later points decide them. If the decision is "good",
 * no revision is written, as in workers. Stored revisions of what is checked are written to the
 * graph, which may lack them after a restore. One thread. */
#ifndef IR_STORE_COMMAND_VERDICTS_H
#define IR_STORE_COMMAND_VERDICTS_H

#include "observation/registry/registry.h"
#include "store/documents/documents.h"
#include "store/graph/graph.h"

typedef struct ir_verdicts ir_verdicts_t;

/* `reader` and `documents` are two clients of one store. All arguments must outlive it. Returns
 * NULL when memory is exhausted. */
ir_verdicts_t *ir_verdicts_new(ir_documents_t *reader, ir_documents_t *documents, ir_graph_t *graph,
                               ir_registry_t *registry);
void ir_verdicts_free(ir_verdicts_t *verdicts);

/* Checks one series, of a sensor in the registry, in a time range (ends included), and as many
 * later points as depend on it. *written is the number of revisions. */
ir_status_t ir_verdicts_revise(ir_verdicts_t *verdicts, const ir_sensor_t *sensor, int64_t from_ns,
                               int64_t to_ns, uint64_t *written, ir_error_t *error);

#endif
