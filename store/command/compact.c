/* ir-store compact: shrinks the files of TDB2, which otherwise only grow, to the size of their
 * content. */
#include "common/clock.h"
#include "store/command/command.h"

ir_status_t ir_store_compact(const ir_stores_t *stores, ir_error_t *error) {
    const int64_t begun_ns = ir_clock_monotonic();
    ir_status_t status = ir_graph_ready(stores->graph, error);
    if (status == IR_OK) {
        status = ir_graph_compact(stores->graph, error);
    }
    if (status == IR_OK) {
        fprintf(stores->out, "compacted in %.1f s\n",
                (double)(ir_clock_monotonic() - begun_ns) / 1e9);
    }
    return status;
}
