#include "common/program.h"
#include "store/command/command.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_CUT_OFF 3 /* exit status of verify */

#define IR_OPTIONS ir_store_options_t
static const ir_setting_t settings[] = {IR_STORE_PROGRAM_SETTINGS(IR_SETTING_ROW, IR_SETTING_ROWS)};

static ir_status_t check(const void *given, ir_error_t *error) {
    const ir_store_options_t *options = given;
    ir_store_settings_warn(&options->stores);
    if (ir_setting_text(options->new_user) != NULL &&
        ir_setting_text(options->new_user_password) == NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "new-user: needs new-user-password");
    }
    const ir_status_t status = ir_format_settings_check(&options->format, error);
    return status == IR_OK ? ir_broker_settings_check(&options->broker, error) : status;
}

const ir_program_t ir_store_program = {
    .name = "ir-store",
    .purpose = "Sets up the document and graph stores, and shows, verifies, exports, repairs and "
               "backs up what they hold.",
    .usage =
        "init|initiate|status|verify|export|last|rejected|reprocess|purge|compact|backup|restore "
        "[LEDGER…|VERB [ID]|DIR]",
    .notes =
        "init      creates tables, collections, indexes and directories, and puts the registry\n"
        "          into the graph store; initiates a MongoDB replica set that does not exist yet,\n"
        "          with the hosts in the URI; on a mongos, shards the collections; repeatable.\n"
        "initiate  only initiates that replica set: for config servers and shards; and makes a\n"
        "          user, if one is named.\n"
        "status    counts what is there.\n"
        "verify    compares ledgers with raw messages, observations and graph (not with a store\n"
        "          that is null:); exit status 0 only if nothing is missing, doubled or foreign;\n"
        "          3 if nothing is missing or doubled, but a ledger was cut off.\n"
        "export    writes observations with their newest verdict, or all statements. Observations\n"
        "          are in the order of their ids, which is the order of time. --after with the\n"
        "          last id continues where an export, or with --limit a page, ended.\n"
        "last      shows the newest observation of each sensor with its newest verdict.\n"
        "rejected  list, show ID, replay [ID] or drop [ID]: messages with refusals that are not "
        "yet\n"
        "          dealt with, from the raw documents, by mote, reason and time of arrival. show\n"
        "          writes the body unchanged, and its history on standard error; replay\n"
        "          republishes the message with its first arrival; drop marks it as dealt with.\n"
        "          With --queue: messages that no worker read.\n"
        "reprocess analyses stored raw messages again: stores observations that are now valid, "
        "and\n"
        "          writes changed flags as revisions. May be interrupted and repeated.\n"
        "purge     shows how much the motes of --mote sent, or how much is older than "
        "--older-than,\n"
        "          in messages, observations and revisions; with --yes, removes it from both\n"
        "          stores. With --what=graph: older graphs of days, or older segments of N-Quads.\n"
        "compact   shrinks the files of Fuseki's TDB2, which otherwise only grow.\n"
        "backup    saves both stores, and the files of --with, to a new folder in DIR, while\n"
        "          workers run.\n"
        "restore   restores them from DIR, a backup or a folder of backups (the newest), into\n"
        "          stores that are lost, and completes the graph from the documents.\n"
        "Exit status: 0 done, 2 wrong usage or settings, 1 anything else.\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
    .check = check,
};

/* ---- commands ---- */

/* All of these return the exit status. `error` holds the reason if they have not printed it
 * themselves. */
typedef int (*ir_command_fn)(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                             ir_error_t *error);

static int run_init(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                    ir_error_t *error) {
    (void)arguments;
    (void)n_arguments;
    return ir_store_init(stores, error) == IR_OK ? IR_EXIT_DONE : IR_EXIT_FAILED;
}

static int run_initiate(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                        ir_error_t *error) {
    (void)arguments;
    (void)n_arguments;
    return ir_store_initiate(stores, error) == IR_OK ? IR_EXIT_DONE : IR_EXIT_FAILED;
}

static int run_status(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                      ir_error_t *error) {
    (void)arguments;
    (void)n_arguments;
    (void)error;
    return ir_store_status(stores) ? IR_EXIT_DONE : IR_EXIT_FAILED;
}

static int run_verify(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                      ir_error_t *error) {
    static const int codes[] = {[IR_VERIFY_GOOD] = IR_EXIT_DONE,
                                [IR_VERIFY_CUT_OFF] = EXIT_CUT_OFF,
                                [IR_VERIFY_WRONG] = IR_EXIT_FAILED};
    ir_verify_outcome_t outcome = IR_VERIFY_WRONG;
    const ir_status_t status = ir_store_verify(stores, arguments, n_arguments, &outcome, error);
    return status == IR_OK ? codes[outcome] : ir_program_exit(status);
}

