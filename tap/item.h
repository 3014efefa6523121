/* One observation of a message that was published again, as far as its format says what it is. */
#ifndef IR_TAP_ITEM_H
#define IR_TAP_ITEM_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_ITEM_TEXT 200 /* bytes; what is longer is cut */

typedef struct ir_item {
    char time[IR_ITEM_TEXT]; /* each is empty where the format does not say it */
    char sensor[IR_ITEM_TEXT];
    char property[IR_ITEM_TEXT]; /* the last segment of its IRI */
    char value[IR_ITEM_TEXT];
    char unit[IR_ITEM_TEXT];
    char quality[IR_ITEM_TEXT]; /* "good", "suspect", … */
    char reasons[IR_ITEM_TEXT];
} ir_item_t;

typedef void (*ir_item_fn)(void *context, const ir_item_t *item);

/* Whether items of a format can be told apart: json, jsonld, sensorthings and senml. */
bool ir_item_readable(ir_view_t format);

/* Calls `each` for every observation of a message; revisions are some, too. False when the body is
 * not of its format. */
bool ir_items_read(ir_view_t format, ir_view_t body, ir_item_fn each, void *context);

#endif
