/* The media types of bodies. */
#ifndef IR_OBSERVATION_SENML_MEDIA_H
#define IR_OBSERVATION_SENML_MEDIA_H

#include "common/view.h"

#include <stddef.h>

typedef enum ir_media {
    IR_MEDIA_UNKNOWN,
    IR_MEDIA_SENML_JSON, /* application/senml+json, application/json */
    IR_MEDIA_SENML_CBOR, /* application/senml+cbor, application/cbor */
    IR_MEDIA_OPEN        /* no type (MQTT 3.1.1 has none), or a client's default: text/plain,
                            application/octet-stream, … */
} ir_media_t;

/* Decides by the content type only. Ignores case and parameters ("; charset=utf-8"). */
ir_media_t ir_media_parse(ir_view_t content_type);

/* Like ir_media_parse, but decides an open type by the body's first byte: a JSON array or a CBOR
 * array. UNKNOWN for anything else. */
ir_media_t ir_media_of(ir_view_t content_type, ir_view_t body);
const char *ir_media_text(ir_media_t media); /* "unknown": only the body can decide */

/* The size of a byte order mark before JSON, or 0. */
size_t ir_json_mark(ir_view_t body);

#endif
