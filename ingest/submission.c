#include "ingest/submission.h"

#include "common/gunzip.h"
#include "ingest/key.h"
#include "observation/ownership.h"
#include "observation/resolve.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ARENA_CHUNK 16384
#define EXPANDED_KEPT (1024 * 1024)
#define MEDIA_LINES "application/x-ndjson"
#define FOREIGN "foreign-name"

enum { ACCEPTED = 202, BAD = 400, FORBIDDEN = 403, TOO_LARGE = 413, UNSUPPORTED = 415 };

struct ir_submission_reader {
    ir_submission_limits_t limits;
    ir_arena_t *packs;   /* memory for the whole request */
    ir_arena_t *records; /* memory for one pack */
    ir_buffer_t expanded;
};

/* The state of one request while it is read. */
typedef struct reading {
    ir_submission_reader_t *reader;
    const ir_submission_input_t *input;
    ir_submission_t *submission;
    ir_view_t key; /* Idempotency-Key; empty: none */
    size_t line;   /* 0: the body is one pack */
    size_t capacity;
    ir_status_t status;
} reading_t;

/* ---- refusing ---- */

__attribute__((format(printf, 4, 5))) static void
refuse(reading_t *reading, int code, const char *reason, const char *format, ...) {
    ir_submission_t *submission = reading->submission;
    submission->code = code;
    submission->reason = reason;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(submission->detail, sizeof submission->detail, format, arguments);
    va_end(arguments);
}

static void list_fault(reading_t *reading, const ir_refusal_t *refusal) {
    ir_submission_t *submission = reading->submission;
    if (submission->n_faults < IR_FAULTS_LISTED) {
        submission->faults[submission->n_faults] =
            (ir_submission_fault_t){.line = reading->line, .refusal = *refusal};
    }
    submission->n_faults++;
}

/* The first fault determines the answer. But a name of another mote takes precedence; then earlier
 * faults that need the registry are dropped. */
static void add_fault(reading_t *reading, const ir_refusal_t *refusal, bool foreign) {
    ir_submission_t *submission = reading->submission;
    if (submission->code == ACCEPTED) {
        submission->n_faults = 0;
    }
    if (foreign && submission->code != FORBIDDEN) {
        refuse(reading, FORBIDDEN, FOREIGN,
               "the token belongs to mote %.*s, which may publish only under its own names",
               IR_VIEW_ARG(ir_view_text(reading->input->mote)));
    } else if (submission->code == ACCEPTED) {
        const bool large = refusal->reason == IR_REASON_TOO_LARGE;
        refuse(reading, large ? TOO_LARGE : BAD, ir_reason_text(refusal->reason),
               "nothing of this request was accepted; see refusals");
    }
    list_fault(reading, refusal);
}

/* ---- one pack ---- */

static ir_submission_pack_t *next_pack(reading_t *reading) {
    ir_submission_t *submission = reading->submission;
    if (submission->n_packs == reading->capacity) {
        const size_t capacity = reading->capacity > 0 ? reading->capacity * 2 : 1;
        ir_submission_pack_t *packs =
            ir_arena_alloc(reading->reader->packs, capacity * sizeof *packs);
        if (packs == NULL) {
            return NULL;
        }
        if (submission->n_packs > 0) {
            memcpy(packs, submission->packs, submission->n_packs * sizeof *packs);
        }
        submission->packs = packs;
        reading->capacity = capacity;
    }
    return &submission->packs[submission->n_packs++];
}

/* Whether the record's name allows this mote to send it. */
static bool check_name(reading_t *reading, const ir_senml_record_t *record) {
    if (ir_mote_owns(reading->input->mote, record->name)) {
        return true;
    }
    ir_refusal_t refusal;
    ir_refusal_set(&refusal, IR_REASON_FOREIGN_SENSOR, record->position,
                   "'%.*s' is not a name of mote '%.40s'",
                   record->name.size > 80 ? 80 : (int)record->name.size, record->name.data,
                   reading->input->mote);
    add_fault(reading, &refusal, true);
    return false;
}

/* Whether a worker would accept the record. */
static bool check_record(reading_t *reading, ir_resolution_t *resolution,
                         const ir_senml_record_t *record) {
    if (resolution->registry == NULL) {
        return check_name(reading, record);
    }
    ir_resolved_t resolved;
    ir_refusal_t refusal;
    if (ir_resolve_record(resolution, record, &resolved, &refusal)) {
        return resolved.sensor->registered || check_name(reading, record);
    }
    if (!resolution->out_of_memory && reading->submission->code == ACCEPTED) {
        list_fault(reading, &refusal);
    }
    return false;
}

