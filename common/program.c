#include "common/program.h"

#include "common/settings_load.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int ir_program_exit(ir_status_t status) {
    return status == IR_OK ? IR_EXIT_DONE : status == IR_ERR_USAGE ? IR_EXIT_USAGE : IR_EXIT_FAILED;
}

int ir_program_refuse(const ir_program_t *program, const ir_error_t *error) {
    fprintf(stderr, "%s: %s\n", program->name, error->text);
    return ir_program_exit(error->status);
}

static void print_line(void *context, const char *line) {
    (void)context;
    fprintf(stderr, "%s\n", line);
}

const ir_teller_t ir_program_teller = {print_line, NULL};

void ir_program_ends(void) {
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGHUP);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
}

ir_status_t ir_program_flush(FILE *out, ir_error_t *error) {
    return ferror(out) == 0 && fflush(out) == 0
               ? IR_OK
               : ir_error_set(error, IR_ERR_IO, "cannot write the output: %s", strerror(errno));
}

static bool wants_dumps(const ir_program_t *program, const void *options) {
    for (size_t i = 0; i < program->n_settings; i++) {
        if (strcmp(program->settings[i].name, IR_CORE_DUMPS) == 0) {
            return *(const bool *)((const char *)options + program->settings[i].offset);
        }
    }
    return false;
}

/* Connections, files and stores take descriptors. The hard limit determines how many a program may
 * have. The soft limit is low for programs that use select(2); ours do not. */
static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

bool ir_program_begin(const ir_program_t *program, int argc, char **argv, void *options,
                      int *first_argument, int *exit_status) {
    ir_error_t error = {.status = IR_OK};
    *exit_status = IR_EXIT_DONE;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    raise_descriptors();
    const ir_settings_verdict_t verdict =
        ir_settings_load(program, argc, argv, options, first_argument, &ir_program_teller, &error);
    if (verdict == IR_SETTINGS_RUN && program->usage[0] == '\0' && *first_argument < argc) {
        ir_error_set(&error, IR_ERR_USAGE, "unexpected argument '%s'; see --help",
                     argv[*first_argument]);
    }
    if (verdict == IR_SETTINGS_EXIT) {
        ir_program_flush(stdout, &error);
    }
    if (error.status != IR_OK) {
        *exit_status = ir_program_refuse(program, &error);
    }
    if (wants_dumps(program, options)) {
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
    return verdict == IR_SETTINGS_RUN && error.status == IR_OK;
}
