/* SenML in resolved form (RFC 8428, section 4.6): full names, absolute times in order, values and
 * units as sent. The only base field is the version, and only where a unit is a secondary unit (RFC
 * 9100, section 3). Decoding the result gives the same observations with the same ids. */
#include "annotation/formats/formats.h"
#include "common/base64.h"
#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>

/* Appends seconds as an exact decimal; a double would lose digits. */
static void append_seconds(ir_buffer_t *out, int64_t time_ns) {
    const bool negative = time_ns < 0;
    const uint64_t ns = negative ? 0 - (uint64_t)time_ns : (uint64_t)time_ns;
    char fraction[16];
    if (negative) {
        ir_buffer_append_char(out, '-');
    }
    ir_buffer_append_uint(out, ns / (uint64_t)IR_SECOND_NS);
    if (ns % (uint64_t)IR_SECOND_NS != 0) {
        int size = snprintf(fraction, sizeof fraction, ".%09" PRIu64, ns % (uint64_t)IR_SECOND_NS);
        while (fraction[size - 1] == '0') {
            size--;
        }
        ir_buffer_append(out, fraction, (size_t)size);
    }
}

static void append_value(ir_buffer_t *out, const ir_value_t *value) {
    switch (value->kind) {
    case IR_VALUE_NUMBER:
        ir_buffer_append_text(out, ",\"v\":");
        ir_buffer_append_double(out, value->number);
        break;
    case IR_VALUE_STRING:
        ir_buffer_append_text(out, ",\"vs\":");
        ir_buffer_append_json_string(out, value->bytes);
        break;
    case IR_VALUE_BOOL:
        ir_buffer_append_text(out, value->boolean ? ",\"vb\":true" : ",\"vb\":false");
        break;
    case IR_VALUE_DATA:
        ir_buffer_append_text(out, ",\"vd\":\"");
        ir_base64_append(out, value->bytes, true);
        ir_buffer_append_char(out, '"');
        break;
    case IR_VALUE_NONE:
        break;
    }
}

static void append_record(ir_buffer_t *out, const ir_observation_t *observation, bool versioned) {
    ir_buffer_append_char(out, '{');
    if (versioned) {
        ir_buffer_append_text(out, "\"bver\":");
        ir_buffer_append_uint(out, IR_SENML_VERSION);
        ir_buffer_append_char(out, ',');
    }
    ir_buffer_append_text(out, "\"n\":\"");
    ir_buffer_append_text(out, observation->sensor->name);
    ir_buffer_append_char(out, '"');
    if (observation->source_unit.size > 0) {
        ir_buffer_append_text(out, ",\"u\":");
        ir_buffer_append_json_string(out, observation->source_unit);
    }
    append_value(out, &observation->source_value);
    if (observation->has_sum) {
        ir_buffer_append_text(out, ",\"s\":");
        ir_buffer_append_double(out, observation->sum);
    }
    ir_buffer_append_text(out, ",\"t\":");
    append_seconds(out, observation->time_ns);
    ir_buffer_append_char(out, '}');
}

static bool is_secondary(const ir_observation_t *observation) {
    const ir_view_t text = observation->source_unit;
    const ir_unit_t *unit = observation->sensor->unit;
    if (unit == NULL || !ir_view_equal(text, ir_view_text(unit->senml))) {
        unit = ir_unit_find(text);
    }
    return unit != NULL && unit->secondary && ir_view_equal(text, ir_view_text(unit->senml));
}

/* Returns the next accepted observation in time order, starting at *at; NULL when none is left. */
static const ir_observation_t *next_by_time(const ir_format_item_t *item, uint32_t *at) {
    const ir_message_t *message = item->message;
    while (*at < message->n_observations) {
        const uint32_t place = (*at)++;
        const ir_observation_t *observation =
            &item->batch
                 ->observations[message->first_observation +
                                (message->by_time != NULL ? message->by_time[place] : place)];
        if (ir_observation_accepted(observation)) {
            return observation;
        }
    }
    return NULL;
}

static bool has_secondary(const ir_format_item_t *item) {
    uint32_t at = 0;
    const ir_observation_t *each = NULL;
    while ((each = next_by_time(item, &at)) != NULL && !is_secondary(each)) {
    }
    return each != NULL;
}

/* Writes one pack per message, one per line, so that ir-annotate can read it. */
static void item_pack(ir_buffer_t *out, const ir_format_item_t *item,
                      const ir_format_options_t *options, bool first) {
    (void)options;
    (void)first;
    ir_buffer_append_char(out, '[');
    if (item->revision != NULL) {
        const ir_observation_t *revised = &item->revision->observation;
        append_record(out, revised, is_secondary(revised));
    } else {
        const bool versioned = has_secondary(item);
        const char *separator = "";
        uint32_t at = 0;
        for (const ir_observation_t *each; (each = next_by_time(item, &at)) != NULL;) {
            ir_buffer_append_text(out, separator);
            append_record(out, each, versioned);
            separator = ",";
        }
    }
    ir_buffer_append(out, "]\n", 2);
}

const ir_format_t ir_format_senml = {
    .name = "senml", .content_type = "application/senml+json", .item = item_pack};
