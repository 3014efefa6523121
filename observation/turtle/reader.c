#include "observation/turtle/document.h"
#include "observation/turtle/scan.h"
#include "observation/turtle/source.h"

#include <ctype.h>
#include <serd/serd.h>
#include <string.h>

#define RDF_REST "http://www.w3.org/1999/02/22-rdf-syntax-ns#rest"
#define SUFFIX ".ttl"
#define NOT_FOR_IRIS "<>\"{}|\\^`"
#define LOST_MAX ((size_t)1024 * 1024) /* bytes kept of a text that could not be read */
#define PREFIX_SIZE 100
#define PART_SIZE 16

typedef struct reading {
    ir_turtle_t *turtle;
    SerdEnv *environment;
    ir_turtle_source_t source;
    unsigned part;                  /* number of times serd was restarted */
    unsigned first_line;            /* where it was restarted */
    bool failed;                    /* a syntax error was reported since then */
    bool ends;                      /* nothing more can be read */
    ir_status_t status;             /* IR_ERR_MEMORY */
    ir_error_t *error;              /* its text */
    ir_node_t *described, *subject; /* subject of the last statement, and the node in which that
                                     * subject is nested */
} reading_t;

/* The file that is being read. */
static const ir_turtle_file_t *current(const ir_turtle_t *turtle) {
    return &turtle->files[turtle->n_files - 1];
}

static ir_origin_t at_line(const reading_t *reading, unsigned line) {
    return (ir_origin_t){reading->turtle->n_files - 1, line};
}

/* The prefix of blank nodes' labels in every part of the file except the first. */
static int part_name(const reading_t *reading, char out[static PART_SIZE]) {
    return snprintf(out, PART_SIZE, "%u-", reading->part);
}

/* Where the last statement ends. */
static ir_origin_t here(const reading_t *reading) {
    return at_line(reading, reading->source.token_line);
}

static ir_status_t out_of_memory(const ir_turtle_t *turtle, ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory while reading it",
                        current(turtle)->path);
}

/* ---- serd's callbacks ---- */

/* RFC 3986: a letter, then letters, digits, '+', '-' and '.', up to the colon. */
static bool has_scheme(ir_view_t iri) {
    size_t i = 0;
    while (i < iri.size && (isalnum((unsigned char)iri.data[i]) ||
                            (iri.data[i] != '\0' && strchr("+-.", iri.data[i]) != NULL))) {
        i++;
    }
    return i > 0 && i < iri.size && iri.data[i] == ':' && isalpha((unsigned char)iri.data[0]);
}

/* Whether a text is an IRI of N-Triples: absolute, and without characters that would end or escape
 * it. */
static bool legal_iri(ir_view_t iri) {
    if (!has_scheme(iri)) {
        return false;
    }
    static const bool illegal[256] = {
        ['<'] = true, ['>'] = true, ['"'] = true,  ['{'] = true, ['}'] = true,
        ['|'] = true, ['^'] = true, ['\\'] = true, ['`'] = true, [0x7F] = true};
    for (size_t i = 0; i < iri.size; i++) {
        const unsigned char c = (unsigned char)iri.data[i];
        if (c <= ' ' || illegal[c]) {
            return false;
        }
    }
    return true;
}

static ir_node_t *note_memory(reading_t *reading) {
    reading->status = out_of_memory(reading->turtle, reading->error);
    reading->ends = true;
    return NULL;
}

/* Reports an undeclared prefix once and then declares it, so that names with it are the same node
 * everywhere. */
static void declare(reading_t *reading, const SerdNode *given) {
    char name[PREFIX_SIZE + 1];
    char iri[sizeof name + sizeof IR_TURTLE_UNDECLARED];
    const size_t size = strcspn((const char *)given->buf, ":");
    snprintf(name, sizeof name, "%.*s:", (int)(size < PREFIX_SIZE ? size : PREFIX_SIZE - 1),
             given->buf);
    if (!ir_turtle_lost(reading->turtle, ir_view_text(name))) {
        ir_turtle_fault(reading->turtle, here(reading),
                        "prefix of %.100s is not declared; add @prefix", given->buf);
    }
    snprintf(iri, sizeof iri, IR_TURTLE_UNDECLARED "%s", name);
    name[strlen(name) - 1] = '\0';
    serd_env_set_prefix_from_strings(reading->environment, (const uint8_t *)name,
                                     (const uint8_t *)iri);
}

