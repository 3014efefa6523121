#include "common/clock.h"
#include "store/graph/sparql/results.h"
#include "store/graph/sparql/sparql.h"

#include <stdlib.h>
#include <string.h>

#define DATE_SIZE 10 /* "2026-01-31" */

typedef struct days {
    ir_buffer_t names; /* names of the graphs, each followed by a NUL */
    ir_graph_retirement_t *retirement;
    uint64_t lines;
    ir_error_t *error;
} days_t;

/* "IRI,COUNT" after the header. */
static ir_status_t note_day(void *context, ir_view_t line) {
    days_t *days = context;
    const char *comma = memrchr(line.data, ',', line.size);
    if (days->lines++ == 0 || comma == NULL) {
        return IR_OK;
    }
    char count[24] = "";
    const size_t digits = line.size - (size_t)(comma + 1 - line.data);
    memcpy(count, comma + 1, digits < sizeof count ? digits : 0);
    days->retirement->parts++;
    days->retirement->statements += strtoull(count + strspn(count, "\""), NULL, 10);
    ir_buffer_append_view(&days->names,
                          ir_sparql_cell(ir_view(line.data, (size_t)(comma - line.data))));
    ir_buffer_append_char(&days->names, '\0');
    return ir_buffer_ok(&days->names)
               ? IR_OK
               : ir_error_set(days->error, IR_ERR_MEMORY, "graph: out of memory");
}

/* Dates of equal length are in the order of their texts. */
static ir_status_t find_days(ir_sparql_t *graph, days_t *days) {
    char time[IR_TIME_SIZE];
    const char *base = graph->format.base_iri;
    ir_clock_format(days->retirement->before_ns, time);
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body,
                            "SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } "
                            "FILTER(STRSTARTS(STR(?g), \"%sgraph/day/\") && "
                            "STR(?g) < \"%sgraph/day/%.*s\") } GROUP BY ?g",
                            base, base, DATE_SIZE, time);
    return ir_sparql_select_lines(graph, "text/csv", note_day, days, days->error);
}

static ir_status_t drop(ir_sparql_t *graph, const char *name, ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body, "DROP SILENT GRAPH <%s>", name);
    return ir_buffer_ok(&graph->body) ? ir_sparql_update(graph, ir_buffer_view(&graph->body), error)
                                      : ir_sparql_no_memory(error);
}

ir_status_t ir_sparql_retire(void *store, ir_graph_retirement_t *retirement, ir_error_t *error) {
    ir_sparql_t *graph = store;
    days_t days = {.retirement = retirement, .error = error};
    if (graph->format.naming != IR_GRAPH_DAY) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "purge --what=graph drops graphs of days and needs the setting "
                            "graph-name = day, with which they were written; with other names, "
                            "purge removes documents together with their statements");
    }
    ir_buffer_init(&days.names);
    ir_status_t status = find_days(graph, &days);
    for (size_t at = 0; at < days.names.size && status == IR_OK && !retirement->dry_run;
         at += strlen(days.names.data + at) + 1) {
        status = drop(graph, days.names.data + at, error);
    }
    ir_buffer_free(&days.names);
    return status;
}
