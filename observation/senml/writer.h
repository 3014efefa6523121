/* Writes SenML packs of one mote as JSON or CBOR. Call head, time, records and tail in this order.
 * Names and units must need no escapes. See ir_buffer_ok. */
#ifndef IR_OBSERVATION_SENML_WRITER_H
#define IR_OBSERVATION_SENML_WRITER_H

#include "common/buffer.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ir_pack_format { IR_PACK_JSON, IR_PACK_CBOR } ir_pack_format_t;

typedef struct ir_pack_head {
    ir_view_t mote; /* base name of the records; empty: records have full names */
    size_t n_records;
    unsigned version;  /* SenML's version; 0: not written */
    bool timeless;     /* no time follows */
    bool numbered;     /* written under a label of our own, which readers ignore (RFC 8428, 4.4)
                        * … */
    uint64_t sequence; /* … with this value, to make the body unique */
} ir_pack_head_t;

typedef struct ir_pack_record {
    ir_view_t label;  /* made by the writer's `label` */
    ir_view_t text;   /* the value as number.h writes it … */
    double value;     /* … and the same as a number */
    uint64_t after_s; /* seconds after the pack's time; 0 in the first record */
} ir_pack_record_t;

typedef struct ir_pack_writer {
    const char *content_type;
    /* Name and unit (NULL: none) of a record. Make it once for each sensor. */
    void (*label)(ir_buffer_t *out, const char *name, const char *unit);
    void (*head)(ir_buffer_t *out, const ir_pack_head_t *head);
    void (*time)(ir_buffer_t *out, int64_t time_ns); /* whole microseconds */
    void (*record)(ir_buffer_t *out, const ir_pack_record_t *record, bool first);
    void (*tail)(ir_buffer_t *out);
} ir_pack_writer_t;

const ir_pack_writer_t *ir_pack_writer(ir_pack_format_t format);

#endif
