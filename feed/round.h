/* A round is the next set of packs from a position's files, oldest first. When all packs of a round
 * have final answers, the files' cursors advance and the next round begins. So newer rows wait
 * until the rows of the previous round are confirmed. Positions do not wait for each other. One
 * thread. */
#ifndef IR_FEED_ROUND_H
#define IR_FEED_ROUND_H

#include "common/status.h"
#include "feed/pack.h"
#include "feed/position.h"
#include "feed/report.h"
#include "feed/zone.h"

#include <stdbool.h>
#include <stddef.h>

/* Files of one position. */
#define IR_ROUND_FILES_MAX 10000

typedef struct ir_round ir_round_t;

/* `state`: the folder of cursors; NULL: none are kept. `spool`: the folder of a spool, whose
 * segments are used instead of the position's files; they are read one after the other and removed;
 * NULL: none. `packs`: maximum number in one round, but at least one per file. All arguments must
 * outlive the round. */
typedef struct ir_round_options {
    const ir_position_t *position;
    const char *state, *spool;
    size_t packs;
    ir_zones_t *zones;
    ir_report_t *report;
} ir_round_options_t;

ir_status_t ir_round_open(const ir_round_options_t *options, ir_round_t **round, ir_error_t *error);
void ir_round_close(ir_round_t *round);

/* Checks the files and reads the next packs. Logs and skips a file that cannot be read; then
 * ir_round_failed is true. Call only when the previous round is done. */
ir_status_t ir_round_fill(ir_round_t *round, ir_error_t *error);

/* Gets the next pack to pass to the sender, and marks it as passed; `number` is its number in this
 * round. False: none is left.
 * */
bool ir_round_next(ir_round_t *round, size_t *number);
ir_pack_t *ir_round_pack(ir_round_t *round, size_t number);

/* It has its final answer. */
void ir_round_settle(ir_round_t *round, size_t number);

/* Unanswered packs must be passed again, in order. */
void ir_round_again(ir_round_t *round);

size_t ir_round_count(const ir_round_t *round);      /* packs of this round */
size_t ir_round_open_packs(const ir_round_t *round); /* given, without an answer */
bool ir_round_is_done(const ir_round_t *round);

/* Saves the confirmed positions of the files. Call once, when the round is done or the program
 * ends. */
ir_status_t ir_round_confirm(ir_round_t *round, ir_error_t *error);

/* The known files, from 0; NULL after the last. */
ir_input_t *ir_round_file(const ir_round_t *round, size_t i);

/* Reports each file whose last row lacks its line end, after everything else was read. */
void ir_round_report_waiting(const ir_round_t *round);

/* ir_round_failed: whether any file could not be read since the start. ir_round_has_more: whether
 * the last fill left unread packs. */
bool ir_round_failed(const ir_round_t *round);
bool ir_round_has_more(const ir_round_t *round);

#endif
