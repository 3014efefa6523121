#include "feed/round.h"

#include "common/log.h"
#include "common/name_table.h"
#include "feed/input.h"
#include "feed/spool.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STANDARD_INPUT "-"
#define BLANKS " \t\r\n"

/* A file, and how many of the packs read from it are in the round. */
typedef struct ir_round_file {
    ir_input_t *input;
    size_t taken;
    bool read;      /* already read in this round */
    bool complains; /* the file could not be read, and this was already reported */
} ir_round_file_t;

struct ir_round {
    ir_round_options_t options;
    ir_input_tools_t *tools;
    ir_name_table_t by_path;
    ir_round_file_t **files;
    size_t n_files;
    ir_pack_t **packs; /* oldest first */
    size_t n_packs, capacity, next, open, settled;
    bool failed, more, confirmed;
};

/* ---- life ---- */

ir_status_t ir_round_open(const ir_round_options_t *options, ir_round_t **round,
                          ir_error_t *error) {
    ir_error_t inner = {.status = IR_OK};
    ir_round_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a position");
    }
    made->options = *options;
    made->confirmed = true;
    made->files = calloc(IR_ROUND_FILES_MAX, sizeof(ir_round_file_t *));
    const ir_status_t status = made->files != NULL
                                   ? ir_input_tools_open(options->position, options->zones,
                                                         options->report, &made->tools, &inner)
                                   : ir_error_set(&inner, IR_ERR_MEMORY, "out of memory");
    if (status != IR_OK) {
        ir_round_close(made);
        return ir_error_set(error, status, "[%s]: %s", options->position->name, inner.text);
    }
    *round = made;
    return IR_OK;
}

void ir_round_close(ir_round_t *round) {
    if (round == NULL) {
        return;
    }
    for (size_t i = 0; round->files != NULL && i < round->n_files; i++) {
        ir_input_close(round->files[i]->input);
        free(round->files[i]);
    }
    ir_input_tools_close(round->tools);
    ir_name_table_free(&round->by_path);
    free(round->files);
    free(round->packs);
    free(round);
}

/* ---- files ---- */

static ir_status_t add_file(ir_round_t *round, const char *path, ir_error_t *error) {
    if (ir_name_table_find(&round->by_path, ir_view_text(path)) != NULL) {
        return IR_OK;
    }
    if (round->n_files == IR_ROUND_FILES_MAX) {
        return ir_error_set(error, IR_ERR_RANGE, "[%s]: more than %d files",
                            round->options.position->name, IR_ROUND_FILES_MAX);
    }
    ir_round_file_t *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a file");
    }
    const ir_status_t status =
        ir_input_open(round->options.position, path, round->options.state, &file->input, error);
    if (status != IR_OK) {
        free(file);
        return status;
    }
    round->files[round->n_files++] = file;
    return ir_name_table_add(&round->by_path, ir_view_text(ir_input_path(file->input)), file)
               ? IR_OK
               : ir_error_set(error, IR_ERR_MEMORY, "out of memory for a file");
}

static ir_status_t add_matches(ir_round_t *round, const char *pattern, ir_error_t *error) {
    glob_t found = {.gl_pathc = 0};
    ir_status_t status = IR_OK;
    char *path = NULL;
    const int size = pattern[0] == '/'
                         ? asprintf(&path, "%s", pattern)
                         : asprintf(&path, "%s/%s", round->options.position->folder, pattern);
    if (size < 0) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a file's name");
    }
    const int code = glob(path, 0, NULL, &found);
    if (code == GLOB_NOSPACE) {
        status = ir_error_set(error, IR_ERR_MEMORY, "out of memory for the files' names");
    }
    for (size_t i = 0; code == 0 && i < found.gl_pathc && status == IR_OK; i++) {
        status = add_file(round, found.gl_pathv[i], error);
    }
    globfree(&found);
    free(path);
    return status;
}

static ir_status_t add_listed(ir_round_t *round, ir_error_t *error) {
    char *copy = strdup(round->options.position->files);
    char *rest = NULL;
    ir_status_t status =
        copy != NULL ? IR_OK : ir_error_set(error, IR_ERR_MEMORY, "out of memory for files");
    for (char *each = copy != NULL ? strtok_r(copy, ",", &rest) : NULL;
         each != NULL && status == IR_OK; each = strtok_r(NULL, ",", &rest)) {
        each += strspn(each, BLANKS);
        for (size_t size = strlen(each); size > 0 && strchr(BLANKS, each[size - 1]) != NULL;) {
            each[--size] = '\0';
        }
        status = strcmp(each, STANDARD_INPUT) == 0 ? add_file(round, each, error)
                                                   : add_matches(round, each, error);
    }
    free(copy);
    return status;
}

static int is_segment(const struct dirent *entry) {
    const size_t size = strlen(entry->d_name);
    const size_t suffix = strlen(IR_SPOOL_SUFFIX);
    return size > suffix && strcmp(entry->d_name + size - suffix, IR_SPOOL_SUFFIX) == 0;
}

