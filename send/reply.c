#include "send/reply.h"

#include "observation/identity.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

/* The handle is Jansson's value, cast to an opaque type. */
static const json_t *value_of(const ir_reply_t *reply) {
    return (const json_t *)reply;
}

ir_reply_t *ir_reply_parse(ir_view_t body) {
    return (ir_reply_t *)json_loadb(body.data, body.size, 0, NULL);
}

void ir_reply_free(ir_reply_t *reply) {
    json_decref((json_t *)reply);
}

bool ir_reply_takes(const ir_reply_t *reply, size_t count) {
    const json_t *ids = json_object_get(value_of(reply), "raw_ids");
    const json_t *each = NULL;
    size_t i = 0;
    ir_id_t id;
    json_array_foreach(ids, i, each) {
        const char *text = json_string_value(each);
        if (text == NULL || !ir_id_parse(ir_view_text(text), &id)) {
            return false;
        }
    }
    return json_array_size(ids) == count && count > 0;
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

bool ir_reply_refuses(const ir_reply_t *reply, size_t place, char *why, size_t size) {
    const json_t *refusals = json_object_get(value_of(reply), "refusals");
    const json_t *refusal = NULL;
    size_t i = 0;
    json_array_foreach(refusals, i, refusal) {
        const json_t *line = json_object_get(refusal, "line");
        if (place == IR_REPLY_WHOLE
                ? line == NULL && json_is_object(refusal)
                : json_is_integer(line) && json_integer_value(line) == (json_int_t)place + 1) {
            snprintf(why, size, "%s: %s", text_of(refusal, "reason"), text_of(refusal, "detail"));
            return true;
        }
    }
    return false;
}

bool ir_reply_mentions_refusals(ir_view_t body) {
    return body.size > 0 && memmem(body.data, body.size, "\"refusals\"", 10) != NULL;
}
