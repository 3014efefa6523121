/* Fuseki's administration protocol, of which only this is used: POST /$/compact/DATASET starts a
 * task, GET /$/tasks/ID reports on it
 * (jena.apache.org/documentation/fuseki2/fuseki-server-protocol). */
#include "common/clock.h"
#include "store/graph/sparql/sparql.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#define URL_SIZE 2048
#define ID_SIZE 64
#define FIRST_WAIT_NS (100 * IR_MILLISECOND_NS) /* doubles after each check, up to: */
#define LONGEST_WAIT_NS (5 * IR_SECOND_NS)

/* "http://HOST:PORT": the part of a URL before its path. */
static size_t origin_size(const char *url) {
    const char *host = strstr(url, "://");
    return host != NULL ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?") : 0;
}

static ir_status_t begin(ir_sparql_t *graph, char id[static ID_SIZE], ir_error_t *error) {
    char url[URL_SIZE];
    const char *store = graph->uri.store;
    const size_t origin = origin_size(store);
    snprintf(url, sizeof url, "%.*s/$/compact%.*s?deleteOld=true", (int)origin, store,
             (int)strcspn(store + origin, "?"), store + origin);
    const ir_http_request_t request = {.method = "POST", .url = url, .accept = "*/*"};
    const ir_status_t status = ir_sparql_call(graph, &request, error);
    if (status != IR_OK) {
        return graph->code == 404 || graph->code == 405
                   ? ir_error_set(error, IR_ERR_NOT_FOUND,
                                  "%.*s does not compact; Fuseki does, over TDB2, when it is "
                                  "started with --compact",
                                  (int)origin, store)
                   : status;
    }
    const ir_view_t answer = ir_http_answer(graph->http);
    json_t *task = json_loadb(answer.size > 0 ? answer.data : "", answer.size, 0, NULL);
    const char *found = json_string_value(json_object_get(task, "taskId"));
    snprintf(id, ID_SIZE, "%s", found != NULL ? found : "");
    json_decref(task);
    return id[0] != '\0' ? IR_OK : ir_sparql_no_answer(graph, error);
}

/* *done: the task has ended successfully. */
static ir_status_t poll_task(ir_sparql_t *graph, const char *id, bool *done, ir_error_t *error) {
    char url[URL_SIZE];
    const char *store = graph->uri.store;
    snprintf(url, sizeof url, "%.*s/$/tasks/%s", (int)origin_size(store), store, id);
    const ir_http_request_t request = {.method = "GET", .url = url, .accept = "application/json"};
    ir_status_t status = ir_sparql_call(graph, &request, error);
    if (status != IR_OK) {
        return status;
    }
    const ir_view_t answer = ir_http_answer(graph->http);
    json_t *task = json_loadb(answer.size > 0 ? answer.data : "", answer.size, 0, NULL);
    const json_t *success = json_object_get(task, "success");
    *done = json_object_get(task, "finished") != NULL;
    if (task == NULL) {
        status = ir_sparql_no_answer(graph, error);
    } else if (*done && json_is_false(success)) {
        status =
            ir_error_set(error, IR_ERR_IO, "%s: compaction failed; look at the server's log", url);
    }
    json_decref(task);
    return status;
}

/* Waits until the task is finished. Each query for its state has the usual time-out. */
ir_status_t ir_sparql_compact(void *store, ir_error_t *error) {
    ir_sparql_t *graph = store;
    char id[ID_SIZE];
    bool done = false;
    int64_t wait_ns = FIRST_WAIT_NS;
    ir_status_t status = begin(graph, id, error);
    while (status == IR_OK && !done) {
        ir_clock_sleep(wait_ns);
        wait_ns = wait_ns * 2 < LONGEST_WAIT_NS ? wait_ns * 2 : LONGEST_WAIT_NS;
        status = poll_task(graph, id, &done, error);
    }
    return status;
}
