/* Which raw messages a command of ir-store is about, by its options. */
#ifndef IR_STORE_SELECTION_H
#define IR_STORE_SELECTION_H

#include "store/command.h"

/* From mote, reason, since and until. Texts belong to the options. IR_ERR_USAGE names what is no
 * time or no reason. */
ir_status_t ir_store_selection(const ir_store_options_t *options, ir_raw_selection_t *selection,
                               ir_error_t *error);

/* Whether any of these options narrows it. */
bool ir_store_selects(const ir_store_options_t *options);

/* Whether a message of this mote and arrival belongs to it; reasons are not looked at. */
bool ir_selection_has(const ir_raw_selection_t *selection, ir_view_t mote, int64_t arrival_ns);

#endif
