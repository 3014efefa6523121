#include "store/graph/graph.h"

#include "common/messages.h"
#include "common/rendezvous.h"
#include "common/settings.h"
#include "store/graph/backend.h"
#include "store/graph/quad.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASKED_SIZE 256
#define SERVERS_MAX 64
#define OPTION_TEXTS 6
#define SEPARATORS " \t\n,"
#define REGISTRY_GRAPH "graph/registry"

static const ir_graph_backend_t *const backends[] = {&ir_graph_sparql, &ir_graph_nquads,
                                                     &ir_graph_null};

typedef struct server {
    const ir_graph_backend_t *backend;
    void *store;
    char *uri;
    ir_view_t node;      /* the part that is hashed: scheme, host and path, without options */
    size_t begin, count; /* its range of the picks */
} server_t;

struct ir_graph {
    server_t servers[SERVERS_MAX];
    size_t n_servers;
    char *texts[OPTION_TEXTS]; /* copies of the options' texts */
    ir_graph_options_t options;
    ir_graph_pick_t *picks;
    size_t picks_capacity;
    ir_graph_pick_t *gathered; /* picks of one request, when they are not adjacent */
};

static const ir_graph_backend_t *find_backend(const char *uri) {
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        for (const char *const *scheme = backends[i]->schemes; *scheme != NULL; scheme++) {
            if (strncmp(uri, *scheme, strlen(*scheme)) == 0) {
                return backends[i];
            }
        }
    }
    return NULL;
}

/* ---- opening ---- */

static bool copy_text(char **to, const char *from) {
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static bool copy_options(ir_graph_t *graph, const ir_graph_options_t *options) {
    ir_graph_options_t *own = &graph->options;
    *own = *options;
    const char **const texts[OPTION_TEXTS] = {&own->user,    &own->password, &own->token,
                                              &own->ca_file, &own->writer,   &own->format.base_iri};
    bool good = true;
    for (size_t i = 0; i < OPTION_TEXTS; i++) {
        good = copy_text(&graph->texts[i], *texts[i]) && good;
        *texts[i] = graph->texts[i];
    }
    return good;
}

static ir_status_t open_server(ir_graph_t *graph, ir_view_t uri, ir_error_t *error) {
    if (graph->n_servers == SERVERS_MAX) {
        return ir_error_set(error, IR_ERR_USAGE, "graph: more than %d servers", SERVERS_MAX);
    }
    server_t *server = &graph->servers[graph->n_servers];
    server->uri = strndup(uri.data, uri.size);
    if (server->uri == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    graph->n_servers++;
    server->node = ir_view(server->uri, strcspn(server->uri, "?"));
    for (size_t i = 0; i + 1 < graph->n_servers; i++) {
        if (ir_view_equal(graph->servers[i].node, server->node)) {
            return ir_error_set(error, IR_ERR_USAGE, "graph: '%.*s' is given twice",
                                IR_VIEW_ARG(server->node));
        }
    }
    const ir_graph_backend_t *backend = find_backend(server->uri);
    if (backend == NULL) {
        char masked[MASKED_SIZE];
        return ir_error_set(error, IR_ERR_USAGE,
                            "graph: '%s' is not a graph store; write "
                            "sparql+http://HOST/PATH?strategy=quads, nquads:DIR or null:",
                            ir_uri_masked(server->uri, masked, sizeof masked));
    }
    graph->options.uris = server->uri;
    const ir_status_t status = backend->open(&graph->options, &server->store, error);
    server->backend = status == IR_OK ? backend : NULL;
    return status;
}

static ir_status_t open_servers(ir_graph_t *graph, const char *uris, ir_error_t *error) {
    ir_status_t status = IR_OK;
    const char *at = uris + strspn(uris, SEPARATORS);
    while (status == IR_OK && *at != '\0') {
        const size_t size = strcspn(at, SEPARATORS);
        status = open_server(graph, ir_view(at, size), error);
        at += size;
        at += strspn(at, SEPARATORS);
    }
    if (status == IR_OK && graph->n_servers == 0) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "graph: no store is given; write "
                            "sparql+http://HOST/PATH?strategy=quads, nquads:DIR or null:");
    }
    return status;
}

