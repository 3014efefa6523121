#include "common/base64.h"
#include "observation/senml_fields.h"

#include <jansson.h>

#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

/* jansson does not look whether the text of a string found room: it goes on, calls the text
 * invalid, or copies from behind the end of what it has. So an allocation that fails leaves the
 * parser at once, and what the parser had is freed. For that its blocks are chained, those of one
 * thread from the start of parsing until the value is freed. */
typedef struct block {
    struct block *next;
    struct block **link; /* what points to this one; NULL: not chained */
} block_t;

_Static_assert(sizeof(block_t) % _Alignof(max_align_t) == 0, "what follows a block is aligned");

static _Thread_local struct {
    jmp_buf *leave; /* while the parser runs */
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

/* Before main: jansson must not be given back what it had from elsewhere. */
__attribute__((constructor)) static void take_over_memory(void) {
    json_set_alloc_funcs(block_new, block_free);
}

/* NULL with `*failed` when memory ran out, else as json_loadb. The value is freed before the thread
 * parses the next one. */
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

/* ---- what has to be known of the text before it is parsed ---- */

#define ITEMS_PER_RECORD 16 /* SenML has 15 labels; the parser makes 80 bytes of a value of two */

/* JSON's grammar outside strings has an 'E' in numbers only, and RFC 8428 wants 'e' there. */
typedef struct survey {
    unsigned depth;   /* deepest nesting */
    size_t commas;    /* between the items of the outermost array */
    size_t items;     /* at most so many values at all */
    bool has_capital; /* an exponent in upper case somewhere */
} survey_t;

/* Calls `capital` (may be NULL) with the position of the record for every 'E' in a number. */
static survey_t survey_text(ir_view_t body, bool *capital) {
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
            survey.has_capital = true;
            if (capital != NULL) {
                capital[survey.commas] = true;
            }
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

static ir_value_t value_of(ir_resolver_t *resolver, ir_label_t label, const json_t *json) {
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
    default:
        break;
    }
    return value;
}

static void take_record(ir_resolver_t *resolver, json_t *record, int position, bool capital) {
    ir_senml_fields_t fields;
    ir_senml_fields_clear(&fields);
    if (!json_is_object(record)) {
        ir_resolver_refuse(resolver, IR_REASON_NOT_SENML, "record %d is not an object", position);
        return;
    }
    if (capital) {
        ir_senml_fields_fault(&fields, IR_REASON_BAD_FIELD,
                              "a number has its exponent in upper case (RFC 8428: e, not E)");
    }
    const char *key = NULL;
    json_t *json = NULL;
    json_object_foreach(record, key, json) {
        const ir_view_t name = ir_view_text(key);
        const ir_label_t label = ir_label_find(name);
        if (label != IR_LABEL_UNKNOWN) {
            const ir_value_t value = value_of(resolver, label, json);
            ir_resolver_set(resolver, &fields, label, &value, position);
        } else if (ir_label_must_understand(name)) {
            ir_resolver_refuse(resolver, IR_REASON_UNKNOWN_LABEL,
                               "record %d: label '%.40s' must be understood and is not known",
                               position, key);
        }
    }
    ir_resolver_take(resolver, &fields, position);
}

static void take_pack(ir_resolver_t *resolver, const json_t *pack, const bool *capitals) {
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
        take_record(resolver, json_array_get(pack, i), (int)i, capitals != NULL && capitals[i]);
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

void ir_senml_decode_json(ir_resolver_t *resolver, ir_view_t body) {
    const survey_t survey = survey_text(body, NULL);
    if (survey.depth > resolver->limits->depth) {
        ir_resolver_refuse(resolver, IR_REASON_TOO_DEEP, "nested %u deep, at most %u is taken",
                           survey.depth, resolver->limits->depth);
        return;
    }
    if (survey.commas >= resolver->limits->records ||
        survey.items / ITEMS_PER_RECORD >= resolver->limits->records) {
        ir_resolver_refuse(resolver, IR_REASON_TOO_MANY_RECORDS,
                           "%zu records with %zu values, at most %u are taken", survey.commas + 1,
                           survey.items + 1, resolver->limits->records);
        return;
    }
    bool *capitals = NULL;
    if (survey.has_capital) {
        capitals = ir_arena_alloc(resolver->arena, survey.commas + 1);
        if (capitals == NULL) {
            resolver->out_of_memory = true;
            return;
        }
        memset(capitals, 0, survey.commas + 1);
        survey_text(body, capitals);
    }
    json_error_t error = {0};
    bool memory_failed = false;
    json_t *pack = parse(body, &error, &memory_failed);
    if (memory_failed) {
        resolver->out_of_memory = true;
    } else if (pack != NULL) {
        take_pack(resolver, pack, capitals);
    } else {
        ir_resolver_refuse(resolver, reason_of(&error), "line %d column %d: %s", error.line,
                           error.column, error.text);
    }
    json_decref(pack);
}
