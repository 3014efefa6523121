/* Reads one file of a position, starting after its confirmed part. Rows become packs, and answered
 * packs advance the cursor. One thread. */
#ifndef IR_FEED_INPUT_H
#define IR_FEED_INPUT_H

#include "common/arena.h"
#include "common/status.h"
#include "feed/encoding.h"
#include "feed/pack.h"
#include "feed/position.h"
#include "feed/report.h"
#include "feed/row_reader.h"
#include "feed/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tools shared by the inputs of one position. */
typedef struct ir_input_tools ir_input_tools_t;

/* `zones` and `report` must outlive the tools. */
ir_status_t ir_input_tools_open(const ir_position_t *position, ir_zones_t *zones,
                                ir_report_t *report, ir_input_tools_t **tools, ir_error_t *error);
void ir_input_tools_close(ir_input_tools_t *tools);

/* Discards everything read; the packs and layouts of its inputs become invalid. */
void ir_input_tools_reset(ir_input_tools_t *tools);

/* Loads the file's state from the state folder (NULL: no state is kept). "-" is standard input, for
 * which no state is kept. IR_ERR_SYNTAX: the state is damaged. */
ir_status_t ir_input_open(const ir_position_t *position, const char *path, const char *folder,
                          ir_input_t **input, ir_error_t *error);
void ir_input_close(ir_input_t *input);

const char *ir_input_path(const ir_input_t *input);

/* Whether the file has grown or changed, so that it may have unread rows. */
bool ir_input_has_more(const ir_input_t *input);

/* Reads at most `limit` packs after the confirmed part. This includes the last pack of a table,
 * although later rows may still join it; then the whole pack is read again. A pack that was
 * confirmed before and has not changed is already settled. IR_ERR_SYNTAX: the head does not match
 * the mapping, so the file is not read. */
ir_status_t ir_input_read(ir_input_t *input, ir_input_tools_t *tools, size_t packs,
                          ir_error_t *error);

/* The packs that were read, in file order; valid until the next read or the tools' reset. `ended`:
 * there are no more at present. */
ir_pack_t *ir_input_packs(ir_input_t *input, size_t *count);
bool ir_input_ended(const ir_input_t *input);

/* The line of a file's last row if it has no line end: it is not used until it has one. 0: there is
 * no such row. */
uint64_t ir_input_waiting(const ir_input_t *input);

/* The columns of the current head; NULL: no head was read, or the file has uplinks. */
const ir_layout_t *ir_input_layout(const ir_input_t *input);

/* Records that the first `count` packs have final answers. */
ir_status_t ir_input_confirm(ir_input_t *input, size_t count, ir_error_t *error);

/* Continues a spool's next segment with the tracks of the previous one. */
ir_status_t ir_input_follow(ir_input_t *input, const ir_input_t *before, ir_error_t *error);

/* Removes the file and then its state. */
ir_status_t ir_input_remove(ir_input_t *input, ir_error_t *error);

#endif
