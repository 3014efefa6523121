/* Turns a row of a table into a reading. One thread. */
#ifndef IR_FEED_ROW_READER_H
#define IR_FEED_ROW_READER_H

#include "common/buffer.h"
#include "feed/encoding.h"
#include "feed/fields.h"
#include "feed/layout.h"
#include "feed/reading.h"
#include "feed/zone.h"

#include <stdbool.h>

typedef struct ir_row_reader {
    ir_encoding_t *encoding;
    ir_zones_t *zones;
    const ir_layout_t *layout;
    ir_buffer_t text; /* text of one field, in UTF-8 */
} ir_row_reader_t;

/* False if the row has nothing usable; the reason is reported, unless all its values are missing.
 * Records mote and time in the context's tracks. */
bool ir_row_read(ir_row_reader_t *reader, const ir_reading_context_t *context,
                 const ir_fields_t *fields, ir_reading_t *reading);

#endif