/* Returns the number of usable records in the pack. */
static size_t check_records(reading_t *reading, const ir_senml_pack_t *pack) {
    const ir_submission_input_t *input = reading->input;
    ir_resolution_t resolution = {.registry = input->registry,
                                  .strangers_iri = input->accept_unregistered ? "" : NULL,
                                  .arena = reading->reader->records,
                                  .mote_id = ir_view_text(input->mote)};
    ir_refusal_t refusal;
    if (resolution.registry != NULL && !ir_resolve_mote(&resolution, &refusal)) {
        if (!resolution.out_of_memory && reading->submission->code == ACCEPTED) {
            list_fault(reading, &refusal);
        }
        reading->status = resolution.out_of_memory ? IR_ERR_MEMORY : IR_OK;
        return 0;
    }
    size_t usable = 0;
    for (size_t i = 0; i < pack->n_records; i++) {
        usable += check_record(reading, &resolution, &pack->records[i]);
    }
    reading->status = resolution.out_of_memory ? IR_ERR_MEMORY : IR_OK;
    return usable;
}

static bool name_pack(const reading_t *reading, ir_submission_pack_t *pack) {
    const bool one = reading->line == 0 || reading->key.size == 0;
    pack->name =
        one ? reading->key : ir_key_line(reading->key, reading->line, reading->reader->packs);
    return one || pack->name.size > 0;
}

static void take_pack(reading_t *reading, ir_view_t body) {
    ir_submission_reader_t *reader = reading->reader;
    ir_senml_pack_t pack = {.n_records = 0};
    ir_arena_reset(reader->records);
    const int64_t arrival_ns =
        reading->input->arrival_ns + (int64_t)reading->submission->n_packs * IR_PACK_INTERVAL_NS;
    const ir_senml_clock_t clock = {.arrival_ns = arrival_ns};
    reading->status = ir_senml_decode(reading->submission->media, body, clock,
                                      &reader->limits.senml, reader->records, &pack);
    if (reading->status != IR_OK) {
        return;
    }
    for (size_t i = 0; i < pack.n_refusals; i++) {
        add_fault(reading, &pack.refusals[i], false);
    }
    reading->submission->observations += check_records(reading, &pack);
    reading->submission->cost += pack.n_records + pack.n_refusals;
    ir_submission_pack_t *kept = next_pack(reading);
    if (kept == NULL || reading->status != IR_OK) {
        reading->status = IR_ERR_MEMORY;
        return;
    }
    kept->body = body;
    kept->arrival_ns = arrival_ns;
    if (!name_pack(reading, kept)) {
        reading->status = IR_ERR_MEMORY;
        return;
    }
    const ir_raw_key_t key =
        ir_raw_key(&pack, ir_view_text(reading->input->mote), body, kept->name, arrival_ns);
    ir_id_raw(&key, &kept->raw_id);
}

/* ---- several packs, one per line ---- */

/* Trims spaces on both sides, and NULs at the end. */
static ir_view_t trim(ir_view_t line) {
    static const char spaces[] = " \t\r";
    while (line.size > 0 && memchr(spaces, line.data[0], sizeof spaces - 1) != NULL) {
        line = ir_view(line.data + 1, line.size - 1);
    }
    while (line.size > 0 && memchr(spaces, line.data[line.size - 1], sizeof spaces) != NULL) {
        line.size--;
    }
    return line;
}

static void take_lines(reading_t *reading, ir_view_t body) {
    const size_t bound = reading->reader->limits.packs;
    while (body.size > 0 && reading->status == IR_OK &&
           (reading->submission->code == ACCEPTED ||
            reading->submission->n_faults < IR_FAULTS_LISTED)) {
        const char *end = memchr(body.data, '\n', body.size);
        const size_t size = end != NULL ? (size_t)(end - body.data) : body.size;
        const ir_view_t line = trim(ir_view(body.data, size));
        const size_t taken = end != NULL ? size + 1 : size;
        body = ir_view(body.data + taken, body.size - taken);
        reading->line++;
        if (line.size > 0 && reading->submission->n_packs == bound) {
            refuse(reading, TOO_LARGE, "too-many-packs", "more than %zu packs in one request",
                   bound);
            return;
        }
        if (line.size > 0) {
            take_pack(reading, line);
        }
    }
    if (reading->status == IR_OK && reading->submission->n_packs == 0 &&
        reading->submission->n_faults == 0) {
        refuse(reading, BAD, "empty", "a body without any pack");
    }
}

/* ---- the whole body ---- */

static bool find_key(reading_t *reading) {
    const char *key = reading->input->idempotency_key;
    if (key == NULL || ir_key_parse(key, &reading->key)) {
        return true;
    }
    refuse(reading, BAD, "idempotency-key",
           "Idempotency-Key must be 1 to %d visible ASCII characters without '\"' and '\\', in "
           "quotes or not",
           IR_KEY_MAX);
    return false;
}

/* The media type without its parameters. */
static bool is_type(const char *content_type, const char *type) {
    const size_t size = strcspn(content_type, "; \t");
    return size == strlen(type) && strncasecmp(content_type, type, size) == 0;
}

