#include "common/base64.h"
#include "observation/senml/fields.h"

#include <jansson.h>

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- memory ---- */

/* jansson does not check whether the allocation for a string succeeded: it continues, reports the
 * text as invalid, or reads beyond its buffer. So after a failed allocation, longjmp leaves the
 * parser at once, and all its blocks are freed. For this, each thread keeps a list of its blocks
 * from the start of parsing until the value is freed. */
typedef struct block {
    struct block *next;
    struct block **link; /* the pointer to this block in the list; NULL: not in it */
} block_t;

_Static_assert(sizeof(block_t) % _Alignof(max_align_t) == 0, "what follows a block is aligned");

static _Thread_local struct {
    jmp_buf *leave; /* where to continue if memory runs out in the parser */
    block_t *blocks;
} parsing;

static void *block_new(size_t size) {
    block_t *block = malloc(sizeof *block + size);
    if (block == NULL) {
        if (parsing.leave != NULL) {
            longjmp(*parsing.leave, 1);
        }
        return NULL;
    }
    *block = (block_t){0};
    if (parsing.leave != NULL) {
        *block = (block_t){.next = parsing.blocks, .link = &parsing.blocks};
        if (block->next != NULL) {
            block->next->link = &block->next;
        }
        parsing.blocks = block;
    }
    return block + 1;
}

static void block_free(void *memory) {
    if (memory == NULL) {
        return;
    }
    block_t *block = (block_t *)memory - 1;
    if (block->link != NULL) {
        *block->link = block->next;
        if (block->next != NULL) {
            block->next->link = block->link;
        }
    }
    free(block);
}

/* Runs before main: jansson must not free blocks that another allocator made. */
__attribute__((constructor)) static void take_over_memory(void) {
    json_set_alloc_funcs(block_new, block_free);
}

/* Like json_loadb; NULL with `*failed` when out of memory. Free the value before the thread parses
 * the next one. */
static json_t *parse(ir_view_t body, json_error_t *error, bool *failed) {
    jmp_buf leave;
    parsing.blocks = NULL;
    parsing.leave = &leave;
    if (setjmp(leave) == 0) {
        json_t *pack =
            json_loadb(body.data != NULL ? body.data : "", body.size,
                       JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY, error);
        parsing.leave = NULL;
        *failed = false;
        return pack;
    }
    parsing.leave = NULL;
    *failed = true;
    while (parsing.blocks != NULL) {
        block_free(parsing.blocks + 1);
    }
    return NULL;
}

/* ---- scanning the text before it is parsed ---- */

#define ITEMS_PER_RECORD                                                                           \
    16 /* SenML has 15 labels; the parser needs 80 bytes for a value of two bytes */

/* Forms of numbers that the parser does not report, or does not accept. */
typedef enum mark {
    MARK_CAPITAL = 1,   /* an exponent in upper case: outside strings, 'E' occurs only in numbers */
    MARK_NOT_FINITE = 2 /* nan or inf, as many programs print them */
} mark_t;

typedef struct survey {
    unsigned depth; /* deepest nesting */
    size_t commas;  /* number of commas between the items of the outermost array */
    size_t items;   /* limit for the total number of values */
    bool marked;    /* some record is */
} survey_t;

/* Returns the size of a word such as "nan" at this position, or 0. */
static size_t not_finite(ir_view_t rest) {
    static const char *const words[] = {"infinity", "inf", "nan"};
    const size_t sign = rest.data[0] == '-' || rest.data[0] == '+';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t size = sign + strlen(words[i]);
        if (rest.size >= size && strncasecmp(rest.data + sign, words[i], size - sign) == 0 &&
            (rest.size == size || isalnum((unsigned char)rest.data[size]) == 0)) {
            return size;
        }
    }
    return 0;
}

/* Replaces the word by an array: no SenML label may have an array as its value, so the record is
 * refused. */
static void replace(char *changed, size_t at, size_t size) {
    if (changed != NULL) {
        memset(changed + at, ' ', size);
        changed[at] = '[';
        changed[at + 1] = ']';
    }
}

