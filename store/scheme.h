/* Which URIs mean which store: how documents and graph find their backend. */
#ifndef IR_STORE_SCHEME_H
#define IR_STORE_SCHEME_H

#include <stddef.h>

/* A part of each backend's table. */
typedef struct ir_scheme {
    const char *form;            /* its URI in messages, such as "mongodb://HOST/DATABASE" */
    const char *const *prefixes; /* prefixes of its URIs; ends with NULL */
} ir_scheme_t;

/* The index of the scheme to which the URI belongs; `count` if none. */
size_t ir_scheme_find(const ir_scheme_t *const *schemes, size_t count, const char *uri);

#define IR_SCHEME_FORMS_SIZE 256

/* "A, B or C": the forms. Returns `text`. */
const char *ir_scheme_forms(const ir_scheme_t *const *schemes, size_t count,
                            char text[static IR_SCHEME_FORMS_SIZE]);

#endif