static bool find_media(reading_t *reading, bool *lines) {
    const char *type = reading->input->content_type;
    *lines = type != NULL && is_type(type, MEDIA_LINES);
    reading->submission->media = *lines ? IR_MEDIA_SENML_JSON : ir_media_parse(ir_view_text(type));
    if (reading->submission->media != IR_MEDIA_UNKNOWN) {
        return true;
    }
    refuse(reading, UNSUPPORTED, "content-type",
           "Content-Type must be application/senml+json, application/senml+cbor, or " MEDIA_LINES
           " (JSON packs, one per line); or an unspecific type, and the body decides");
    return false;
}

/* Chooses the format if the content type does not determine it. */
static bool tell_media(reading_t *reading, ir_view_t body) {
    ir_submission_t *submission = reading->submission;
    if (body.size == 0) {
        refuse(reading, BAD, "empty", "a body without any pack");
        return false;
    }
    if (submission->media == IR_MEDIA_OPEN) {
        submission->media = ir_media_of(ir_view(NULL, 0), body);
    }
    if (submission->media != IR_MEDIA_UNKNOWN) {
        return true;
    }
    refuse(reading, UNSUPPORTED, "content-type",
           "the body begins like neither JSON nor CBOR; set Content-Type to application/senml+json "
           "or application/senml+cbor");
    return false;
}

static bool expand(reading_t *reading, ir_view_t *body) {
    ir_submission_reader_t *reader = reading->reader;
    const size_t bound = reader->limits.expanded_bytes;
    ir_buffer_clear(&reader->expanded);
    switch (ir_gunzip(*body, bound, &reader->expanded)) {
    case IR_OK:
        *body = ir_buffer_view(&reader->expanded);
        return true;
    case IR_ERR_FULL:
        refuse(reading, TOO_LARGE, "too-large", "the body expands to more than %zu bytes", bound);
        return false;
    case IR_ERR_SYNTAX:
        refuse(reading, BAD, "not-gzip",
               "the body is not gzip, as Content-Encoding says, or cut off");
        return false;
    default:
        reading->status = IR_ERR_MEMORY;
        return false;
    }
}

static bool decode_body(reading_t *reading, ir_view_t *body) {
    const char *encoding = reading->input->content_encoding;
    const size_t bound = reading->reader->limits.body_bytes;
    if (body->size > bound) {
        refuse(reading, TOO_LARGE, "too-large", "the body has %zu bytes; at most %zu are accepted",
               body->size, bound);
        return false;
    }
    if (encoding == NULL || strcasecmp(encoding, "identity") == 0) {
        return true;
    }
    if (strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "x-gzip") != 0) {
        refuse(reading, UNSUPPORTED, "content-encoding",
               "Content-Encoding must be gzip, or absent");
        return false;
    }
    return expand(reading, body);
}

/* Refuses the request if workers could not use any of its records. */
static void refuse_useless(reading_t *reading) {
    ir_submission_t *submission = reading->submission;
    if (submission->code == ACCEPTED && submission->observations == 0) {
        refuse(reading, BAD, ir_reason_text(submission->faults[0].refusal.reason),
               "nothing of this request was accepted: by the registry none of its records can be "
               "used; see refusals");
    }
}

static void forget_request(ir_submission_reader_t *reader) {
    ir_arena_reset(reader->packs);
    ir_arena_reset(reader->records);
    if (reader->expanded.capacity > EXPANDED_KEPT) {
        ir_buffer_free(&reader->expanded);
    }
}

ir_status_t ir_submission_read(ir_submission_reader_t *reader, const ir_submission_input_t *input,
                               ir_submission_t *submission) {
    reading_t reading = {.reader = reader, .input = input, .submission = submission};
    ir_view_t body = input->body;
    bool lines = false;
    forget_request(reader);
    submission->code = ACCEPTED;
    submission->reason = "accepted";
    submission->detail[0] = '\0';
    submission->packs = NULL;
    submission->n_packs = submission->observations = submission->n_faults = submission->cost = 0;
    if (!find_key(&reading) || !find_media(&reading, &lines) || !decode_body(&reading, &body)) {
        return reading.status;
    }
    submission->cost += body.size / 1024;
    if (!tell_media(&reading, body)) {
        return reading.status;
    }
    if (lines) {
        take_lines(&reading, body);
    } else {
        take_pack(&reading, body);
    }
    if (reading.status == IR_OK) {
        refuse_useless(&reading);
    }
    return reading.status;
}

/* ---- life ---- */

ir_submission_reader_t *ir_submission_reader_new(const ir_submission_limits_t *limits) {
    ir_submission_reader_t *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return NULL;
    }
    reader->limits = *limits;
    reader->packs = ir_arena_new(ARENA_CHUNK);
    reader->records = ir_arena_new(ARENA_CHUNK);
    ir_buffer_init(&reader->expanded);
    if (reader->packs == NULL || reader->records == NULL) {
        ir_submission_reader_free(reader);
        return NULL;
    }
    return reader;
}

void ir_submission_reader_free(ir_submission_reader_t *reader) {
    if (reader == NULL) {
        return;
    }
    ir_arena_free(reader->packs);
    ir_arena_free(reader->records);
    ir_buffer_free(&reader->expanded);
    free(reader);
}
