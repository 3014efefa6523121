#include "feed/encoding.h"

#include "common/utf8.h"

#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define UTF8 "UTF-8"
#define GROWTH_MAX 4 /* maximum bytes of UTF-8 for one byte of another encoding */

struct ir_encoding {
    iconv_t conversion;
};

/* Common names for which iconv uses another name. */
static const struct {
    const char *name, *iconv;
} names[] = {
    {"latin-1", "ISO-8859-1"},
    {"latin-2", "ISO-8859-2"},
    {"latin-9", "ISO-8859-15"},
};

static const char *iconv_name(const char *name) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(name, names[i].name) == 0) {
            return names[i].iconv;
        }
    }
    return name;
}

static bool keeps_ascii(ir_encoding_t *encoding) {
    char ascii[0x7f];
    for (size_t i = 0; i < sizeof ascii; i++) {
        ascii[i] = (char)(i + 1);
    }
    ir_buffer_t out;
    ir_buffer_init(&out);
    const bool same = ir_encoding_utf8(encoding, ir_view(ascii, sizeof ascii), &out) &&
                      ir_view_equal(ir_buffer_view(&out), ir_view(ascii, sizeof ascii));
    ir_buffer_free(&out);
    return same;
}

ir_status_t ir_encoding_open(const char *name, ir_encoding_t **encoding, ir_error_t *error) {
    ir_encoding_t *made = malloc(sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for an encoding");
    }
    /* To iconv, an empty name means the encoding of the locale. */
    made->conversion = name[0] != '\0' ? iconv_open(UTF8, iconv_name(name)) : (iconv_t)-1;
    if (made->conversion == (iconv_t)-1) {
        free(made);
        return ir_error_set(error, IR_ERR_USAGE,
                            "encoding: unknown encoding '%.80s'; iconv -l lists all names", name);
    }
    if (!keeps_ascii(made)) {
        ir_encoding_close(made);
        return ir_error_set(
            error, IR_ERR_USAGE,
            "encoding: '%.80s' does not extend ASCII; convert the file to UTF-8 first", name);
    }
    *encoding = made;
    return IR_OK;
}

void ir_encoding_close(ir_encoding_t *encoding) {
    if (encoding != NULL) {
        (void)iconv_close(encoding->conversion);
        free(encoding);
    }
}

bool ir_encoding_utf8(ir_encoding_t *encoding, ir_view_t text, ir_buffer_t *out) {
    ir_buffer_clear(out);
    if (text.size == 0 || !ir_buffer_reserve(out, text.size * GROWTH_MAX)) {
        return text.size == 0;
    }
    char *from = (char *)text.data;
    char *to = out->data;
    size_t from_left = text.size;
    size_t to_left = out->capacity;
    (void)iconv(encoding->conversion, NULL, NULL, NULL, NULL);
    if (iconv(encoding->conversion, &from, &from_left, &to, &to_left) == (size_t)-1) {
        return false;
    }
    out->size = (size_t)(to - out->data);
    return ir_utf8_valid(ir_buffer_view(out));
}
