#include "store/command/newest.h"
#include "store/command/selection.h"

#include <errno.h>
#include <string.h>

#define SEPARATORS ", "

typedef struct exporting {
    const ir_stores_t *stores;
    const ir_format_t *format;
    ir_format_options_t options;
    unsigned flags; /* bits of the requested qualities; 0: all */
    uint64_t written;
    ir_id_t last;
    bool more; /* the limit is reached, and there are more observations */
    ir_buffer_t text;
    ir_error_t *error;
} exporting_t;

/* ---- selecting ---- */

static ir_status_t read_quality(exporting_t *exporting, const char *list) {
    const char *rest = list != NULL ? list : "";
    while (*(rest += strspn(rest, SEPARATORS)) != '\0') {
        const size_t size = strcspn(rest, SEPARATORS);
        const int flag = ir_flag_find(ir_view(rest, size));
        if (flag == 0) {
            return ir_error_set(exporting->error, IR_ERR_USAGE,
                                "quality: '%.*s' is not one of " IR_FLAG_NAMES, (int)size, rest);
        }
        exporting->flags |= 1U << flag;
        rest += size;
    }
    return IR_OK;
}

static ir_status_t read_format(exporting_t *exporting, const char *name) {
    exporting->format = ir_format_find(ir_view_text(name));
    if (exporting->format == NULL) {
        return ir_error_set(exporting->error, IR_ERR_USAGE,
                            "format: '%s' is not one of " IR_FORMAT_NAMES, name);
    }
    return strcmp(name, "sensorthings") != 0
               ? IR_OK
               : ir_error_set(exporting->error, IR_ERR_USAGE,
                              "format: sensorthings is not exported: the documents lack the place "
                              "and the unit's name; ir-annotate writes it");
}

/* ---- observations ---- */

static ir_status_t write_text(exporting_t *exporting) {
    ir_buffer_t *text = &exporting->text;
    if (!ir_buffer_ok(text)) {
        return ir_error_set(exporting->error, IR_ERR_MEMORY, "export: out of memory");
    }
    if (text->size > 0 && fwrite(text->data, 1, text->size, exporting->stores->out) != text->size) {
        return ir_error_set(exporting->error, IR_ERR_IO, "cannot write the output: %s",
                            strerror(errno));
    }
    ir_buffer_clear(text);
    return IR_OK;
}

static ir_status_t write_observation(void *context, const ir_stored_observation_t *stored) {
    exporting_t *exporting = context;
    const uint64_t limit = (uint64_t)exporting->stores->options->limit;
    ir_observation_t observation = stored->observation;
    if (exporting->flags != 0 && (exporting->flags >> observation.aggregate & 1U) == 0) {
        return IR_OK;
    }
    if (limit > 0 && exporting->written == limit) {
        exporting->more = true;
        return IR_ERR_STATE;
    }
    observation.message = 0;
    const ir_batch_t batch = {.observations = &observation, .n_observations = 1};
    const ir_message_t message = {.raw_id = stored->raw_id, .n_observations = 1};
    const ir_format_item_t item = {.batch = &batch, .message = &message};
    exporting->format->item(&exporting->text, &item, &exporting->options, exporting->written == 0);
    exporting->last = observation.id;
    exporting->written++;
    return write_text(exporting);
}

static ir_status_t walk(exporting_t *exporting, const ir_observation_selection_t *selection) {
    const ir_stores_t *stores = exporting->stores;
    const bool first = stores->options->verdict == IR_VERDICT_FIRST;
    const ir_status_t status =
        first ? ir_documents_each_selected(stores->documents, selection, write_observation,
                                           exporting, exporting->error)
              : ir_newest_each(stores->documents, selection, write_observation, exporting,
                               exporting->error);
    return exporting->more ? IR_OK : status;
}

static ir_status_t write_all(exporting_t *exporting, const ir_observation_selection_t *selection) {
    const ir_format_t *format = exporting->format;
    ir_format_settings_options(&exporting->stores->options->format, &exporting->options);
    if (format->head != NULL) {
        format->head(&exporting->text, &exporting->options);
    }
    ir_status_t status = write_text(exporting);
    if (status == IR_OK) {
        status = walk(exporting, selection);
    }
    if (status == IR_OK && format->tail != NULL) {
        format->tail(&exporting->text, &exporting->options);
        status = write_text(exporting);
    }
    if (status == IR_OK && exporting->written == 0 &&
        ir_setting_text(exporting->stores->options->after) == NULL) {
        fprintf(stderr, "%s: no observation matches\n", ir_store_program.name);
    }
    if (status == IR_OK && exporting->more) {
        char id[IR_ID_TEXT_SIZE];
        fprintf(stderr, "%s: more follows --after %s\n", ir_store_program.name,
                ir_id_format(&exporting->last, id));
    }
    return status;
}

static ir_status_t export_documents(const ir_stores_t *stores, ir_error_t *error) {
    exporting_t exporting = {.stores = stores, .error = error};
    ir_observation_selection_t selection;
    ir_id_t after;
    ir_status_t status = ir_store_observations(stores->options, &after, &selection, error);
    if (status == IR_OK) {
        status = read_format(&exporting, stores->options->output);
    }
    if (status == IR_OK) {
        status = read_quality(&exporting, stores->options->quality);
    }
    if (status == IR_OK) {
        status = ir_documents_ready(stores->documents, error);
    }
    if (status == IR_OK) {
        ir_buffer_init(&exporting.text);
        status = write_all(&exporting, &selection);
        ir_buffer_free(&exporting.text);
    }
    return status;
}

/* ---- statements ---- */

static ir_status_t write_line(void *context, ir_view_t line) {
    exporting_t *exporting = context;
    ir_buffer_append_view(&exporting->text, line);
    ir_buffer_append_char(&exporting->text, '\n');
    return write_text(exporting);
}

static ir_status_t export_graph(const ir_stores_t *stores, ir_error_t *error) {
    exporting_t exporting = {.stores = stores, .error = error};
    if (ir_store_selects(stores->options) || ir_setting_text(stores->options->property) != NULL ||
        ir_setting_text(stores->options->quality) != NULL ||
        ir_setting_text(stores->options->after) != NULL || stores->options->limit > 0) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "export: --what=graph writes all statements; a selection is for "
                            "documents, whose --format may be nquads");
    }
    ir_status_t status = ir_graph_ready(stores->graph, error);
    if (status == IR_OK) {
        ir_buffer_init(&exporting.text);
        status = ir_graph_export(stores->graph, write_line, &exporting, error);
        ir_buffer_free(&exporting.text);
    }
    return status;
}

ir_status_t ir_store_export(const ir_stores_t *stores, ir_error_t *error) {
    return stores->options->what == IR_WHAT_DOCUMENTS ? export_documents(stores, error)
                                                      : export_graph(stores, error);
}
