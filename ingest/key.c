#include "ingest/key.h"

#include <stdio.h>
#include <string.h>

bool ir_key_parse(const char *header, ir_view_t *key) {
    ir_view_t text = ir_view_text(header);
    if (text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"') {
        text = ir_view(text.data + 1, text.size - 2);
    }
    if (text.size == 0 || text.size > IR_KEY_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '!' || text.data[i] > '~' || text.data[i] == '"' ||
            text.data[i] == '\\') {
            return false;
        }
    }
    *key = text;
    return true;
}

ir_view_t ir_key_line(ir_view_t key, size_t line, ir_arena_t *arena) {
    const size_t room = IR_KEY_MAX + sizeof "/18446744073709551615";
    char *name = ir_arena_alloc(arena, room);
    if (name == NULL) {
        return ir_view(NULL, 0);
    }
    const int size = snprintf(name, room, "%.*s/%zu", IR_VIEW_ARG(key), line);
    return ir_view(name, (size_t)size);
}
