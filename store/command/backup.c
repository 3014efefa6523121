/* ir-store backup: DIR/TIME, a new folder for each. It is written as TIME.part and gets its name
 * when all of it is durable, so an earlier backup is never touched, and a folder with that name is
 * complete.
 *
 *   graph-N.nq.gz   statements of the Nth server of the graph setting, without the registry
 *   …               documents (documents.h)
 *   files/          what --with names
 *   backup.json     version, when it began and ended, statements
 *   SHA256SUMS      backup_sums.h
 *
 * The graph is read before the documents. Workers write documents first, so the documents of a
 * backup have everything that its graph has, and what the graph lacks can be made from them
 * (`reprocess --missing`). */
#include "common/buffer.h"
#include "common/clock.h"
#include "store/backup/file.h"
#include "store/backup/folder.h"
#include "store/backup/sums.h"
#include "store/backup/tree.h"
#include "store/command/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILES "files"

typedef struct ir_saving {
    const ir_stores_t *stores;
    ir_backup_folder_t folder;
    int64_t begun_ns;
    uint64_t statements, bytes;
    ir_backup_writer_t *writer;
    ir_buffer_t line;
    ir_error_t *error;
} ir_saving_t;

/* ---- the graph ---- */

static ir_status_t save_line(void *context, ir_view_t line) {
    ir_saving_t *saving = context;
    ir_buffer_clear(&saving->line);
    ir_buffer_append_view(&saving->line, line);
    ir_buffer_append_char(&saving->line, '\n');
    saving->statements++;
    return ir_buffer_ok(&saving->line)
               ? ir_backup_write(saving->writer, ir_buffer_view(&saving->line), saving->error)
               : ir_error_set(saving->error, IR_ERR_MEMORY, "backup: out of memory");
}

static ir_status_t save_graph(ir_saving_t *saving, size_t server) {
    char name[IR_BACKUP_GRAPH_SIZE];
    ir_backup_graph_name(server, name);
    ir_status_t status =
        ir_backup_create(saving->folder.part, name, &saving->writer, saving->error);
    if (status != IR_OK) {
        return status;
    }
    status = ir_graph_save(saving->stores->graph, server, save_line, saving, saving->error);
    const ir_status_t closed =
        ir_backup_close(saving->writer, status == IR_OK ? saving->error : NULL);
    return status == IR_OK ? closed : status;
}

/* ---- the rest ---- */

/* PATH[,PATH…] */
static ir_status_t save_files(ir_saving_t *saving, const char *list) {
    char folder[PATH_MAX];
    ir_status_t status = ir_backup_path(saving->folder.part, FILES, folder, saving->error);
    if (status == IR_OK && mkdir(folder, 0700) != 0) {
        status = ir_backup_failed("create", folder, errno, saving->error);
    }
    while (status == IR_OK && *(list += strspn(list, ",")) != '\0') {
        char path[PATH_MAX];
        const size_t size = strcspn(list, ",");
        snprintf(path, sizeof path, "%.*s", (int)size, list);
        status = ir_backup_copy_tree(path, folder, saving->error);
        list += size;
    }
    return status;
}

static ir_status_t save_facts(ir_saving_t *saving) {
    char begun[IR_TIME_SIZE];
    char ended[IR_TIME_SIZE];
    ir_buffer_t text;
    ir_clock_format(saving->begun_ns, begun);
    ir_clock_format(ir_clock_now(), ended);
    ir_buffer_init(&text);
    ir_buffer_append_format(
        &text,
        "{\"version\":%d,\"begun\":\"%s\",\"ended\":\"%s\",\"statements\":%" PRIu64
        ",\"graph_servers\":%zu}\n",
        IR_BACKUP_VERSION, begun, ended, saving->statements,
        ir_graph_servers(saving->stores->graph));
    const ir_status_t status =
        ir_buffer_ok(&text) ? ir_backup_put(saving->folder.part, IR_BACKUP_FACTS,
                                            ir_buffer_view(&text), saving->error)
                            : ir_error_set(saving->error, IR_ERR_MEMORY, "backup: out of memory");
    ir_buffer_free(&text);
    return status;
}

static ir_status_t save(ir_saving_t *saving) {
    const ir_stores_t *stores = saving->stores;
    const char *with = ir_setting_text(stores->options->with);
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < ir_graph_servers(stores->graph) && status == IR_OK; i++) {
        status = save_graph(saving, i);
    }
    if (status == IR_OK) {
        status = ir_documents_save(stores->documents, saving->folder.part, saving->error);
    }
    if (status == IR_OK && with != NULL) {
        status = save_files(saving, with);
    }
    if (status == IR_OK) {
        status = save_facts(saving);
    }
    return status == IR_OK
               ? ir_backup_sums_write(saving->folder.part, &saving->bytes, saving->error)
               : status;
}

/* ---- the command ---- */

static void tell(const ir_saving_t *saving, unsigned removed) {
    FILE *out = saving->stores->out;
    const double seconds = (double)(ir_clock_now() - saving->begun_ns) / 1e9;
    if (saving->stores->options->json) {
        fprintf(out,
                "{\"backup\":\"%s\",\"bytes\":%" PRIu64 ",\"statements\":%" PRIu64
                ",\"seconds\":%.3f,\"removed\":%u}\n",
                saving->folder.path, saving->bytes, saving->statements, seconds, removed);
        return;
    }
    fprintf(out, "backup %s: %.1f MB, %" PRIu64 " statements, in %.1f s", saving->folder.path,
            (double)saving->bytes / 1e6, saving->statements, seconds);
    fprintf(out, removed > 0 ? "; %u older ones removed\n" : "\n", removed);
}

static ir_status_t check_ready(const ir_stores_t *stores, ir_error_t *error) {
    const ir_status_t status = ir_documents_ready(stores->documents, error);
    return status == IR_OK ? ir_graph_ready(stores->graph, error) : status;
}

ir_status_t ir_store_backup(const ir_stores_t *stores, char *const *words, int n_words,
                            ir_error_t *error) {
    ir_saving_t saving = {.stores = stores, .begun_ns = ir_clock_now(), .error = error};
    if (n_words != 1) {
        return ir_error_set(error, IR_ERR_USAGE, "backup needs the folder for backups: backup DIR");
    }
    ir_status_t status = check_ready(stores, error);
    if (status == IR_OK) {
        status = ir_backup_folder_make(words[0], &saving.folder, error);
    }
    if (status != IR_OK) {
        return status;
    }
    unsigned removed = 0;
    ir_buffer_init(&saving.line);
    status = save(&saving);
    ir_buffer_free(&saving.line);
    if (status == IR_OK) {
        status = ir_backup_folder_complete(&saving.folder, error);
    }
    if (status == IR_OK && stores->options->keep > 0) {
        status =
            ir_backup_folder_prune(&saving.folder, (size_t)stores->options->keep, &removed, error);
    }
    if (status == IR_OK) {
        tell(&saving, removed);
    }
    ir_backup_folder_close(&saving.folder);
    return status;
}
