#include "annotation/formats/format.h"

#include "annotation/formats/formats.h"
#include "common/clock.h"
#include "common/settings.h"

#include <string.h>

#define SEPARATORS ", \t"

#define DATE_SIZE 10 /* of "2011-05-01" */

#define FORMAT(name) &ir_format_##name,
static const ir_format_t *const formats[] = {IR_FORMATS(FORMAT, )};

const ir_format_t *const *ir_formats(size_t *count) {
    *count = sizeof formats / sizeof formats[0];
    return formats;
}

const ir_format_t *ir_format_find(ir_view_t name) {
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (ir_view_equal(ir_view_text(formats[i]->name), name)) {
            return formats[i];
        }
    }
    return NULL;
}

static bool has_format(const ir_format_t *const *some, size_t count, const ir_format_t *format) {
    for (size_t i = 0; i < count; i++) {
        if (some[i] == format) {
            return true;
        }
    }
    return false;
}

ir_status_t ir_formats_parse(const char *list, const ir_format_t *found[static IR_FORMATS_MAX],
                             size_t *count, ir_error_t *error) {
    size_t n = 0;
    const char *rest = list != NULL ? list : "";
    while (*(rest += strspn(rest, SEPARATORS)) != '\0') {
        const size_t size = strcspn(rest, SEPARATORS);
        const ir_format_t *format = ir_format_find(ir_view(rest, size));
        if (format == NULL) {
            return ir_error_set(error, IR_ERR_USAGE,
                                "formats: '%.*s' is not a format; known are " IR_FORMAT_NAMES,
                                (int)size, rest);
        }
        if (!has_format(found, n, format)) {
            found[n++] = format;
        }
        rest += size;
    }
    if (n == 0 && ir_setting_text(list) != NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "formats: '%s' names none; leave it empty", list);
    }
    *count = n;
    return IR_OK;
}

bool ir_base_iri_valid(const char *iri) {
    const size_t size = iri != NULL ? strlen(iri) : 0;
    if (size == 0 || strchr("/#", iri[size - 1]) == NULL || strchr(iri, ':') == NULL) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)iri[i] <= ' ' || strchr("<>\"{}|\\^`", iri[i]) != NULL) {
            return false;
        }
    }
    return true;
}

bool ir_format_item_empty(const ir_format_item_t *item) {
    if (item->revision != NULL) {
        return false;
    }
    for (uint32_t i = 0; i < item->message->n_observations; i++) {
        if (ir_observation_accepted(
                &item->batch->observations[item->message->first_observation + i])) {
            return false;
        }
    }
    return true;
}

void ir_format_each(ir_buffer_t *out, const ir_format_item_t *item, bool first,
                    const char *separator, ir_format_write_fn write) {
    if (item->revision != NULL) {
        ir_buffer_append_text(out, first ? "" : separator);
        write(out, &item->revision->observation, &item->revision->raw_id);
        return;
    }
    for (uint32_t i = 0; i < item->message->n_observations; i++) {
        const ir_observation_t *observation =
            &item->batch->observations[item->message->first_observation + i];
        if (ir_observation_accepted(observation)) {
            ir_buffer_append_text(out, first ? "" : separator);
            write(out, observation, &item->message->raw_id);
            first = false;
        }
    }
}

void ir_graph_name(ir_buffer_t *out, const ir_observation_t *observation,
                   const ir_format_options_t *options) {
    if (options->naming == IR_GRAPH_DEFAULT) {
        return;
    }
    ir_buffer_append_text(out, options->base_iri);
    if (options->naming == IR_GRAPH_MOTE) {
        ir_buffer_append_text(out, "graph/mote/");
        ir_buffer_append_text(out, observation->sensor->mote->id);
        return;
    }
    char time[IR_TIME_SIZE];
    ir_clock_format(observation->time_ns, time);
    ir_buffer_append_text(out, "graph/day/");
    ir_buffer_append(out, time, DATE_SIZE);
}