static SerdNode expand(reading_t *reading, const SerdNode *given) {
    SerdNode expanded = serd_env_expand_node(reading->environment, given);
    if (expanded.buf == NULL) {
        declare(reading, given);
        expanded = serd_env_expand_node(reading->environment, given);
    }
    return expanded;
}

static bool is_undeclared(ir_view_t iri) {
    const size_t size = strlen(IR_TURTLE_UNDECLARED);
    return iri.size >= size && memcmp(iri.data, IR_TURTLE_UNDECLARED, size) == 0;
}

/* An invalid IRI is reported only at its first occurrence, and then treated like any other node. */
static ir_node_t *make_iri(reading_t *reading, ir_view_t iri) {
    const bool legal = legal_iri(iri);
    if (!legal) {
        ir_turtle_fault(reading->turtle, here(reading),
                        "<%.100s> is not an IRI: it has no scheme (https:), or a space, a "
                        "control character or one of " NOT_FOR_IRIS,
                        iri.data);
    }
    ir_node_t *node = ir_turtle_intern(reading->turtle, IR_NODE_IRI, iri);
    if (node == NULL) {
        return note_memory(reading);
    }
    node->unknown = !legal || is_undeclared(iri);
    return node;
}

static ir_node_t *read_iri(reading_t *reading, const SerdNode *given) {
    SerdNode expanded = expand(reading, given);
    if (expanded.buf == NULL) {
        return note_memory(reading);
    }
    const ir_view_t iri = ir_view((const char *)expanded.buf, expanded.n_bytes);
    ir_node_t *node = ir_name_table_find(&reading->turtle->nodes, iri);
    node = node != NULL ? node : make_iri(reading, iri);
    serd_node_free(&expanded);
    return node;
}

/* serd gives labels of its own, "b1" and so on, and starts again from one in each part of the file.
 * Labels written in the file must stay the same in all parts. */
static ir_view_t label_of(const reading_t *reading, const SerdNode *given) {
    char part[PART_SIZE];
    const size_t before = reading->part > 1 ? (size_t)part_name(reading, part) : 0;
    const char *label = (const char *)given->buf + before;
    return label[0] == 'b' && isdigit((unsigned char)label[1])
               ? ir_view((const char *)given->buf, given->n_bytes)
               : ir_view(label, given->n_bytes - before);
}

/* A label belongs to its file: from the second file on, it is prefixed with the file's name. */
static ir_node_t *read_blank(reading_t *reading, const SerdNode *given) {
    ir_buffer_t key;
    ir_buffer_init(&key);
    ir_buffer_append_text(&key, "_:");
    if (reading->turtle->n_files > 1) {
        ir_buffer_append_format(&key, "%s/", current(reading->turtle)->name);
    }
    ir_buffer_append_view(&key, label_of(reading, given));
    ir_node_t *node = ir_buffer_ok(&key)
                          ? ir_turtle_intern(reading->turtle, IR_NODE_BLANK, ir_buffer_view(&key))
                          : NULL;
    ir_buffer_free(&key);
    return node != NULL ? node : note_memory(reading);
}

static bool set_language(const ir_turtle_t *turtle, const SerdNode *language, ir_node_t *node) {
    if (language != NULL && language->buf != NULL) {
        node->language =
            ir_arena_copy(turtle->arena, ir_view((const char *)language->buf, language->n_bytes));
        return node->language.data != NULL;
    }
    return true;
}

static ir_node_t *read_literal(reading_t *reading, const SerdNode *given, const SerdNode *datatype,
                               const SerdNode *language) {
    const bool typed = datatype != NULL && datatype->buf != NULL;
    const ir_node_t *type = typed ? read_iri(reading, datatype) : NULL;
    const ir_view_t text = ir_view((const char *)given->buf, given->n_bytes);
    if (typed && type == NULL) {
        return NULL;
    }
    if (memchr(text.data, '\0', text.size) != NULL) {
        ir_turtle_fault(reading->turtle, here(reading),
                        "a text has the character U+0000, which no store takes");
        return NULL;
    }
    ir_node_t *node = ir_turtle_node(reading->turtle, IR_NODE_LITERAL, text);
    if (node == NULL || !set_language(reading->turtle, language, node)) {
        return note_memory(reading);
    }
    if (type != NULL) {
        node->datatype = type->text;
        node->unknown = type->unknown;
    }
    return node;
}

static ir_node_t *read_node(reading_t *reading, const SerdNode *given, const SerdNode *datatype,
                            const SerdNode *language) {
    switch (given->type) {
    case SERD_URI:
    case SERD_CURIE:
        return read_iri(reading, given);
    case SERD_BLANK:
        return read_blank(reading, given);
    default:
        return read_literal(reading, given, datatype, language);
    }
}

