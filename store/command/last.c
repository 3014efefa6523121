#include "annotation/formats/document.h"
#include "annotation/quality/reasons.h"
#include "common/clock.h"
#include "store/command/command.h"
#include "store/command/newest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A series. Both texts are in one block of memory. */
typedef struct series {
    char *mote, *sensor;
} series_t;

typedef struct listing {
    const ir_stores_t *stores;
    const char *mote; /* NULL: all */
    series_t *series;
    size_t count, capacity;
    ir_buffer_t text;
    ir_error_t *error;
} listing_t;

/* ---- the series ---- */

static ir_status_t no_memory(const listing_t *listing) {
    return ir_error_set(listing->error, IR_ERR_MEMORY, "last: out of memory");
}

static ir_status_t take_series(void *context, ir_view_t mote, ir_view_t name) {
    listing_t *listing = context;
    if (listing->mote != NULL && !ir_view_equal(mote, ir_view_text(listing->mote))) {
        return IR_OK;
    }
    if (listing->count == listing->capacity) {
        const size_t capacity = listing->capacity > 0 ? listing->capacity * 2 : 64;
        series_t *grown = realloc(listing->series, capacity * sizeof *grown);
        if (grown == NULL) {
            return no_memory(listing);
        }
        listing->series = grown;
        listing->capacity = capacity;
    }
    char *texts = calloc(1, mote.size + name.size + 2);
    if (texts == NULL) {
        return no_memory(listing);
    }
    memcpy(texts, mote.data, mote.size);
    memcpy(texts + mote.size + 1, name.data, name.size);
    listing->series[listing->count++] = (series_t){texts, texts + mote.size + 1};
    return IR_OK;
}

static int compare_series(const void *a, const void *b) {
    const series_t *first = a;
    const series_t *second = b;
    const int order = strcmp(first->mote, second->mote);
    return order != 0 ? order : strcmp(first->sensor, second->sensor);
}

/* ---- their newest observations ---- */

static void append_line(ir_buffer_t *out, const ir_observation_t *observation) {
    const ir_sensor_t *sensor = observation->sensor;
    char time[IR_TIME_SIZE];
    ir_clock_format(observation->time_ns, time);
    ir_buffer_append_format(out, "%-24s  %-20s  %-24s  ", time, sensor->mote->id,
                            sensor->property->key);
    ir_document_append_value(out, &observation->value);
    ir_buffer_append_format(out, " %s  %s", sensor->unit != NULL ? sensor->unit->ucum : "",
                            ir_flag_text(observation->aggregate));
    if (ir_flag_is_bad(observation->aggregate)) {
        ir_buffer_append_text(out, "  ");
        ir_reasons_append(out, observation);
    }
}

static ir_status_t write_observation(void *context, const ir_stored_observation_t *stored) {
    listing_t *listing = context;
    ir_buffer_t *text = &listing->text;
    ir_buffer_clear(text);
    if (listing->stores->options->json) {
        ir_document_append(text, &stored->observation, &stored->raw_id);
    } else {
        append_line(text, &stored->observation);
    }
    ir_buffer_append_char(text, '\n');
    if (!ir_buffer_ok(text)) {
        return no_memory(listing);
    }
    return fwrite(text->data, 1, text->size, listing->stores->out) == text->size
               ? IR_OK
               : ir_error_set(listing->error, IR_ERR_IO, "cannot write the output: %s",
                              strerror(errno));
}

static ir_status_t list(listing_t *listing) {
    ir_documents_t *documents = listing->stores->documents;
    ir_status_t status = ir_documents_each_sensor(documents, take_series, listing, listing->error);
    if (listing->count > 0) {
        qsort(listing->series, listing->count, sizeof *listing->series, compare_series);
    }
    for (size_t i = 0; i < listing->count && status == IR_OK; i++) {
        status = ir_newest_last(documents, listing->series[i].mote, listing->series[i].sensor,
                                write_observation, listing, listing->error);
    }
    return status;
}

ir_status_t ir_store_last(const ir_stores_t *stores, ir_error_t *error) {
    listing_t listing = {
        .stores = stores, .mote = ir_setting_text(stores->options->mote), .error = error};
    ir_status_t status = ir_documents_ready(stores->documents, error);
    if (status == IR_OK) {
        ir_buffer_init(&listing.text);
        status = list(&listing);
        ir_buffer_free(&listing.text);
    }
    if (status == IR_OK && listing.mote != NULL && listing.count == 0) {
        status = ir_error_set(error, IR_ERR_NOT_FOUND, "last: no data is stored for mote '%s'",
                              listing.mote);
    }
    for (size_t i = 0; i < listing.count; i++) {
        free(listing.series[i].mote);
    }
    free(listing.series);
    return status;
}
