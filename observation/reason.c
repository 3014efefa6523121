#include "observation/reason.h"

#include "common/legible.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const texts[IR_REASON_COUNT] = {
    [IR_REASON_NONE] = "none",
    [IR_REASON_NO_ROUTING_KEY] = "no-routing-key",
    [IR_REASON_CONTENT_TYPE] = "content-type",
    [IR_REASON_TOO_LARGE] = "too-large",
    [IR_REASON_NOT_GZIP] = "not-gzip",
    [IR_REASON_NOT_JSON] = "not-json",
    [IR_REASON_NOT_CBOR] = "not-cbor",
    [IR_REASON_TOO_DEEP] = "too-deep",
    [IR_REASON_NOT_SENML] = "not-senml",
    [IR_REASON_EMPTY_PACK] = "empty-pack",
    [IR_REASON_TOO_MANY_RECORDS] = "too-many-records",
    [IR_REASON_VERSION] = "version",
    [IR_REASON_UNKNOWN_LABEL] = "unknown-label",
    [IR_REASON_UNKNOWN_MOTE] = "unknown-mote",
    [IR_REASON_BAD_FIELD] = "bad-field",
    [IR_REASON_BAD_NAME] = "bad-name",
    [IR_REASON_NO_VALUE] = "no-value",
    [IR_REASON_MANY_VALUES] = "many-values",
    [IR_REASON_NOT_FINITE] = "not-finite",
    [IR_REASON_OUT_OF_RANGE] = "out-of-range",
    [IR_REASON_FUTURE] = "future",
    [IR_REASON_UNKNOWN_SENSOR] = "unknown-sensor",
    [IR_REASON_FOREIGN_SENSOR] = "foreign-sensor",
    [IR_REASON_UNIT] = "unit",
    [IR_REASON_VALUE_TYPE] = "value-type",
    [IR_REASON_DUPLICATE] = "duplicate",
    [IR_REASON_DOCUMENT_REFUSED] = "document-refused",
    [IR_REASON_GRAPH_REFUSED] = "graph-refused",
    [IR_REASON_UNPUBLISHABLE] = "unpublishable",
};

const char *ir_reason_text(ir_reason_t reason) {
    return (unsigned)reason < IR_REASON_COUNT ? texts[reason] : "unknown";
}

void ir_refusal_set(ir_refusal_t *refusal, ir_reason_t reason, int record, const char *format,
                    ...) {
    refusal->reason = reason;
    refusal->record = record;
    refusal->count = 1;
    refusal->records = NULL;
    va_list arguments;
    va_start(arguments, format);
    char text[sizeof refusal->detail];
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ir_legible_line(refusal->detail, sizeof refusal->detail, ir_view_text(text));
}

bool ir_refusal_has(ir_view_t records, int record) {
    const size_t at = (size_t)record / 4;
    if (record < 0 || at >= records.size) {
        return false;
    }
    const char digit = records.data[at];
    const int bits = digit <= '9' ? digit - '0' : digit - 'a' + 10;
    return (bits >> record % 4 & 1) != 0;
}
