#include "annotation/annotate.h"

#include "annotation/packs.h"
#include "annotation/quality/quality.h"
#include "annotation/revision_merge.h"
#include "common/clock.h"
#include "common/program.h"
#include "observation/analysis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_OBSERVATIONS 4096
#define BATCH_BYTES ((size_t)4 * 1024 * 1024)
#define FLUSH_BYTES ((size_t)256 * 1024)

struct ir_annotate {
    const ir_annotate_options_t *options;
    FILE *out, *rejects;
    const ir_format_t *format;
    ir_format_options_t format_options;
    ir_analysis_t analysis;
    int64_t now_ns; /* 0: use the clock */
    ir_registry_t *registry;
    ir_quality_t *quality;
    ir_revision_merge_t *merge; /* NULL when the output is a stream */
    ir_batch_t *batch;
    ir_buffer_t text;
    bool begun; /* whether the first item was written */
    uint64_t rejected;
};

static ir_status_t out_of_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "out of memory");
}

/* ---- open and close ---- */

static ir_status_t read_options(ir_annotate_t *annotate, ir_error_t *error) {
    const ir_annotate_options_t *options = annotate->options;
    annotate->format = ir_format_find(ir_view_text(options->format));
    if (annotate->format == NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "format: '%s' is not one of " IR_FORMAT_NAMES,
                            options->format);
    }
    if (options->now != NULL && options->now[0] != '\0' &&
        !ir_clock_parse(ir_view_text(options->now), &annotate->now_ns)) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "now: '%s' is not a time like 2026-01-31T12:00:00Z", options->now);
    }
    ir_format_settings_options(&options->rdf, &annotate->format_options);
    ir_analysis_settings_analysis(&options->analysis, options->rdf.base_iri, &annotate->analysis);
    annotate->analysis.infer_mote = true;
    return ir_format_settings_check(&options->rdf, error);
}

static void tell_fault(void *context, const char *line) {
    fprintf(context, "%s\n", line);
}

ir_status_t ir_annotate_open(const ir_annotate_options_t *options, FILE *out, FILE *rejects,
                             ir_annotate_t **annotate, ir_error_t *error) {
    ir_annotate_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return out_of_memory(error);
    }
    made->options = options;
    made->out = out;
    made->rejects = rejects;
    ir_buffer_init(&made->text);
    ir_status_t status = read_options(made, error);
    if (status == IR_OK) {
        const ir_teller_t teller = {tell_fault, rejects};
        status = ir_registry_load(options->registry, &made->registry, &teller, error);
    }
    if (status == IR_OK) {
        made->quality = ir_quality_new(SIZE_MAX, NULL, NULL, !options->stream);
        made->merge = options->stream ? NULL : ir_revision_merge_new();
        made->batch = ir_batch_new(made->registry);
        if (made->quality == NULL || made->batch == NULL ||
            (!options->stream && made->merge == NULL)) {
            status = out_of_memory(error);
        }
    }
    if (status != IR_OK) {
        ir_annotate_close(made);
        return status;
    }
    if (made->format->head != NULL) {
        made->format->head(&made->text, &made->format_options);
    }
    *annotate = made;
    return IR_OK;
}

void ir_annotate_close(ir_annotate_t *annotate) {
    if (annotate == NULL) {
        return;
    }
    ir_batch_free(annotate->batch);
    ir_revision_merge_free(annotate->merge);
    ir_quality_free(annotate->quality);
    ir_registry_unref(annotate->registry);
    ir_buffer_free(&annotate->text);
    free(annotate);
}

uint64_t ir_annotate_rejected(const ir_annotate_t *annotate) {
    return annotate->rejected;
}

/* ---- writing ---- */

static ir_status_t flush_text(ir_annotate_t *annotate, size_t least, ir_error_t *error) {
    ir_buffer_t *text = &annotate->text;
    if (!ir_buffer_ok(text)) {
        return out_of_memory(error);
    }
    if (text->size < least || text->size == 0) {
        return IR_OK;
    }
    if (fwrite(text->data, 1, text->size, annotate->out) != text->size) {
        return ir_error_set(error, IR_ERR_IO, "cannot write the output: %s", strerror(errno));
    }
    ir_buffer_clear(text);
    return IR_OK;
}

static void write_item(ir_annotate_t *annotate, const ir_format_item_t *item) {
    if (!ir_format_item_empty(item)) {
        annotate->format->item(&annotate->text, item, &annotate->format_options, !annotate->begun);
        annotate->begun = true;
    }
}

static ir_status_t write_batch(ir_annotate_t *annotate, const ir_batch_t *batch,
                               ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (uint32_t i = 0; i < batch->n_messages && status == IR_OK; i++) {
        write_item(annotate, &(ir_format_item_t){.batch = batch, .message = &batch->messages[i]});
        status = flush_text(annotate, FLUSH_BYTES, error);
    }
    for (uint32_t i = 0; i < batch->n_revisions && status == IR_OK && annotate->merge == NULL &&
                         annotate->format->has_quality;
         i++) {
        const ir_revision_t *revision = &batch->revisions[i];
        write_item(annotate,
                   &(ir_format_item_t){.batch = batch,
                                       .message = &batch->messages[revision->observation.message],
                                       .revision = revision});
        status = flush_text(annotate, FLUSH_BYTES, error);
    }
    return status;
}

/* Runs quality control on the batch. Then writes it, or keeps it until all revisions are known. */
static ir_status_t finish_batch(ir_annotate_t *annotate, ir_error_t *error) {
    if (ir_quality_check(annotate->quality, annotate->batch, error) != IR_OUTCOME_OK) {
        return error->status;
    }
    if (annotate->merge == NULL) {
        const ir_status_t status = write_batch(annotate, annotate->batch, error);
        ir_batch_reset(annotate->batch, annotate->registry);
        return status;
    }
    const bool kept = ir_revision_merge_add(annotate->merge, annotate->batch);
    annotate->batch = kept ? ir_batch_new(annotate->registry) : NULL;
    return annotate->batch != NULL ? IR_OK : out_of_memory(error);
}

