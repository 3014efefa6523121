/* ir-store restore: restores the stores as `backup` saved them. Existing data are never replaced.
 *
 * The documents come first, then the graph, then the registry's graph, without which workers that
 * lost their graph do not continue. Then what the graph lacks is made from the documents, because
 * its backup is a little older. */
#include "common/buffer.h"
#include "store/backup/file.h"
#include "store/backup/folder.h"
#include "store/backup/sums.h"
#include "store/command/command.h"
#include "store/graph/sparql/results.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#define BLOCK_BYTES ((size_t)1024 * 1024) /* bytes of statements in one request */

typedef struct ir_restoring {
    const ir_stores_t *stores;
    char folder[PATH_MAX];
    size_t server;
    ir_buffer_t block; /* whole lines */
    uint64_t statements;
    ir_error_t *error;
} ir_restoring_t;

/* ---- the backup ---- */

static ir_status_t read_facts(ir_restoring_t *restoring) {
    char path[PATH_MAX];
    const ir_status_t status =
        ir_backup_path(restoring->folder, IR_BACKUP_FACTS, path, restoring->error);
    if (status != IR_OK) {
        return status;
    }
    json_t *facts = json_load_file(path, 0, NULL);
    const json_int_t version = json_integer_value(json_object_get(facts, "version"));
    const char *begun = json_string_value(json_object_get(facts, "begun"));
    if (begun != NULL && version == IR_BACKUP_VERSION) {
        fprintf(restoring->stores->out, "backup     %s, begun %s\n", restoring->folder, begun);
    }
    json_decref(facts);
    return version == IR_BACKUP_VERSION
               ? IR_OK
               : ir_error_set(restoring->error, IR_ERR_PROTOCOL,
                              "%s: the backup has version %" JSON_INTEGER_FORMAT
                              ", this program knows %d; use the program that made it",
                              path, version, IR_BACKUP_VERSION);
}

static ir_status_t find_backup(ir_restoring_t *restoring, const char *path) {
    ir_status_t status = ir_backup_folder_find(path, restoring->folder, restoring->error);
    if (status == IR_OK) {
        status = ir_backup_sums_check(restoring->folder, restoring->error);
    }
    return status == IR_OK ? read_facts(restoring) : status;
}

/* ---- the graph ---- */

static ir_status_t load_block(ir_restoring_t *restoring) {
    const ir_status_t status =
        restoring->block.size > 0
            ? ir_graph_load(restoring->stores->graph, restoring->server,
                            ir_buffer_view(&restoring->block), restoring->error)
            : IR_OK;
    ir_buffer_clear(&restoring->block);
    return status;
}

static ir_status_t take_line(void *context, ir_view_t line) {
    ir_restoring_t *restoring = context;
    ir_buffer_append_view(&restoring->block, line);
    ir_buffer_append_char(&restoring->block, '\n');
    restoring->statements++;
    if (!ir_buffer_ok(&restoring->block)) {
        return ir_error_set(restoring->error, IR_ERR_MEMORY, "restore: out of memory");
    }
    return restoring->block.size < BLOCK_BYTES ? IR_OK : load_block(restoring);
}

static ir_status_t load_graph(ir_restoring_t *restoring) {
    char name[IR_BACKUP_GRAPH_SIZE];
    ir_line_stream_t lines = {.each = take_line, .context = restoring, .error = restoring->error};
    ir_backup_graph_name(restoring->server, name);
    ir_status_t status =
        ir_backup_read(restoring->folder, name, ir_line_stream_take, &lines, restoring->error);
    if (status == IR_OK) {
        status = ir_line_stream_end(&lines);
    }
    if (status == IR_OK) {
        status = load_block(restoring);
    }
    ir_line_stream_free(&lines);
    return status == IR_OK
               ? ir_graph_loaded(restoring->stores->graph, restoring->server, restoring->error)
               : status;
}

/* The list of graph servers assigns each mote to one server, which holds the mote's statements. */
static ir_status_t check_servers(ir_restoring_t *restoring) {
    char name[IR_BACKUP_GRAPH_SIZE];
    char path[PATH_MAX];
    const size_t servers = ir_graph_servers(restoring->stores->graph);
    ir_status_t status = IR_OK;
    for (size_t i = 0; i <= servers && status == IR_OK; i++) {
        ir_backup_graph_name(i, name);
        status = ir_backup_path(restoring->folder, name, path, restoring->error);
        if (status == IR_OK && (access(path, F_OK) == 0) != (i < servers)) {
            status =
                ir_error_set(restoring->error, IR_ERR_USAGE,
                             "%s was made with a different number of graph servers than the %zu in "
                             "the graph setting; name the same number, in the same order",
                             restoring->folder, servers);
        }
    }
    return status;
}

/* ---- the command ---- */

static ir_status_t load_all(ir_restoring_t *restoring) {
    const ir_stores_t *stores = restoring->stores;
    const int wanted = stores->options->store;
    ir_status_t status = wanted == IR_STORE_DOCUMENTS ? IR_OK : check_servers(restoring);
    if (status == IR_OK && wanted != IR_STORE_GRAPH) {
        status = ir_documents_load(stores->documents, restoring->folder, restoring->error);
    }
    for (; status == IR_OK && wanted != IR_STORE_DOCUMENTS &&
           restoring->server < ir_graph_servers(stores->graph);
         restoring->server++) {
        status = load_graph(restoring);
    }
    return status;
}

/* The backup of the graph is older than that of the documents. */
static ir_status_t complete_graph(const ir_stores_t *stores, ir_error_t *error) {
    if (!ir_documents_keeps(stores->documents) || !ir_graph_keeps(stores->graph)) {
        return IR_OK;
    }
    ir_store_options_t options = *stores->options;
    ir_stores_t same = *stores;
    options.missing = true;
    same.options = &options;
    return ir_store_reprocess(&same, error);
}

ir_status_t ir_store_restore(const ir_stores_t *stores, char *const *words, int n_words,
                             ir_error_t *error) {
    ir_restoring_t restoring = {.stores = stores, .error = error};
    if (n_words != 1) {
        return ir_error_set(
            error, IR_ERR_USAGE,
            "restore needs a backup, or a folder whose newest backup it restores: restore DIR");
    }
    ir_status_t status = find_backup(&restoring, words[0]);
    if (status == IR_OK) {
        ir_buffer_init(&restoring.block);
        status = load_all(&restoring);
        ir_buffer_free(&restoring.block);
    }
    if (status == IR_OK) {
        status = ir_store_init(stores, error);
    }
    if (status == IR_OK) {
        fprintf(stores->out, "restored   %" PRIu64 " statements; made from the documents:\n",
                restoring.statements);
        status = complete_graph(stores, error);
    }
    return status;
}
