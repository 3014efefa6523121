/* The formats that ir-feed reads, one row each. Three are text tables; two are uplinks of LoRaWAN
 * devices, one JSON object per line (feed/uplink.h).
 *
 * csv     any table, as the mapping describes it
 * toa5    Campbell Scientific's Table-Oriented ASCII 5: four rows of head (origin, names, units,
 *         processing)
 * rdb     USGS NWIS: comments, names, widths ("5s 15s 20d"); several sites may follow one another
 * tts     The Things Stack v3, the message `up` of its MQTT server
 * chirpstack  ChirpStack v4, the event `up` of its MQTT integration, as JSON */
#ifndef IR_FEED_FORMAT_H
#define IR_FEED_FORMAT_H

#include "feed/fields.h"

#include <stdbool.h>

typedef struct ir_uplink_kind ir_uplink_kind_t;

typedef struct ir_input_format {
    const char *name;
    const ir_uplink_kind_t *uplink; /* NULL: a table */
    ir_dialect_t dialect;           /* how a table is written; csv: from the mapping */
    char comment;                   /* rows that begin with this character are skipped; 0: none */
    unsigned head_rows, name_row;   /* header rows; which one has the names; csv: see the mapping */
    const char *first;              /* required first field of the header, or NULL */
    const char *time, *zone;        /* defaults for the mapping, or NULL */
} ir_input_format_t;

/* The formats, in the order of their names in the mapping. */
#define IR_INPUT_FORMATS "csv|toa5|rdb|tts|chirpstack"
typedef enum ir_input_kind {
    IR_INPUT_CSV,
    IR_INPUT_TOA5,
    IR_INPUT_RDB,
    IR_INPUT_TTS,
    IR_INPUT_CHIRPSTACK
} ir_input_kind_t;

const ir_input_format_t *ir_input_format(ir_input_kind_t kind);

#endif
