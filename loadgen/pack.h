/* Writing SenML packs of one mote, as JSON or CBOR: head, time, records, tail, in this order.
 * Names, units and stations need no escapes. See ir_buffer_ok. */
#ifndef IR_LOADGEN_PACK_H
#define IR_LOADGEN_PACK_H

#include "common/buffer.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ir_pack_format { IR_PACK_JSON, IR_PACK_CBOR } ir_pack_format_t;

typedef struct ir_pack_writer {
    const char *content_type;
    void (*head)(ir_buffer_t *out, ir_view_t mote, size_t n_records);
    void (*time)(ir_buffer_t *out, int64_t time_ns); /* whole microseconds, not negative */
    void (*record)(ir_buffer_t *out, const char *name, const char *unit, double value, bool first);
    void (*tail)(ir_buffer_t *out);
} ir_pack_writer_t;

const ir_pack_writer_t *ir_pack_writer(ir_pack_format_t format);

#endif