static void note_mark(survey_t *survey, unsigned char *marks, mark_t mark) {
    survey->marked = true;
    if (marks != NULL) {
        marks[survey->commas] |= (unsigned char)mark;
    }
}

/* If a word such as NaN or Infinity begins at `at`, marks it and returns the number of its further
 * bytes. */
static size_t pass_not_finite(survey_t *survey, ir_view_t body, size_t at, unsigned char *marks,
                              char *changed) {
    const size_t size = not_finite(ir_view(body.data + at, body.size - at));
    if (size == 0) {
        return 0;
    }
    note_mark(survey, marks, MARK_NOT_FINITE);
    replace(changed, at, size);
    return size - 1;
}

/* Sets `marks` for each record, and changes `changed`, a copy of the body, so that the parser
 * accepts it; both may be NULL. */
static survey_t survey_text(ir_view_t body, unsigned char *marks, char *changed) {
    survey_t survey = {0};
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < body.size; i++) {
        const char c = body.data[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            continue;
        }
        switch (c) {
        case '"':
            in_string = true;
            break;
        case '[':
        case '{':
            depth++;
            survey.depth = depth > survey.depth ? depth : survey.depth;
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case ',':
            survey.commas += depth == 1;
            survey.items++;
            break;
        case 'E':
            note_mark(&survey, marks, MARK_CAPITAL);
            break;
        case '-':
        case '+':
        case 'n':
        case 'N':
        case 'i':
        case 'I':
            i += depth > 1 ? pass_not_finite(&survey, body, i, marks, changed) : 0;
            break;
        default:
            break;
        }
    }
    return survey;
}

/* ---- the parsed text ---- */

static bool decode_data(ir_resolver_t *resolver, ir_view_t text, ir_value_t *value) {
    char *bytes = ir_arena_alloc(resolver->arena, text.size + 1);
    size_t size = 0;
    if (bytes == NULL) {
        resolver->out_of_memory = true;
        return false;
    }
    if (!ir_base64url_decode(text, bytes, &size)) {
        return false;
    }
    *value = (ir_value_t){.kind = IR_VALUE_DATA, .bytes = ir_view(bytes, size)};
    return true;
}

static ir_value_t value_of(ir_resolver_t *resolver, ir_label_t label, const json_t *json,
                           unsigned marks) {
    ir_value_t value = {.kind = IR_VALUE_NONE};
    switch (json_typeof(json)) {
    case JSON_REAL:
    case JSON_INTEGER:
        value = (ir_value_t){.kind = IR_VALUE_NUMBER, .number = json_number_value(json)};
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        value = (ir_value_t){.kind = IR_VALUE_BOOL, .boolean = json_is_true(json)};
        break;
    case JSON_STRING: {
        const ir_view_t text = ir_view(json_string_value(json), json_string_length(json));
        if (label != IR_LABEL_VD) {
            value = (ir_value_t){.kind = IR_VALUE_STRING, .bytes = text};
        } else {
            decode_data(resolver, text, &value);
        }
        break;
    }
    case JSON_ARRAY:
        if ((marks & MARK_NOT_FINITE) != 0 && json_array_size(json) == 0) {
            value = (ir_value_t){.kind = IR_VALUE_NUMBER, .number = NAN};
        }
        break;
    default:
        break;
    }
    return value;
}

static void take_record(ir_resolver_t *resolver, json_t *record, int position, unsigned marks) {
    ir_senml_fields_t fields;
    ir_senml_fields_clear(&fields);
    if (!json_is_object(record)) {
        ir_resolver_refuse(resolver, IR_REASON_NOT_SENML, "record %d is not an object", position);
        return;
    }
    if ((marks & MARK_CAPITAL) != 0) {
        ir_senml_fields_fault(&fields, IR_REASON_BAD_FIELD,
                              "a number has its exponent in upper case (RFC 8428: e, not E)");
    }
    const char *key = NULL;
    json_t *json = NULL;
    json_object_foreach(record, key, json) {
        const ir_view_t name = ir_view_text(key);
        const ir_label_t label = ir_label_find(name);
        if (label != IR_LABEL_UNKNOWN) {
            const ir_value_t value = value_of(resolver, label, json, marks);
            ir_resolver_set(resolver, &fields, label, &value, position);
        } else if (ir_label_must_understand(name)) {
            ir_resolver_refuse(resolver, IR_REASON_UNKNOWN_LABEL,
                               "record %d: label '%.40s' must be understood and is not known",
                               position, key);
        }
    }
    ir_resolver_take(resolver, &fields, position);
}

