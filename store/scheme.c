#include "store/scheme.h"

#include <stdio.h>
#include <string.h>

size_t ir_scheme_find(const ir_scheme_t *const *schemes, size_t count, const char *uri) {
    for (size_t i = 0; i < count; i++) {
        for (const char *const *prefix = schemes[i]->prefixes; *prefix != NULL; prefix++) {
            if (strncmp(uri, *prefix, strlen(*prefix)) == 0) {
                return i;
            }
        }
    }
    return count;
}

const char *ir_scheme_forms(const ir_scheme_t *const *schemes, size_t count,
                            char text[static IR_SCHEME_FORMS_SIZE]) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && used < IR_SCHEME_FORMS_SIZE; i++) {
        const char *before = i == 0 ? "" : i + 1 < count ? ", " : " or ";
        used += (size_t)snprintf(text + used, IR_SCHEME_FORMS_SIZE - used, "%s%s", before,
                                 schemes[i]->form);
    }
    return text;
}