/* The folder of the spool may not exist yet. Its path is relative to the working directory, and its
 * name may contain any character. */
static ir_status_t add_segments(ir_round_t *round, ir_error_t *error) {
    const char *folder = round->options.spool;
    struct dirent **found = NULL;
    const int count = scandir(folder, &found, is_segment, alphasort);
    ir_status_t status = count >= 0 || errno == ENOENT
                             ? IR_OK
                             : ir_error_set(error, IR_ERR_IO, "cannot read the folder %s: %s",
                                            folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (status == IR_OK && asprintf(&path, "%s/%s", folder, found[i]->d_name) < 0) {
            path = NULL;
            status = ir_error_set(error, IR_ERR_MEMORY, "out of memory for a segment's name");
        }
        if (status == IR_OK) {
            status = add_file(round, path, error);
        }
        free(path);
        free(found[i]);
    }
    free(found);
    return status;
}

static ir_status_t add_files(ir_round_t *round, ir_error_t *error) {
    return round->options.spool != NULL ? add_segments(round, error) : add_listed(round, error);
}

/* ---- filling ---- */

static void complain(ir_round_t *round, ir_round_file_t *file, const ir_error_t *error) {
    if (!file->complains) {
        ir_log(IR_LOG_ERROR, "%s", error->text);
    }
    file->complains = true;
    round->failed = true;
}

static ir_status_t read_files(ir_round_t *round, ir_error_t *error) {
    size_t wanted = 0;
    for (size_t i = 0; i < round->n_files; i++) {
        const bool waits = round->options.spool != NULL && i > 0; /* for the segment before it */
        round->files[i]->read = !waits && ir_input_has_more(round->files[i]->input);
        wanted += round->files[i]->read;
    }
    const size_t share = round->options.packs / (wanted > 0 ? wanted : 1);
    for (size_t i = 0; i < round->n_files; i++) {
        ir_round_file_t *file = round->files[i];
        if (!file->read) {
            continue;
        }
        const ir_status_t status =
            ir_input_read(file->input, round->tools, share > 0 ? share : 1, error);
        if (status == IR_ERR_MEMORY) {
            return status;
        }
        file->read = status == IR_OK;
        if (status != IR_OK) {
            complain(round, file, error);
        } else {
            file->complains = false;
        }
    }
    return IR_OK;
}

static int64_t latest(ir_input_t *input) {
    size_t count = 0;
    const ir_pack_t *packs = ir_input_packs(input, &count);
    int64_t time_ns = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        time_ns = packs[i].time_ns > time_ns ? packs[i].time_ns : time_ns;
    }
    return time_ns;
}

/* Returns the time up to which the round is complete. Later rows may be missing: unread rows of one
 * file may be older than rows already read from another. */
static int64_t find_horizon(ir_round_t *round) {
    int64_t horizon_ns = INT64_MAX;
    for (size_t i = 0; i < round->n_files; i++) {
        ir_round_file_t *file = round->files[i];
        if (file->read && !ir_input_ended(file->input)) {
            const int64_t latest_ns = latest(file->input);
            horizon_ns = latest_ns < horizon_ns ? latest_ns : horizon_ns;
            round->more = true;
        }
    }
    return horizon_ns;
}

static bool reserve(ir_round_t *round, size_t count) {
    if (round->n_packs + count <= round->capacity) {
        return true;
    }
    const size_t capacity = 2 * (round->n_packs + count);
    ir_pack_t **packs = realloc(round->packs, capacity * sizeof(ir_pack_t *));
    if (packs != NULL) {
        round->packs = packs;
        round->capacity = capacity;
    }
    return packs != NULL;
}

static bool take_packs(ir_round_t *round, ir_round_file_t *file, int64_t horizon_ns) {
    size_t count = 0;
    ir_pack_t *packs = ir_input_packs(file->input, &count);
    if (!reserve(round, count)) {
        return false;
    }
    for (file->taken = 0; file->taken < count && packs[file->taken].time_ns <= horizon_ns;
         file->taken++) {
        if (!packs[file->taken].settled) {
            round->packs[round->n_packs++] = &packs[file->taken];
        }
    }
    round->more = round->more || file->taken < count;
    return true;
}

static int by_time(const void *a, const void *b) {
    const ir_pack_t *left = *(ir_pack_t *const *)a;
    const ir_pack_t *right = *(ir_pack_t *const *)b;
    if (left->time_ns != right->time_ns) {
        return left->time_ns < right->time_ns ? -1 : 1;
    }
    if (left->input != right->input) {
        return strcmp(ir_input_path(left->input), ir_input_path(right->input));
    }
    return left->begin.offset < right->begin.offset ? -1 : 1;
}