/* ---- reading ---- */

static void report(ir_annotate_t *annotate, const char *path, unsigned long line,
                   const ir_refusal_t *refusal) {
    fprintf(annotate->rejects, "%s:%lu: %s: ", path, line, ir_reason_text(refusal->reason));
    if (refusal->record >= 0) {
        fprintf(annotate->rejects, "record %d: ", refusal->record);
    }
    fprintf(annotate->rejects, "%s\n", refusal->detail);
    annotate->rejected++;
}

static void report_unreadable(ir_annotate_t *annotate, const char *path) {
    fprintf(annotate->rejects, "%s: cannot be read: %s\n", path, strerror(errno));
    annotate->rejected++;
}

static ir_status_t take_pack(ir_annotate_t *annotate, const char *path, unsigned long line,
                             ir_media_t media, ir_view_t body, ir_error_t *error) {
    ir_batch_t *batch = annotate->batch;
    if (batch == NULL) {
        return out_of_memory(error);
    }
    const ir_batch_input_t input = {
        .content_type = ir_view_text(ir_media_text(media)),
        .body = body,
        .arrival_ns = annotate->now_ns != 0 ? annotate->now_ns : ir_clock_now(),
    };
    if (ir_batch_add(batch, &annotate->analysis, &input) != IR_OK) {
        return out_of_memory(error);
    }
    const ir_message_t *message = &batch->messages[batch->n_messages - 1];
    for (uint32_t i = 0; i < message->n_refusals; i++) {
        report(annotate, path, line, &batch->refusals[message->first_refusal + i]);
    }
    if (batch->n_observations >= BATCH_OBSERVATIONS || batch->body_bytes >= BATCH_BYTES) {
        return finish_batch(annotate, error);
    }
    return IR_OK;
}

static void report_too_long(ir_annotate_t *annotate, const char *path, unsigned long line) {
    ir_refusal_t refusal;
    ir_refusal_set(&refusal, IR_REASON_TOO_LARGE, -1, "more than %lld bytes",
                   (long long)annotate->options->analysis.limits.pack_bytes);
    report(annotate, path, line, &refusal);
}

static ir_status_t take_json(ir_annotate_t *annotate, const char *path, const ir_pack_text_t *pack,
                             ir_error_t *error) {
    if (pack->too_long) {
        report_too_long(annotate, path, pack->line);
        return IR_OK;
    }
    return pack->text.size == 0
               ? IR_OK
               : take_pack(annotate, path, pack->line, IR_MEDIA_SENML_JSON, pack->text, error);
}

static ir_status_t read_json(ir_annotate_t *annotate, const char *path, int fd, ir_error_t *error) {
    ir_packs_t *packs = ir_packs_new(fd, annotate->analysis.limits.bytes);
    if (packs == NULL) {
        return out_of_memory(error);
    }
    ir_pack_text_t pack = {.line = 0};
    ir_status_t status = IR_OK;
    ir_status_t next = IR_OK;
    while (status == IR_OK && (next = ir_packs_next(packs, &pack)) == IR_OK) {
        status = take_json(annotate, path, &pack, error);
    }
    if (next == IR_ERR_IO) {
        report_unreadable(annotate, path);
    }
    ir_packs_free(packs);
    return status;
}

/* Reads a file that holds one CBOR pack. */
static ir_status_t read_cbor(ir_annotate_t *annotate, const char *path, int fd, ir_error_t *error) {
    const size_t most = annotate->analysis.limits.bytes + 1;
    ir_buffer_t body;
    ir_buffer_init(&body);
    ssize_t got = ir_buffer_reserve(&body, most) ? 1 : -1;
    while (got > 0 && body.size < most) {
        got = read(fd, body.data + body.size, most - body.size);
        body.size += got > 0 ? (size_t)got : 0;
    }
    ir_status_t status = IR_OK;
    if (got < 0) {
        report_unreadable(annotate, path);
    } else if (body.size == most) {
        report_too_long(annotate, path, 1);
    } else {
        status = take_pack(annotate, path, 1, IR_MEDIA_SENML_CBOR, ir_buffer_view(&body), error);
    }
    ir_buffer_free(&body);
    return status;
}

ir_status_t ir_annotate_file(ir_annotate_t *annotate, const char *path, ir_error_t *error) {
    const bool standard = strcmp(path, "-") == 0;
    const int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        report_unreadable(annotate, path);
        return IR_OK;
    }
    const char *name = standard ? "stdin" : path;
    const ir_status_t status = annotate->options->input == IR_INPUT_CBOR
                                   ? read_cbor(annotate, name, fd, error)
                                   : read_json(annotate, name, fd, error);
    if (!standard) {
        close(fd);
    }
    return status;
}

ir_status_t ir_annotate_finish(ir_annotate_t *annotate, ir_error_t *error) {
    ir_status_t status = finish_batch(annotate, error);
    if (status == IR_OK && annotate->merge != NULL) {
        size_t count = 0;
        ir_batch_t *const *batches = ir_revision_merge_batches(annotate->merge, &count);
        for (size_t i = 0; i < count && status == IR_OK; i++) {
            status = write_batch(annotate, batches[i], error);
        }
    }
    if (status == IR_OK && annotate->format->tail != NULL) {
        annotate->format->tail(&annotate->text, &annotate->format_options);
    }
    if (status == IR_OK) {
        status = flush_text(annotate, 0, error);
    }
    return status == IR_OK ? ir_program_flush(annotate->out, error) : status;
}
