#include "ingest/cors.h"

#include "common/view.h"

#include <string.h>

#define SEPARATORS ", \t"
#define ANYBODY "*"

/* Returns the next origin of a list; empty at the end of the list. */
static ir_view_t next_origin(const char **list) {
    *list += strspn(*list, SEPARATORS);
    const ir_view_t origin = ir_view(*list, strcspn(*list, SEPARATORS));
    *list += origin.size;
    return origin;
}

/* SCHEME://HOST[:PORT], without a path. */
static bool is_origin(ir_view_t text) {
    static const char mark[] = "://";
    const char *found = memmem(text.data, text.size, mark, sizeof mark - 1);
    if (found == NULL || found == text.data) {
        return false;
    }
    const char *host = found + sizeof mark - 1;
    const size_t size = (size_t)(text.data + text.size - host);
    return size > 0 && memchr(host, '/', size) == NULL;
}

ir_status_t ir_cors_check(const char *list, ir_error_t *error) {
    for (ir_view_t origin = next_origin(&list); origin.size > 0; origin = next_origin(&list)) {
        if (!ir_view_equal(origin, ir_view_text(ANYBODY)) && !is_origin(origin)) {
            return ir_error_set(
                error, IR_ERR_USAGE,
                "cors-origins: '%.*s' is neither an origin like https://river.example nor '" ANYBODY
                "'",
                IR_VIEW_ARG(origin));
        }
    }
    return IR_OK;
}

bool ir_cors_allows(const char *list, const char *origin) {
    if (origin == NULL) {
        return false;
    }
    for (ir_view_t each = next_origin(&list); each.size > 0; each = next_origin(&list)) {
        if (ir_view_equal(each, ir_view_text(ANYBODY)) ||
            ir_view_equal(each, ir_view_text(origin))) {
            return true;
        }
    }
    return false;
}
