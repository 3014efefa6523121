#include "store/graph/nquads/load.h"

#include "observation/id_set.h"
#include "store/backup/file.h"
#include "store/backup/tree.h"
#include "store/graph/nquads/segment.h"
#include "store/graph/nquads/segment_lines.h"
#include "store/graph/nquads/segments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WRITER "restored"
#define STAGING "restoring"

struct ir_nquads_load {
    char directory[PATH_MAX], staging[PATH_MAX];
    int64_t segment_bytes;
    ir_segment_t *segment;
    ir_buffer_t lines, ids;
};

static ir_status_t no_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
}

/* ---- begin ---- */

static ir_status_t refuse_others(const char *directory, ir_error_t *error) {
    ir_segment_list_t list;
    ir_status_t status = ir_segment_list_read(directory, &list, error);
    for (size_t i = 0; status == IR_OK && i < list.count; i++) {
        if (strncmp(list.names[i].stem, WRITER "-", sizeof WRITER) != 0) {
            status = ir_error_set(error, IR_ERR_STATE,
                                  "graph nquads:%s: it has %s, which is not from the backup: move "
                                  "the directory away first. What was written there since the loss "
                                  "is also in the documents, and is restored from them",
                                  directory, list.names[i].stem);
        }
    }
    if (status == IR_OK || status == IR_ERR_STATE) {
        ir_segment_list_free(&list);
    }
    return status;
}

static ir_status_t begin(ir_nquads_load_t *load, ir_error_t *error) {
    ir_status_t status = ir_backup_path(load->directory, STAGING, load->staging, error);
    if (status == IR_OK) {
        status = refuse_others(load->directory, error);
    }
    if (status == IR_OK) {
        status = ir_backup_remove(load->staging, error);
    }
    return status == IR_OK && mkdir(load->staging, 0777) != 0
               ? ir_backup_failed("create", load->staging, errno, error)
               : status;
}

ir_status_t ir_nquads_load_begin(const char *directory, int64_t segment_bytes,
                                 ir_nquads_load_t **load, ir_error_t *error) {
    ir_nquads_load_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return no_memory(error);
    }
    made->segment_bytes = segment_bytes;
    snprintf(made->directory, sizeof made->directory, "%s", directory);
    const ir_status_t status = begin(made, error);
    if (status != IR_OK) {
        ir_nquads_load_free(made);
        return status;
    }
    *load = made;
    return IR_OK;
}

void ir_nquads_load_free(ir_nquads_load_t *load) {
    if (load == NULL) {
        return;
    }
    ir_segment_close(load->segment);
    ir_buffer_free(&load->lines);
    ir_buffer_free(&load->ids);
    free(load);
}

/* ---- lines ---- */

/* Appends the ids of the observations and revisions whose last line is among these lines. */
static bool note_ids(ir_nquads_load_t *load, ir_view_t lines) {
    ir_buffer_clear(&load->ids);
    while (lines.size > 0) {
        const char *stop = memchr(lines.data, '\n', lines.size);
        const size_t size = stop != NULL ? (size_t)(stop - lines.data) : lines.size;
        ir_id_t id;
        if (ir_segment_subject(ir_view(lines.data, size), &id) != IR_SUBJECT_NONE) {
            ir_buffer_append(&load->ids, &id, sizeof id);
        }
        lines = ir_view(lines.data + size + (stop != NULL), lines.size - size - (stop != NULL));
    }
    return ir_buffer_ok(&load->ids);
}

static ir_status_t seal(ir_nquads_load_t *load, ir_error_t *error) {
    const ir_status_t status =
        load->segment != NULL ? ir_segment_seal(load->segment, error) : IR_OK;
    if (status == IR_OK) {
        load->segment = NULL;
    }
    return status;
}

static ir_status_t have_segment(ir_nquads_load_t *load, ir_error_t *error) {
    ir_status_t status = IR_OK;
    if (load->segment != NULL && ir_segment_size(load->segment) >= load->segment_bytes) {
        status = seal(load, error);
    }
    return status == IR_OK && load->segment == NULL
               ? ir_segment_create(load->staging, WRITER, &load->segment, error)
               : status;
}

ir_status_t ir_nquads_load_lines(ir_nquads_load_t *load, ir_view_t lines, ir_error_t *error) {
    const ir_status_t status = have_segment(load, error);
    if (status != IR_OK) {
        return status;
    }
    ir_buffer_clear(&load->lines);
    ir_buffer_append_view(&load->lines, lines);
    if (!note_ids(load, lines)) {
        return no_memory(error);
    }
    return ir_segment_append(load->segment, &load->lines, (const ir_id_t *)load->ids.data,
                             load->ids.size / sizeof(ir_id_t), error);
}

/* ---- end ---- */

static ir_status_t move(const ir_nquads_load_t *load, const char *stem, const char *ending,
                        ir_error_t *error) {
    char name[NAME_MAX + 1];
    char from[PATH_MAX];
    char to[PATH_MAX];
    snprintf(name, sizeof name, "%s%s", stem, ending);
    ir_status_t status = ir_backup_path(load->staging, name, from, error);
    if (status == IR_OK) {
        status = ir_backup_path(load->directory, name, to, error);
    }
    return status == IR_OK && rename(from, to) != 0 ? ir_backup_failed("move", from, errno, error)
                                                    : status;
}

static ir_status_t move_all(const ir_nquads_load_t *load, ir_error_t *error) {
    ir_segment_list_t list;
    ir_status_t status = ir_segment_list_read(load->staging, &list, error);
    if (status != IR_OK) {
        return status;
    }
    for (size_t i = 0; i < list.count && status == IR_OK; i++) {
        status = move(load, list.names[i].stem, IR_SEGMENT_IDS, error);
        if (status == IR_OK) {
            status = move(load, list.names[i].stem, IR_SEGMENT_SEALED, error);
        }
    }
    ir_segment_list_free(&list);
    return status;
}

ir_status_t ir_nquads_load_end(ir_nquads_load_t *load, ir_error_t *error) {
    ir_status_t status = seal(load, error);
    if (status == IR_OK) {
        status = refuse_others(load->directory, error);
    }
    if (status == IR_OK) {
        status = move_all(load, error);
    }
    if (status == IR_OK) {
        status = ir_backup_remove(load->staging, error);
    }
    return status == IR_OK ? ir_directory_sync(load->directory, error) : status;
}