ir_status_t ir_graph_open(const ir_graph_options_t *options, ir_graph_t **graph,
                          ir_error_t *error) {
    ir_graph_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    ir_status_t status = copy_options(made, options)
                             ? open_servers(made, options->uris != NULL ? options->uris : "", error)
                             : ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    if (status != IR_OK) {
        ir_graph_close(made);
        return status;
    }
    *graph = made;
    return IR_OK;
}

void ir_graph_close(ir_graph_t *graph) {
    if (graph == NULL) {
        return;
    }
    for (size_t i = 0; i < graph->n_servers; i++) {
        if (graph->servers[i].backend != NULL) {
            graph->servers[i].backend->close(graph->servers[i].store);
        }
        free(graph->servers[i].uri);
    }
    free(graph->picks);
    free(graph->gathered);
    for (size_t i = 0; i < OPTION_TEXTS; i++) {
        free(graph->texts[i]);
    }
    free(graph);
}

/* ---- what the backends share ---- */

ir_status_t ir_graph_check_id(const ir_id_t *id, const char *place, ir_error_t *error) {
    return ir_id_version(id) == IR_ID_VERSION
               ? IR_OK
               : ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_EARLIER_GRAPH, place);
}

/* ---- every server in turn ---- */

/* "INDEX\0INDEX/NAME\0": the name with what an IRI does not take percent-encoded. */
static bool append_names(ir_buffer_t *out, const char *base_iri, const char *name) {
    ir_buffer_append_format(out, "%s" REGISTRY_GRAPH "%c%s" REGISTRY_GRAPH "/", base_iri, '\0',
                            base_iri);
    for (const char *c = name; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL) {
            ir_buffer_append_char(out, *c);
        } else {
            ir_buffer_append_format(out, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
    ir_buffer_append_char(out, '\0');
    return ir_buffer_ok(out);
}

static ir_status_t init_file(ir_graph_t *graph, const ir_registry_t *registry, unsigned file,
                             ir_buffer_t *names, ir_error_t *error) {
    char *text = NULL;
    size_t size = 0;
    ir_buffer_clear(names);
    if (!append_names(names, graph->options.format.base_iri,
                      ir_registry_file_name(registry, file))) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory");
    }
    const char *iri = names->data + strlen(names->data) + 1;
    const ir_registry_graph_t place = {names->data, iri, strrchr(iri, '/') + 1};
    ir_status_t status = ir_registry_ntriples(registry, file, &text, &size, error);
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const server_t *server = &graph->servers[i];
        status = server->backend->init(server->store, ir_view(text, size), &place, error);
    }
    free(text);
    return status;
}

ir_status_t ir_graph_init(ir_graph_t *graph, const ir_registry_t *registry, ir_error_t *error) {
    ir_buffer_t names;
    ir_buffer_init(&names);
    ir_status_t status = IR_OK;
    for (unsigned i = 0; i < ir_registry_files(registry) && status == IR_OK; i++) {
        status = init_file(graph, registry, i, &names, error);
    }
    ir_buffer_free(&names);
    return status;
}

ir_status_t ir_graph_ready(ir_graph_t *graph, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        status = graph->servers[i].backend->ready(graph->servers[i].store, error);
    }
    return status;
}

ir_status_t ir_graph_probe(ir_graph_t *graph, ir_error_t *error) {
    ir_status_t status = ir_graph_ready(graph, error);
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const server_t *server = &graph->servers[i];
        if (server->backend->probe != NULL) {
            status = server->backend->probe(server->store, error);
        }
    }
    return status;
}

