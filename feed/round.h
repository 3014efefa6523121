/* What one position has to send: its files' next packs, oldest first. When all of a round have
 * final answers, the files' cursors move and the next round begins; so a position never sends rows
 * that are newer than one that is not confirmed in the same round. Positions do not wait for each
 * other. One thread. */
#ifndef IR_FEED_ROUND_H
#define IR_FEED_ROUND_H

#include "common/status.h"
#include "feed/map.h"
#include "feed/pack.h"
#include "feed/report.h"
#include "feed/zone.h"

#include <stdbool.h>
#include <stddef.h>

/* Files of one position. */
#define IR_ROUND_FILES_MAX 10000

typedef struct ir_round ir_round_t;

/* `state`: the folder of cursors; NULL: nothing is kept. `spool`: a pattern in place of the
 * position's, which are segments of a spool: read one after the other, and removed; NULL: none.
 * `packs`: in one round, at least one of each file. Everything given outlives the round. */
typedef struct ir_round_options {
    const ir_position_t *position;
    const char *state, *spool;
    size_t packs;
    ir_zones_t *zones;
    ir_report_t *report;
} ir_round_options_t;

ir_status_t ir_round_open(const ir_round_options_t *options, ir_round_t **round, ir_error_t *error);
void ir_round_close(ir_round_t *round);

/* Looks at the files and reads what is next. A file that cannot be read is logged and left out;
 * then ir_round_failed. Only when the round before is done. */
ir_status_t ir_round_fill(ir_round_t *round, ir_error_t *error);

/* The next pack to give, by its number in this round; false: there is none. It is taken as given.
 */
bool ir_round_next(ir_round_t *round, size_t *number);
ir_pack_t *ir_round_pack(ir_round_t *round, size_t number);

/* It has its final answer. */
void ir_round_settle(ir_round_t *round, size_t number);

/* All that were given and have no answer are to be given again, in their order. */
void ir_round_again(ir_round_t *round);

size_t ir_round_count(const ir_round_t *round);      /* packs of this round */
size_t ir_round_open_packs(const ir_round_t *round); /* given, without an answer */
bool ir_round_is_done(const ir_round_t *round);

/* Keeps how far the files are confirmed. Once: when the round is done, or for good. */
ir_status_t ir_round_confirm(ir_round_t *round, ir_error_t *error);

/* The files that are known, from 0; NULL behind the last. */
ir_input_t *ir_round_file(const ir_round_t *round, size_t i);

/* Whether a file could not be read, ever; whether the last fill left something unread. */
bool ir_round_failed(const ir_round_t *round);
bool ir_round_has_more(const ir_round_t *round);

#endif
