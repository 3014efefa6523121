#include "observation/senml/media.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* The first row of each type has the name that is shown for it. */
static const struct media_row {
    const char *text;
    ir_media_t media;
} media_rows[] = {
    {"application/senml+json", IR_MEDIA_SENML_JSON},
    {"application/senml+cbor", IR_MEDIA_SENML_CBOR},
    {"application/json", IR_MEDIA_SENML_JSON},
    {"application/cbor", IR_MEDIA_SENML_CBOR},
    {"text/plain", IR_MEDIA_OPEN},
    {"application/octet-stream", IR_MEDIA_OPEN},
    {"application/x-www-form-urlencoded", IR_MEDIA_OPEN}, /* curl -d */
    {"", IR_MEDIA_OPEN},
};

const char *ir_media_text(ir_media_t media) {
    const bool named = media == IR_MEDIA_SENML_JSON || media == IR_MEDIA_SENML_CBOR;
    return named ? media_rows[media - IR_MEDIA_SENML_JSON].text : "unknown";
}

ir_media_t ir_media_parse(ir_view_t content_type) {
    size_t size = 0;
    while (size < content_type.size && strchr("; \t", content_type.data[size]) == NULL) {
        size++;
    }
    for (size_t i = 0; i < sizeof media_rows / sizeof media_rows[0]; i++) {
        const char *text = media_rows[i].text;
        if (strlen(text) == size &&
            (size == 0 || strncasecmp(text, content_type.data, size) == 0)) {
            return media_rows[i].media;
        }
    }
    return IR_MEDIA_UNKNOWN;
}

size_t ir_json_mark(ir_view_t body) {
    static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF in UTF-8 */
    const size_t size = sizeof mark - 1;
    return body.size >= size && memcmp(body.data, mark, size) == 0 ? size : 0;
}

static ir_media_t guess(ir_view_t body) {
    size_t at = ir_json_mark(body);
    while (at < body.size && strchr(" \t\r\n", body.data[at]) != NULL && body.data[at] != '\0') {
        at++;
    }
    if (at == body.size) {
        return IR_MEDIA_UNKNOWN;
    }
    if (body.data[at] == '[') {
        return IR_MEDIA_SENML_JSON;
    }
    /* major type 4: an array */
    return ((unsigned char)body.data[0] & 0xe0) == 0x80 ? IR_MEDIA_SENML_CBOR : IR_MEDIA_UNKNOWN;
}

ir_media_t ir_media_of(ir_view_t content_type, ir_view_t body) {
    const ir_media_t media = ir_media_parse(content_type);
    return media == IR_MEDIA_OPEN ? guess(body) : media;
}
