/* One observation of a republished message, with the fields that its format contains. */
#ifndef IR_TAP_ITEM_H
#define IR_TAP_ITEM_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_ITEM_TEXT 200 /* room for a text; longer texts are truncated */

typedef struct ir_item {
    char time[IR_ITEM_TEXT]; /* empty if the format does not contain it */
    char sensor[IR_ITEM_TEXT];
    char property[IR_ITEM_TEXT]; /* the last segment of its IRI */
    char value[IR_ITEM_TEXT];
    char unit[IR_ITEM_TEXT];
    char quality[IR_ITEM_TEXT]; /* "good", "suspect", … */
    char reasons[IR_ITEM_TEXT];
} ir_item_t;

typedef void (*ir_item_fn)(void *context, const ir_item_t *item);

/* Whether a format has separate items: json, jsonld, sensorthings and senml. */
bool ir_item_readable(ir_view_t format);

/* Calls `each` for every observation of a message, including revisions. False if the body is not in
 * the format. */
bool ir_items_read(ir_view_t format, ir_view_t body, ir_item_fn each, void *context);

#endif