ir_status_t ir_round_fill(ir_round_t *round, ir_error_t *error) {
    round->n_packs = round->next = round->open = round->settled = 0;
    round->more = false;
    ir_input_tools_reset(round->tools);
    ir_status_t status = add_files(round, error);
    round->failed = round->failed || (round->n_files == 0 && round->options.spool == NULL);
    if (status == IR_OK) {
        status = read_files(round, error);
    }
    if (status != IR_OK) {
        return status;
    }
    const int64_t horizon_ns = find_horizon(round);
    for (size_t i = 0; i < round->n_files; i++) {
        if (round->files[i]->read && !take_packs(round, round->files[i], horizon_ns)) {
            return ir_error_set(error, IR_ERR_MEMORY, "out of memory for packs");
        }
    }
    if (round->n_packs > 0) {
        qsort(round->packs, round->n_packs, sizeof(ir_pack_t *), by_time);
    }
    round->confirmed = false;
    return IR_OK;
}

/* ---- giving ---- */

bool ir_round_next(ir_round_t *round, size_t *number) {
    while (round->next < round->n_packs) {
        ir_pack_t *pack = round->packs[round->next++];
        if (!pack->given && !pack->settled) {
            pack->given = true;
            round->open++;
            *number = round->next - 1;
            return true;
        }
    }
    return false;
}

ir_pack_t *ir_round_pack(ir_round_t *round, size_t number) {
    return round->packs[number];
}

void ir_round_settle(ir_round_t *round, size_t number) {
    ir_pack_t *pack = round->packs[number];
    if (!pack->settled) {
        pack->settled = true;
        round->settled++;
        round->open--;
    }
}

void ir_round_again(ir_round_t *round) {
    for (size_t i = 0; i < round->n_packs; i++) {
        round->packs[i]->given = round->packs[i]->settled;
    }
    round->next = round->open = 0;
}

size_t ir_round_count(const ir_round_t *round) {
    return round->n_packs;
}

size_t ir_round_open_packs(const ir_round_t *round) {
    return round->open;
}

bool ir_round_is_done(const ir_round_t *round) {
    return round->settled == round->n_packs;
}

/* ---- confirming ---- */

/* Removes the first segment of a spool, which is confirmed, when another one follows. The next
 * segment takes over the tracks of its devices. */
static ir_status_t drop_segment(ir_round_t *round, ir_error_t *error) {
    ir_round_file_t *first = round->files[0];
    ir_status_t status = ir_input_follow(round->files[1]->input, first->input, error);
    if (status == IR_OK) {
        status = ir_input_remove(first->input, error);
    }
    if (status != IR_OK) {
        return status;
    }
    ir_name_table_free(&round->by_path);
    ir_input_close(first->input);
    free(first);
    round->n_files--;
    memmove(round->files, round->files + 1, round->n_files * sizeof(ir_round_file_t *));
    for (size_t i = 0; i < round->n_files && status == IR_OK; i++) {
        ir_round_file_t *file = round->files[i];
        if (!ir_name_table_add(&round->by_path, ir_view_text(ir_input_path(file->input)), file)) {
            status = ir_error_set(error, IR_ERR_MEMORY, "out of memory for a segment");
        }
    }
    return status;
}

/* Returns the number of packs, in file order, before the first one without a final answer. */
static size_t count_settled(const ir_round_file_t *file) {
    size_t count = 0;
    const ir_pack_t *packs = ir_input_packs(file->input, &count);
    size_t settled = 0;
    while (settled < file->taken && packs[settled].settled) {
        settled++;
    }
    return settled;
}

ir_status_t ir_round_confirm(ir_round_t *round, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < round->n_files && status == IR_OK && !round->confirmed; i++) {
        ir_round_file_t *file = round->files[i];
        if (file->read) {
            status = ir_input_confirm(file->input, count_settled(file), error);
            file->read = false;
        }
    }
    round->confirmed = round->confirmed || status == IR_OK;
    while (status == IR_OK && round->options.spool != NULL && round->n_files > 1 &&
           !ir_input_has_more(round->files[0]->input)) {
        status = drop_segment(round, error);
        round->more = true;
    }
    return status;
}

ir_input_t *ir_round_file(const ir_round_t *round, size_t i) {
    return i < round->n_files ? round->files[i]->input : NULL;
}

void ir_round_report_waiting(const ir_round_t *round) {
    for (size_t i = 0; i < round->n_files && round->options.spool == NULL; i++) {
        const ir_input_t *input = round->files[i]->input;
        const ir_report_t place = {.path = ir_input_path(input),
                                   .line = ir_input_waiting(input),
                                   .printed = round->options.report->printed};
        if (place.line > 0) {
            ir_report_remark(&place,
                             "this row has no line end, so it is not used yet; if the file "
                             "is complete, add one%s",
                             place.line == 1 ? ", or if its lines end in CR alone, convert them: "
                                               "tr '\\r' '\\n' < FILE > NEW"
                                             : "");
        }
    }
}

bool ir_round_failed(const ir_round_t *round) {
    return round->failed;
}

bool ir_round_has_more(const ir_round_t *round) {
    return round->more;
}