/* serd recurses into nested nodes, so the depth must be bounded. */
static bool depth_is_bearable(reading_t *reading, SerdStatementFlags flags, const ir_fact_t *fact) {
    if (flags & (SERD_ANON_O_BEGIN | SERD_LIST_O_BEGIN)) {
        fact->object->depth = fact->subject->depth + 1;
    } else if (fact->object->kind == IR_NODE_BLANK &&
               ir_view_equal(fact->predicate->text, ir_view_text(RDF_REST))) {
        fact->object->depth = fact->subject->depth;
    }
    if (fact->object->depth > IR_TURTLE_DEPTH_MAX) {
        ir_turtle_fault(reading->turtle, fact->at, "[ ] and ( ) are nested more than %d deep",
                        IR_TURTLE_DEPTH_MAX);
        reading->turtle->all_lost = true;
        reading->ends = true;
        return false;
    }
    return true;
}

/* A statement with an unknown term does not show what kind of node its subject or object is. */
static void spread_faults(const ir_fact_t *fact) {
    const bool predicate = fact->predicate->unknown;
    fact->subject->faulty = fact->subject->faulty || predicate || fact->object->unknown;
    fact->object->faulty = fact->object->faulty || predicate;
}

static void note_subject(reading_t *reading, ir_node_t *subject) {
    reading->subject = subject;
    if (subject->depth == 0) {
        reading->described = subject;
    }
}

static SerdStatus on_statement(void *handle, SerdStatementFlags flags, const SerdNode *graph,
                               const SerdNode *subject, const SerdNode *predicate,
                               const SerdNode *object, const SerdNode *datatype,
                               const SerdNode *language) {
    (void)graph;
    reading_t *reading = handle;
    ir_fact_t fact = {.at = here(reading)};
    fact.subject = read_node(reading, subject, NULL, NULL);
    fact.predicate = fact.subject != NULL ? read_node(reading, predicate, NULL, NULL) : NULL;
    fact.object = fact.predicate != NULL ? read_node(reading, object, datatype, language) : NULL;
    if (fact.object == NULL) { /* reported: the statement is left out */
        if (fact.subject != NULL) {
            fact.subject->faulty = true;
        }
        return reading->ends ? SERD_ERR_UNKNOWN : SERD_SUCCESS;
    }
    if (!depth_is_bearable(reading, flags, &fact)) {
        return SERD_ERR_UNKNOWN;
    }
    note_subject(reading, fact.subject);
    spread_faults(&fact);
    if (!ir_turtle_add(reading->turtle, fact.subject, fact.predicate, fact.object, fact.at)) {
        note_memory(reading);
        return SERD_ERR_UNKNOWN;
    }
    return SERD_SUCCESS;
}

static SerdStatus on_base(void *handle, const SerdNode *uri) {
    return serd_env_set_base_uri(((reading_t *)handle)->environment, uri);
}

static SerdStatus on_prefix(void *handle, const SerdNode *name, const SerdNode *uri) {
    return serd_env_set_prefix(((reading_t *)handle)->environment, name, uri);
}

static SerdStatus on_error(void *handle, const SerdError *what) {
    reading_t *reading = handle;
    if (!reading->failed && !reading->ends && !reading->source.too_large) {
        char text[200];
        // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): serd started it
        vsnprintf(text, sizeof text, what->fmt, *what->args);
        text[strcspn(text, "\n")] = '\0';
        ir_turtle_fault(reading->turtle, at_line(reading, reading->first_line + what->line - 1),
                        "not Turtle: column %u: %s", what->col, text);
        reading->failed = true;
    }
    return SERD_SUCCESS;
}

/* ---- after a syntax error ---- */

static void lose(ir_turtle_t *turtle, const char *text, size_t size) {
    if (turtle->lost.size + size <= LOST_MAX) {
        ir_buffer_append(&turtle->lost, text, size);
    } else {
        turtle->all_lost = true;
    }
}

/* Continues after the statement that serd could not read. That statement ends at the next line that
 * ends with a full stop. If its own full stop is missing, the following statement is lost too.
 * False at the end of the file. */
static bool pass_statement(reading_t *reading) {
    ir_turtle_source_t *source = &reading->source;
    ir_turtle_t *turtle = reading->turtle;
    ir_turtle_scan_t scan = {.quote = 0};
    bool stop = false;
    if (reading->subject != NULL) {
        reading->subject->faulty = reading->described->faulty = true;
    }
    lose(turtle, source->text, source->text_size);
    int byte = source->last;
    do {
        stop = ir_turtle_scan(&scan, byte);
        byte = stop ? EOF : ir_turtle_source_byte(source);
        lose(turtle, &(char){(char)byte}, byte != EOF);
    } while (byte != EOF);
    turtle->all_lost = turtle->all_lost || !ir_buffer_ok(&turtle->lost);
    return stop;
}