static void take_pack(ir_resolver_t *resolver, const json_t *pack, const unsigned char *marks) {
    if (!json_is_array(pack)) {
        ir_resolver_refuse(resolver, IR_REASON_NOT_SENML, "not an array of records");
        return;
    }
    const size_t n_records = json_array_size(pack);
    if (!ir_resolver_begin(resolver, n_records)) {
        return;
    }
    for (size_t i = 0; i < n_records && !ir_resolver_refused(resolver) && !resolver->out_of_memory;
         i++) {
        take_record(resolver, json_array_get(pack, i), (int)i, marks != NULL ? marks[i] : 0);
    }
}

static ir_reason_t reason_of(const json_error_t *error) {
    switch (json_error_code(error)) {
    case json_error_numeric_overflow:
        return IR_REASON_OUT_OF_RANGE;
    case json_error_duplicate_key:
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return IR_REASON_BAD_FIELD;
    case json_error_stack_overflow:
        return IR_REASON_TOO_DEEP;
    default:
        return IR_REASON_NOT_JSON;
    }
}

/* Removes a byte order mark and trailing NULs. */
static ir_view_t strip(ir_view_t body) {
    const size_t mark = ir_json_mark(body);
    while (body.size > mark && body.data[body.size - 1] == '\0') {
        body.size--;
    }
    return ir_view(body.data + mark, body.size - mark);
}

/* Marks the records with such forms. `body` becomes a copy that the parser accepts. */
static unsigned char *mark_records(ir_resolver_t *resolver, ir_view_t *body, size_t n_records) {
    unsigned char *marks = ir_arena_alloc(resolver->arena, n_records);
    const ir_view_t copy = ir_arena_copy(resolver->arena, *body);
    if (marks == NULL || copy.data == NULL) {
        resolver->out_of_memory = true;
        return NULL;
    }
    memset(marks, 0, n_records);
    survey_text(*body, marks, (char *)copy.data);
    *body = copy;
    return marks;
}

void ir_senml_decode_json(ir_resolver_t *resolver, ir_view_t body) {
    body = strip(body);
    const survey_t survey = survey_text(body, NULL, NULL);
    if (survey.depth > resolver->limits->depth) {
        ir_resolver_refuse(resolver, IR_REASON_TOO_DEEP, "nested %u deep, above the limit of %u",
                           survey.depth, resolver->limits->depth);
        return;
    }
    if (survey.commas >= resolver->limits->records ||
        survey.items / ITEMS_PER_RECORD >= resolver->limits->records) {
        ir_resolver_refuse(resolver, IR_REASON_TOO_MANY_RECORDS,
                           "%zu records with %zu values exceed the limit of %u", survey.commas + 1,
                           survey.items + 1, resolver->limits->records);
        return;
    }
    const unsigned char *marks =
        survey.marked ? mark_records(resolver, &body, survey.commas + 1) : NULL;
    if (resolver->out_of_memory) {
        return;
    }
    json_error_t error = {0};
    bool memory_failed = false;
    json_t *pack = parse(body, &error, &memory_failed);
    if (memory_failed) {
        resolver->out_of_memory = true;
    } else if (pack != NULL) {
        take_pack(resolver, pack, marks);
    } else {
        ir_resolver_refuse(resolver, reason_of(&error), "line %d column %d: %s", error.line,
                           error.column, error.text);
    }
    json_decref(pack);
}
