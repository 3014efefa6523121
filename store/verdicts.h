/* The verdicts of quality control on stored series, looked at again: as if all that is stored now
 * had come in the order of its time. What differs from the newest verdict is written as a revision
 * that supersedes it; nothing is overwritten. The newest verdict on a test of an observation: the
 * end of the chain of superseding revisions, else a revision that supersedes nothing, else the
 * observation's own flag. A spike or flat-line flag that was left at "not evaluated" because only
 * later points tell, and is good, needs no revision, as with workers. One thread. */
#ifndef IR_STORE_VERDICTS_H
#define IR_STORE_VERDICTS_H

#include "observation/registry.h"
#include "store/documents.h"
#include "store/graph.h"

typedef struct ir_verdicts ir_verdicts_t;

/* `reader` and `documents` are two clients of one store. All outlive it. NULL when memory is out.
 */
ir_verdicts_t *ir_verdicts_new(ir_documents_t *reader, ir_documents_t *documents, ir_graph_t *graph,
                               ir_registry_t *registry);
void ir_verdicts_free(ir_verdicts_t *verdicts);

/* One series, a sensor of the registry, from one time to another (both included), and as many
 * points after that as depend on it. *written: how many revisions. */
ir_status_t ir_verdicts_revise(ir_verdicts_t *verdicts, const ir_sensor_t *sensor, int64_t from_ns,
                               int64_t to_ns, uint64_t *written, ir_error_t *error);

#endif
