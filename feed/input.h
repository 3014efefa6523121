/* One file of a position, read on from where it was confirmed: rows become packs, packs that were
 * answered move the cursor. One thread. */
#ifndef IR_FEED_INPUT_H
#define IR_FEED_INPUT_H

#include "common/arena.h"
#include "common/status.h"
#include "feed/encoding.h"
#include "feed/map.h"
#include "feed/pack.h"
#include "feed/report.h"
#include "feed/row_reader.h"
#include "feed/zone.h"

#include <stdbool.h>
#include <stddef.h>

/* What the inputs of one position read with. */
typedef struct ir_input_tools ir_input_tools_t;

/* `zones` and `report` outlive the tools. */
ir_status_t ir_input_tools_open(const ir_position_t *position, ir_zones_t *zones,
                                ir_report_t *report, ir_input_tools_t **tools, ir_error_t *error);
void ir_input_tools_close(ir_input_tools_t *tools);

/* Forgets all that was read; packs and layouts of its inputs are gone. */
void ir_input_tools_reset(ir_input_tools_t *tools);

/* Loads what is known of the file from the state's folder (NULL: nothing is kept). "-" is standard
 * input, of which nothing is kept. IR_ERR_SYNTAX: the state is damaged. */
ir_status_t ir_input_open(const ir_position_t *position, const char *path, const char *folder,
                          ir_input_t **input, ir_error_t *error);
void ir_input_close(ir_input_t *input);

const char *ir_input_path(const ir_input_t *input);

/* Whether there may be rows that were not read: it has grown or changed. */
bool ir_input_has_more(const ir_input_t *input);

/* Reads at most so many packs behind what is confirmed. The last one of a table is among them even
 * if rows to come may still join it; when they do, it is read once more, as a whole. A pack that
 * was confirmed before and has not changed is settled already. IR_ERR_SYNTAX: the head does not fit
 * the mapping, so nothing of the file is read. */
ir_status_t ir_input_read(ir_input_t *input, ir_input_tools_t *tools, size_t packs,
                          ir_error_t *error);

/* What was read, in the order of the file, until the next read or the tools' reset. `ended`: it is
 * all there is at present. */
ir_pack_t *ir_input_packs(ir_input_t *input, size_t *count);
bool ir_input_ended(const ir_input_t *input);

/* The columns of the head in force; NULL: none was read, or they are uplinks. */
const ir_layout_t *ir_input_layout(const ir_input_t *input);

/* The first `count` packs have final answers: keeps that. */
ir_status_t ir_input_confirm(ir_input_t *input, size_t count, ir_error_t *error);

/* A segment of a spool goes on where another one ended: with its tracks. */
ir_status_t ir_input_follow(ir_input_t *input, const ir_input_t *before, ir_error_t *error);

/* Removes the file, and then its state. */
ir_status_t ir_input_remove(ir_input_t *input, ir_error_t *error);

#endif
