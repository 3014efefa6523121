#include "store/graph/quad.h"

#include <string.h>

typedef struct scan {
    const char *at, *end;
} scan_t;

static bool skip_to(scan_t *scan, const char *stops) {
    while (scan->at < scan->end && strchr(stops, *scan->at) == NULL) {
        scan->at++;
    }
    return scan->at < scan->end;
}

static void skip_blanks(scan_t *scan) {
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t')) {
        scan->at++;
    }
}

static bool skip_string(scan_t *scan) {
    scan->at++;
    while (skip_to(scan, "\"\\") && *scan->at == '\\') {
        scan->at += scan->end - scan->at > 1 ? 2 : 1;
    }
    return scan->at < scan->end && *scan->at++ == '"';
}

/* An IRI, a blank node, or a literal with its language or type. */
static bool skip_term(scan_t *scan) {
    if (scan->at == scan->end || *scan->at == '.') {
        return false;
    }
    if (*scan->at == '"' && !skip_string(scan)) {
        return false;
    }
    return skip_to(scan, " \t");
}

bool ir_quad_split(ir_view_t line, ir_quad_t *quad) {
    scan_t scan = {line.data, line.data + line.size};
    const char *graph = NULL;
    skip_blanks(&scan);
    const char *begin = scan.at;
    for (int term = 0; term < 3; term++) {
        skip_blanks(&scan);
        if (!skip_term(&scan)) {
            return false;
        }
    }
    quad->triple = ir_view(begin, (size_t)(scan.at - begin));
    skip_blanks(&scan);
    graph = scan.at;
    if (graph < scan.end && *graph == '<' && skip_term(&scan) && scan.at[-1] == '>') {
        quad->graph = ir_view(graph + 1, (size_t)(scan.at - graph) - 2);
        skip_blanks(&scan);
    } else {
        quad->graph = ir_view(NULL, 0);
    }
    return scan.at < scan.end && *scan.at == '.';
}