ir_status_t ir_graph_present(ir_graph_t *graph, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const server_t *server = &graph->servers[i];
        if (server->backend->present != NULL) {
            status = server->backend->present(server->store, error);
        }
    }
    return status;
}

ir_status_t ir_graph_count(ir_graph_t *graph, uint64_t *observations, uint64_t *triples,
                           ir_error_t *error) {
    uint64_t all_observations = 0;
    uint64_t all_triples = 0;
    for (size_t i = 0; i < graph->n_servers; i++) {
        uint64_t some_observations = 0;
        uint64_t some_triples = 0;
        const ir_status_t status = graph->servers[i].backend->count(
            graph->servers[i].store, &some_observations, &some_triples, error);
        if (status != IR_OK) {
            return status;
        }
        all_observations += some_observations;
        all_triples += some_triples;
    }
    *observations = all_observations;
    *triples = all_triples;
    return IR_OK;
}

bool ir_graph_keeps(const ir_graph_t *graph) {
    for (size_t i = 0; i < graph->n_servers; i++) {
        if (graph->servers[i].backend != &ir_graph_null) {
            return true;
        }
    }
    return false;
}

ir_status_t ir_graph_purge(ir_graph_t *graph, const ir_id_t *ids, size_t count, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; count > 0 && i < graph->n_servers && status == IR_OK; i++) {
        const server_t *server = &graph->servers[i];
        if (server->backend->purge != NULL) {
            status = server->backend->purge(server->store, ids, count, error);
        }
    }
    return status;
}

ir_status_t ir_graph_retire(ir_graph_t *graph, ir_graph_retirement_t *retirement,
                            ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const server_t *server = &graph->servers[i];
        if (server->backend->retire != NULL) {
            status = server->backend->retire(server->store, retirement, error);
        }
    }
    return status;
}

ir_status_t ir_graph_compact(ir_graph_t *graph, ir_error_t *error) {
    ir_status_t status = IR_OK;
    bool any = false;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        const server_t *server = &graph->servers[i];
        if (server->backend->compact != NULL) {
            any = true;
            status = server->backend->compact(server->store, error);
        }
    }
    return status == IR_OK && !any
               ? ir_error_set(error, IR_ERR_USAGE,
                              "compact is for Fuseki; this graph store needs none")
               : status;
}

ir_status_t ir_graph_each_id(ir_graph_t *graph, ir_document_kind_t kind, ir_each_id_fn each,
                             void *context, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        status =
            graph->servers[i].backend->each_id(graph->servers[i].store, kind, each, context, error);
    }
    return status;
}

ir_status_t ir_graph_export(ir_graph_t *graph, ir_each_line_fn each, void *context,
                            ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < graph->n_servers && status == IR_OK; i++) {
        status = graph->servers[i].backend->export(graph->servers[i].store, each, context, error);
    }
    return status;
}

/* ---- one server ---- */

size_t ir_graph_servers(const ir_graph_t *graph) {
    return graph->n_servers;
}

typedef struct saving {
    const char *base_iri;
    ir_each_line_fn each;
    void *context;
} saving_t;

static bool is_registry(ir_view_t graph, const char *base_iri) {
    const size_t base = strlen(base_iri);
    const size_t size = base + strlen(REGISTRY_GRAPH);
    return graph.size >= size && memcmp(graph.data, base_iri, base) == 0 &&
           memcmp(graph.data + base, REGISTRY_GRAPH, size - base) == 0 &&
           (graph.size == size || graph.data[size] == '/');
}

static ir_status_t save_line(void *context, ir_view_t line) {
    const saving_t *saving = context;
    ir_quad_t quad;
    return ir_quad_split(line, &quad) && !is_registry(quad.graph, saving->base_iri)
               ? saving->each(saving->context, line)
               : IR_OK;
}

ir_status_t ir_graph_save(ir_graph_t *graph, size_t server, ir_each_line_fn each, void *context,
                          ir_error_t *error) {
    saving_t saving = {graph->options.format.base_iri, each, context};
    const server_t *from = &graph->servers[server];
    return from->backend->export(from->store, save_line, &saving, error);
}