/* ---- reading ---- */

static ir_status_t conclude(reading_t *reading, SerdStatus result) {
    ir_turtle_t *turtle = reading->turtle;
    const ir_turtle_source_t *source = &reading->source;
    if (ir_turtle_source_check(source, current(turtle)->path, reading->error) != IR_OK) {
        return reading->error->status;
    }
    if (source->has_nul) {
        turtle->all_lost = true;
        ir_turtle_fault(turtle, at_line(reading, source->line),
                        "not Turtle: the file has a NUL byte");
    } else if (result > SERD_FAILURE && !reading->failed && !reading->ends) {
        turtle->all_lost = true;
        ir_turtle_fault(turtle, at_line(reading, source->line), "not Turtle: %s",
                        serd_strerror(result));
    }
    return reading->status;
}

/* Reads from the current position to the end of the file or the next syntax error. */
static SerdStatus read_part(reading_t *reading) {
    SerdReader *reader =
        serd_reader_new(SERD_TURTLE, reading, NULL, on_base, on_prefix, on_statement, NULL);
    if (reader == NULL) {
        note_memory(reading);
        return SERD_ERR_INTERNAL;
    }
    reading->part++;
    reading->first_line = reading->source.line;
    reading->failed = false;
    if (reading->part > 1) {
        char part[PART_SIZE];
        part_name(reading, part);
        serd_reader_add_blank_prefix(reader, (const uint8_t *)part);
    }
    serd_reader_set_strict(reader, true);
    serd_reader_set_error_sink(reader, on_error, reading);
    const SerdStatus result = serd_reader_read_source(
        reader, ir_turtle_source_read, ir_turtle_source_failed, &reading->source,
        (const uint8_t *)current(reading->turtle)->path, 1);
    serd_reader_free(reader);
    return result;
}

static ir_status_t read_file(reading_t *reading) {
    SerdStatus result = SERD_SUCCESS;
    do {
        result = read_part(reading);
    } while (reading->failed && !reading->ends && !reading->source.has_nul &&
             pass_statement(reading));
    return conclude(reading, result);
}

/* Adds the file to the list; its name must be unique. */
static ir_status_t enter(ir_turtle_t *turtle, const char *path, ir_error_t *error) {
    const char *slash = strrchr(path, '/');
    ir_view_t name = ir_view_text(slash != NULL ? slash + 1 : path);
    if (name.size > strlen(SUFFIX) && strcmp(name.data + name.size - strlen(SUFFIX), SUFFIX) == 0) {
        name.size -= strlen(SUFFIX);
    }
    for (unsigned i = 0; i < turtle->n_files; i++) {
        if (ir_view_equal(ir_view_text(turtle->files[i].name), name)) {
            return ir_error_set(error, IR_ERR_SYNTAX,
                                "%s and %s have the same name, which their registry graphs would "
                                "share; rename one",
                                turtle->files[i].path, path);
        }
    }
    if (turtle->n_files == IR_TURTLE_FILES_MAX) {
        return ir_error_set(error, IR_ERR_RANGE, "%s: a registry has at most %d files", path,
                            IR_TURTLE_FILES_MAX);
    }
    const ir_turtle_file_t file = {ir_arena_copy(turtle->arena, ir_view_text(path)).data,
                                   ir_arena_copy(turtle->arena, name).data};
    if (file.path == NULL || file.name == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory", path);
    }
    turtle->files[turtle->n_files++] = file;
    return IR_OK;
}

ir_status_t ir_turtle_read(ir_turtle_t *turtle, const char *path, ir_error_t *error) {
    const ir_status_t entered = enter(turtle, path, error);
    if (entered != IR_OK) {
        return entered;
    }
    reading_t reading = {.turtle = turtle, .error = error};
    ir_status_t status = ir_turtle_source_open(&reading.source, path, error);
    if (status != IR_OK) {
        return status;
    }
    const SerdNode base = serd_node_from_string(SERD_URI, (const uint8_t *)IR_TURTLE_BASE);
    reading.environment = serd_env_new(&base);
    status = reading.environment != NULL ? read_file(&reading) : out_of_memory(turtle, error);
    serd_env_free(reading.environment);
    fclose(reading.source.file);
    return status;
}
