/* Shared by the files of the ledger only. */
#ifndef IR_STORE_LEDGER_PARTS_H
#define IR_STORE_LEDGER_PARTS_H

#include "store/ledger.h"

#define IR_LEDGER_HEADER "# ir-ledger 2"
#define IR_LEDGER_END "# end"

/* Records what a line says. Returns false when memory is exhausted. */
bool ir_ledger_note(ir_ledger_t *ledger, ir_ledger_kind_t kind, const ir_id_t *id, bool required);
bool ir_ledger_note_mote(ir_ledger_t *ledger, ir_view_t mote);
bool ir_ledger_note_arrival(ir_ledger_t *ledger, const ir_ledger_arrival_t *arrival);

/* Call after the last note and before the first comparison. */
void ir_ledger_sort(ir_ledger_t *ledger);

#endif