ir_status_t ir_graph_load(ir_graph_t *graph, size_t server, ir_view_t lines, ir_error_t *error) {
    const server_t *to = &graph->servers[server];
    return to->backend->load != NULL ? to->backend->load(to->store, lines, error) : IR_OK;
}

ir_status_t ir_graph_loaded(ir_graph_t *graph, size_t server, ir_error_t *error) {
    const server_t *to = &graph->servers[server];
    return to->backend->loaded != NULL ? to->backend->loaded(to->store, error) : IR_OK;
}

/* ---- putting ---- */

static size_t place(const ir_graph_t *graph, const char *mote) {
    size_t best = 0;
    uint64_t best_weight = 0;
    const ir_view_t key = ir_view_text(mote);
    for (size_t i = 0; graph->n_servers > 1 && i < graph->n_servers; i++) {
        const uint64_t weight = ir_rendezvous_weight(graph->servers[i].node, key);
        if (i == 0 || weight > best_weight) {
            best = i;
            best_weight = weight;
        }
    }
    return best;
}

static ir_graph_pick_t pick_observation(const ir_batch_t *batch, uint32_t index) {
    const ir_observation_t *observation = &batch->observations[index];
    const ir_message_t *message = &batch->messages[observation->message];
    return (ir_graph_pick_t){.observation = observation,
                             .raw_id = &message->raw_id,
                             .known = observation->state == IR_OBSERVATION_DUPLICATE ||
                                      observation->stored || message->duplicate};
}

/* A revision counts as known when the message that decided it was known. A revision found by
 * reprocessing may have been found before, and one without a message was read from the documents.
 */
static ir_graph_pick_t pick_revision(const ir_batch_t *batch, uint32_t index) {
    const ir_revision_t *revision = &batch->revisions[index];
    const ir_message_t *message = revision->supersedes || batch->n_messages == 0
                                      ? NULL
                                      : &batch->messages[revision->observation.message];
    return (ir_graph_pick_t){.observation = &revision->observation,
                             .raw_id = &revision->raw_id,
                             .revision = revision,
                             .known =
                                 message == NULL || message->duplicate || message->redelivered};
}

typedef void (*each_pick_fn)(ir_graph_t *graph, ir_graph_pick_t pick);

static void each_pick(ir_graph_t *graph, const ir_batch_t *batch, each_pick_fn each) {
    for (uint32_t i = 0; i < batch->n_observations; i++) {
        const ir_observation_t *observation = &batch->observations[i];
        if (ir_observation_accepted(observation) &&
            !ir_batch_is_aside(batch, observation->message)) {
            each(graph, pick_observation(batch, i));
        }
    }
    for (uint32_t i = 0; i < batch->n_revisions; i++) {
        if (!ir_batch_is_aside(batch, batch->revisions[i].observation.message)) {
            each(graph, pick_revision(batch, i));
        }
    }
}

static void count_pick(ir_graph_t *graph, ir_graph_pick_t pick) {
    graph->servers[place(graph, pick.observation->sensor->mote->id)].count++;
}

static void take_pick(ir_graph_t *graph, ir_graph_pick_t pick) {
    server_t *server = &graph->servers[place(graph, pick.observation->sensor->mote->id)];
    graph->picks[server->begin + server->count++] = pick;
}

