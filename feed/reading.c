#include "feed/reading.h"

#include "common/clock.h"
#include "common/number.h"
#include "observation/registry/registry.h"
#include "observation/senml/senml.h"

#include <string.h>

/* ---- mote and time ---- */

static ir_view_t join(const ir_reading_context_t *context, ir_view_t a, ir_view_t b) {
    char *text = ir_arena_alloc(context->arena, a.size + b.size + 1);
    if (text == NULL) {
        context->report->out_of_memory = true;
        return ir_view(NULL, 0);
    }
    memcpy(text, a.size > 0 ? a.data : "", a.size);
    memcpy(text + a.size, b.size > 0 ? b.data : "", b.size);
    text[a.size + b.size] = '\0';
    return ir_view(text, a.size + b.size);
}

bool ir_reading_set_mote(const ir_reading_context_t *context, ir_view_t text,
                         ir_reading_t *reading) {
    const char *prefix = context->position->mote_prefix;
    reading->mote = join(context, ir_view_text(prefix), text);
    if (!ir_mote_id_valid(reading->mote)) {
        ir_report_unusable(context->report,
                           "'%.*s' is not a mote's id: letters, digits, '-', ':' and '_'",
                           IR_VIEW_ARG(reading->mote));
        return false;
    }
    return true;
}

bool ir_reading_set_time(const ir_reading_context_t *context, int64_t time_ns,
                         ir_reading_t *reading) {
    if (time_ns < IR_READING_TIME_MIN_NS) {
        ir_report_unusable(context->report,
                           "SenML cannot express times before 1978-07-04T21:24:16Z");
        return false;
    }
    reading->time_ns = time_ns - time_ns % IR_MICROSECOND_NS;
    return true;
}

/* ---- values ---- */

/* Returns the sensor's full name: the one in the mapping, or the mote plus a name from the mapping
 * or a column. */
static ir_view_t full_name(const ir_reading_context_t *context, const ir_position_value_t *value,
                           ir_view_t name, const ir_reading_t *reading) {
    const ir_view_t text = ir_view_text(value->sensor_from.text);
    if (value->sensor_from.column) {
        const ir_view_t base = join(context, reading->mote, ir_view_text("/"));
        return join(context, base, name);
    }
    return text.data[0] == '/' ? join(context, reading->mote, text) : text;
}

void ir_reading_add(const ir_reading_context_t *context, const ir_position_value_t *value,
                    ir_view_t name, double number, ir_reading_t *reading) {
    const ir_view_t sensor = full_name(context, value, name, reading);
    if (!ir_sensor_name_valid(sensor)) {
        ir_report_unusable(context->report,
                           "'%.*s' is not a sensor's name: letters, digits and - : . / _",
                           IR_VIEW_ARG(sensor));
        return;
    }
    reading->values[reading->n_values++] =
        (ir_reading_value_t){.sensor = sensor, .unit = value->known_unit, .number = number};
}
