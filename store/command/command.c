#include "store/command/command.h"

#include "common/buffer.h"
#include "common/program.h"

#include <inttypes.h>
#include <string.h>

#define MASKED_SIZE 512

/* ---- init ---- */

static ir_status_t check_there(const ir_stores_t *stores, ir_error_t *error) {
    ir_status_t status = ir_documents_ready(stores->documents, error);
    if (status == IR_OK) {
        status = ir_graph_ready(stores->graph, error);
    }
    return status == IR_OK ? ir_graph_present(stores->graph, error) : status;
}

static ir_status_t init_stores(const ir_stores_t *stores, const ir_registry_t *registry,
                               ir_error_t *error) {
    char masked[MASKED_SIZE];
    ir_status_t status = ir_documents_initiate(stores->documents, error);
    if (status == IR_OK) {
        status = ir_documents_init(stores->documents, error);
    }
    if (status == IR_OK) {
        status = ir_documents_probe(stores->documents, error);
    }
    if (status != IR_OK) {
        return status;
    }
    fprintf(stores->out, "documents  ready  %s\n",
            ir_uri_masked(stores->options->stores.documents, masked, sizeof masked));
    status = ir_graph_init(stores->graph, registry, error);
    if (status == IR_OK) {
        status = ir_graph_probe(stores->graph, error);
    }
    if (status == IR_OK) {
        fprintf(stores->out, "graph      ready  %s, registry of %zu motes and %zu sensors\n",
                ir_uri_masked(stores->options->stores.graph, masked, sizeof masked),
                ir_registry_motes(registry), ir_registry_sensors(registry));
    }
    return status;
}

ir_status_t ir_store_init(const ir_stores_t *stores, ir_error_t *error) {
    ir_registry_t *registry = NULL;
    ir_status_t status =
        ir_registry_load(stores->options->registry, &registry, &ir_program_teller, error);
    if (status == IR_OK && stores->options->again) {
        status = check_there(stores, error);
    }
    if (status == IR_OK) {
        status = init_stores(stores, registry, error);
    }
    ir_registry_unref(registry);
    return status;
}

ir_status_t ir_store_initiate(const ir_stores_t *stores, ir_error_t *error) {
    const ir_documents_user_t user = {.name = ir_setting_text(stores->options->new_user),
                                      .password = stores->options->new_user_password,
                                      .may_shard = stores->options->new_user_may == IR_MAY_SHARD};
    const ir_status_t status = ir_documents_initiate(stores->documents, error);
    return status == IR_OK && user.name != NULL
               ? ir_documents_grant(stores->documents, &user, error)
               : status;
}

/* ---- status ---- */

typedef struct ir_store_facts {
    ir_documents_counts_t documents;
    uint64_t observations, triples; /* numbers in the graph */
    ir_status_t documents_status, graph_status;
    ir_error_t documents_error, graph_error;
} ir_store_facts_t;

static void ask(const ir_stores_t *stores, ir_store_facts_t *facts) {
    facts->documents_status = ir_documents_probe(stores->documents, &facts->documents_error);
    if (facts->documents_status == IR_OK) {
        facts->documents_status =
            ir_documents_count(stores->documents, &facts->documents, &facts->documents_error);
    }
    facts->graph_status = ir_graph_probe(stores->graph, &facts->graph_error);
    if (facts->graph_status == IR_OK) {
        facts->graph_status = ir_graph_count(stores->graph, &facts->observations, &facts->triples,
                                             &facts->graph_error);
    }
}

static void show_status(const ir_stores_t *stores, const ir_store_facts_t *facts) {
    char masked[MASKED_SIZE];
    fprintf(stores->out, "documents  %s\n",
            ir_uri_masked(stores->options->stores.documents, masked, sizeof masked));
    if (facts->documents_status == IR_OK) {
        fprintf(stores->out,
                "  raw messages  %12" PRIu64 "\n  rejected      %12" PRIu64
                "\n  observations  %12" PRIu64 "\n  revisions     %12" PRIu64 "\n",
                facts->documents.raw, facts->documents.raw_rejected, facts->documents.observations,
                facts->documents.revisions);
    } else {
        fprintf(stores->out, "  WRONG  %s\n", facts->documents_error.text);
    }
    fprintf(stores->out, "graph      %s\n",
            ir_uri_masked(stores->options->stores.graph, masked, sizeof masked));
    if (facts->graph_status == IR_OK) {
        fprintf(stores->out, "  observations  %12" PRIu64 "\n  statements    %12" PRIu64 "\n",
                facts->observations, facts->triples);
    } else {
        fprintf(stores->out, "  WRONG  %s\n", facts->graph_error.text);
    }
}

static void append_head(ir_buffer_t *out, const char *key, const char *uri, ir_status_t status,
                        const ir_error_t *error) {
    char masked[MASKED_SIZE];
    ir_buffer_append_format(out, "\"%s\":{\"uri\":", key);
    ir_buffer_append_json_string(out, ir_view_text(ir_uri_masked(uri, masked, sizeof masked)));
    ir_buffer_append_text(out, status == IR_OK ? ",\"ready\":true" : ",\"ready\":false,\"error\":");
    if (status != IR_OK) {
        ir_buffer_append_json_string(out, ir_view_text(error->text));
    }
}

static void show_status_json(const ir_stores_t *stores, const ir_store_facts_t *facts) {
    ir_buffer_t out;
    ir_buffer_init(&out);
    ir_buffer_append_char(&out, '{');
    append_head(&out, "documents", stores->options->stores.documents, facts->documents_status,
                &facts->documents_error);
    if (facts->documents_status == IR_OK) {
        ir_buffer_append_format(&out,
                                ",\"raw\":%" PRIu64 ",\"raw_rejected\":%" PRIu64
                                ",\"observations\":%" PRIu64 ",\"revisions\":%" PRIu64,
                                facts->documents.raw, facts->documents.raw_rejected,
                                facts->documents.observations, facts->documents.revisions);
    }
    ir_buffer_append_text(&out, "},");
    append_head(&out, "graph", stores->options->stores.graph, facts->graph_status,
                &facts->graph_error);
    if (facts->graph_status == IR_OK) {
        ir_buffer_append_format(&out, ",\"observations\":%" PRIu64 ",\"statements\":%" PRIu64,
                                facts->observations, facts->triples);
    }
    ir_buffer_append_text(&out, "}}\n");
    fwrite(out.data, 1, out.size, stores->out);
    ir_buffer_free(&out);
}

bool ir_store_status(const ir_stores_t *stores) {
    ir_store_facts_t facts = {.observations = 0};
    ask(stores, &facts);
    if (stores->options->json) {
        show_status_json(stores, &facts);
    } else {
        show_status(stores, &facts);
    }
    return facts.documents_status == IR_OK && facts.graph_status == IR_OK;
}