static int run_export(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                      ir_error_t *error) {
    (void)arguments;
    (void)n_arguments;
    return ir_program_exit(ir_store_export(stores, error));
}

static int run_last(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                    ir_error_t *error) {
    (void)arguments;
    (void)n_arguments;
    return ir_program_exit(ir_store_last(stores, error));
}

static int run_rejected(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                        ir_error_t *error) {
    return ir_program_exit(ir_store_rejected(stores, arguments, n_arguments, error));
}

static int run_reprocess(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                         ir_error_t *error) {
    (void)arguments;
    (void)n_arguments;
    return ir_program_exit(ir_store_reprocess(stores, error));
}

static int run_purge(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                     ir_error_t *error) {
    (void)arguments;
    (void)n_arguments;
    return ir_program_exit(ir_store_purge(stores, error));
}

static int run_compact(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                       ir_error_t *error) {
    (void)arguments;
    (void)n_arguments;
    return ir_program_exit(ir_store_compact(stores, error));
}

static int run_backup(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                      ir_error_t *error) {
    return ir_program_exit(ir_store_backup(stores, arguments, n_arguments, error));
}

static int run_restore(const ir_stores_t *stores, char *const *arguments, int n_arguments,
                       ir_error_t *error) {
    return ir_program_exit(ir_store_restore(stores, arguments, n_arguments, error));
}

typedef struct ir_command {
    const char *name;
    bool takes_arguments;
    ir_command_fn run;
} ir_command_t;

static const ir_command_t commands[] = {
    {"init", false, run_init},        {"initiate", false, run_initiate},
    {"status", false, run_status},    {"verify", true, run_verify},
    {"export", false, run_export},    {"last", false, run_last},
    {"rejected", true, run_rejected}, {"reprocess", false, run_reprocess},
    {"purge", false, run_purge},      {"backup", true, run_backup},
    {"restore", true, run_restore},   {"compact", false, run_compact},
};

static const ir_command_t *find_command(const char *name, int n_arguments, ir_error_t *error) {
    for (size_t i = 0; name != NULL && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) != 0) {
            continue;
        }
        if (n_arguments > 0 && !commands[i].takes_arguments) {
            ir_error_set(error, IR_ERR_USAGE, "%s takes no arguments; see --help", name);
            return NULL;
        }
        return &commands[i];
    }
    ir_error_set(
        error, IR_ERR_USAGE,
        name == NULL
            ? "which command: init, initiate, status, verify, export, last, rejected, reprocess, "
              "purge, compact, backup or restore?"
            : "no command '%s': there are init, initiate, status, verify, export, last, rejected, "
              "reprocess, purge, compact, backup and restore",
        name);
    return NULL;
}

/* ---- the program ---- */

static ir_status_t open_stores(const ir_store_options_t *options, ir_stores_t *stores,
                               ir_error_t *error) {
    ir_documents_options_t documents;
    ir_graph_options_t graph;
    ir_store_settings_documents(&options->stores, options->timeout_ns, &documents);
    documents.shards = ir_setting_text(options->shards);
    ir_store_settings_graph(&options->stores, &options->format, stores->writer, options->timeout_ns,
                            &graph);
    graph.set_up = options->again;
    const ir_status_t status = ir_documents_open(&documents, &stores->documents, error);
    return status == IR_OK ? ir_graph_open(&graph, &stores->graph, error) : status;
}

static int run(const ir_store_options_t *options, const ir_command_t *command,
               char *const *arguments, int n_arguments, ir_error_t *error) {
    ir_stores_t stores = {.options = options, .out = stdout};
    snprintf(stores.writer, sizeof stores.writer, "ir-store-%ld", (long)getpid());
    const ir_status_t status = open_stores(options, &stores, error);
    int code = ir_program_exit(status);
    if (status == IR_OK) {
        code = command->run(&stores, arguments, n_arguments, error);
    }
    ir_graph_close(stores.graph);
    ir_documents_close(stores.documents);
    return code == IR_EXIT_DONE ? ir_program_exit(ir_program_flush(stdout, error)) : code;
}

int main(int argc, char **argv) {
    ir_store_options_t options = {0};
    ir_error_t error = {.status = IR_OK};
    int first = argc;
    int code = IR_EXIT_DONE;
    if (ir_program_begin(&ir_store_program, argc, argv, &options, &first, &code)) {
        const int n_arguments = argc - first - 1;
        const ir_command_t *command =
            find_command(first < argc ? argv[first] : NULL, n_arguments, &error);
        code = command != NULL ? run(&options, command, argv + first + 1, n_arguments, &error)
                               : IR_EXIT_USAGE;
    }
    if (error.status != IR_OK) {
        ir_program_refuse(&ir_store_program, &error);
    }
    ir_settings_free(&ir_store_program, &options);
    return code;
}