/* Sorts the picks by server, keeping their order. */
static bool distribute(ir_graph_t *graph, const ir_batch_t *batch) {
    const size_t most = (size_t)batch->n_observations + batch->n_revisions;
    if (most > graph->picks_capacity) {
        ir_graph_pick_t *grown = realloc(graph->picks, most * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        graph->picks = grown;
        graph->picks_capacity = most;
    }
    for (size_t i = 0; i < graph->n_servers; i++) {
        graph->servers[i].begin = graph->servers[i].count = 0;
    }
    if (graph->n_servers > 1) {
        each_pick(graph, batch, count_pick);
    }
    size_t begin = 0;
    for (size_t i = 0; i < graph->n_servers; i++) {
        graph->servers[i].begin = begin;
        begin += graph->servers[i].count;
        graph->servers[i].count = 0;
    }
    each_pick(graph, batch, take_pick);
    return true;
}

/* The part of one batch that goes to one server. */
typedef struct putting {
    ir_graph_t *graph;
    const server_t *server;
    ir_batch_t *batch;
} putting_t;

static const ir_graph_pick_t *pick_of(const putting_t *putting, uint32_t item) {
    return &putting->graph->picks[putting->server->begin + item];
}

/* Makes the picks adjacent. */
static const ir_graph_pick_t *gather(const putting_t *putting, const uint32_t *items,
                                     size_t count) {
    ir_graph_t *graph = putting->graph;
    if (items[count - 1] - items[0] == count - 1) {
        return pick_of(putting, items[0]);
    }
    ir_graph_pick_t *grown = realloc(graph->gathered, count * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    graph->gathered = grown;
    for (size_t i = 0; i < count; i++) {
        grown[i] = *pick_of(putting, items[i]);
    }
    return grown;
}

static ir_outcome_t put_items(void *context, const uint32_t *items, size_t count,
                              ir_suspects_t *suspects, ir_answer_t *answer) {
    (void)suspects; /* a triplestore accepts a request as a whole or not at all */
    const putting_t *putting = context;
    const ir_graph_pick_t *picks = gather(putting, items, count);
    if (picks == NULL) {
        ir_error_set(&answer->why, IR_ERR_MEMORY, "graph: out of memory");
        return IR_OUTCOME_RETRY;
    }
    return putting->server->backend->put(putting->server->store, picks, count, answer);
}

static ir_outcome_t put_control(void *context, ir_error_t *error) {
    const putting_t *putting = context;
    return putting->server->backend->control(putting->server->store, error) == IR_OK
               ? IR_OUTCOME_OK
               : IR_OUTCOME_RETRY;
}

/* A refused revision is only noted: the observation that it revises is not in this batch. */
static bool refuse_item(void *context, uint32_t item, const ir_answer_t *answer) {
    const putting_t *putting = context;
    const ir_graph_pick_t *pick = pick_of(putting, item);
    const uint32_t observation = pick->revision != NULL
                                     ? UINT32_MAX
                                     : (uint32_t)(pick->observation - putting->batch->observations);
    return ir_batch_refuse(putting->batch, pick->observation->message, observation,
                           IR_REASON_GRAPH_REFUSED, answer->why.text);
}

static bool set_item_aside(void *context, uint32_t item, const ir_answer_t *answer) {
    const putting_t *putting = context;
    return ir_batch_set_aside(putting->batch, pick_of(putting, item)->observation->message,
                              UINT32_MAX, answer->why.text);
}

ir_outcome_t ir_graph_put(ir_graph_t *graph, ir_batch_t *batch, ir_error_t *error) {
    const uint32_t n_before = batch->n_store_refusals;
    if (!distribute(graph, batch)) {
        ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
        return IR_OUTCOME_RETRY;
    }
    ir_outcome_t outcome = IR_OUTCOME_OK;
    for (size_t i = 0; i < graph->n_servers && outcome == IR_OUTCOME_OK; i++) {
        putting_t putting = {graph, &graph->servers[i], batch};
        const ir_proof_work_t work = {.put = put_items,
                                      .control = put_control,
                                      .refuse = refuse_item,
                                      .set_aside = batch->sets_aside ? set_item_aside : NULL,
                                      .context = &putting,
                                      .given_up = batch->given_up};
        outcome = ir_proof_run(&work, (uint32_t)graph->servers[i].count, error);
    }
    if (outcome != IR_OUTCOME_OK) {
        ir_batch_undo_refusals(batch, n_before);
    }
    return outcome;
}
