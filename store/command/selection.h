/* The raw messages or observations that a command of ir-store selects by its options. */
#ifndef IR_STORE_COMMAND_SELECTION_H
#define IR_STORE_COMMAND_SELECTION_H

#include "store/command/command.h"

/* Made from mote, reason, since and until. The options own the texts. IR_ERR_USAGE names an invalid
 * time or reason. */
ir_status_t ir_store_selection(const ir_store_options_t *options, ir_raw_selection_t *selection,
                               ir_error_t *error);

/* Whether any of these options restricts the selection. */
bool ir_store_selects(const ir_store_options_t *options);

/* Whether a message of this mote and arrival is selected; ignores reasons. */
bool ir_selection_has(const ir_raw_selection_t *selection, ir_view_t mote, int64_t arrival_ns);

/* Selects observations by mote and property; `since` and `until` are bounds of their time. The text
 * of `after` is parsed into *id. IR_ERR_USAGE as above. */
ir_status_t ir_store_observations(const ir_store_options_t *options, ir_id_t *id,
                                  ir_observation_selection_t *selection, ir_error_t *error);

#endif
