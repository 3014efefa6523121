#include "annotation/annotate.h"
#include "common/program.h"
#include "observation/registry/explain.h"

#include <stddef.h>
#include <stdio.h>

#define IR_OPTIONS ir_annotate_options_t
static const ir_setting_t settings[] = {IR_ANNOTATE_SETTINGS(IR_SETTING_ROW, IR_SETTING_ROWS)};

static const ir_program_t program = {
    .name = "ir-annotate",
    .purpose = "Analyses SenML packs as the worker does, without broker and stores: registry, "
               "units, quality control, formats.",
    .usage = "[FILE…]",
    .notes = "Reads the FILEs, or standard input. What is rejected goes to standard error as\n"
             "FILE:LINE: reason, a file that cannot be read as FILE: reason; the rest is written.\n"
             "Exit status: 0 done, 1 something was rejected or failed, 2 wrong usage.\n"
             "Example: ir-annotate --registry river.ttl --format json packs.jsonl\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
};

static ir_status_t read_all(ir_annotate_t *annotate, int n_files, char **files, ir_error_t *error) {
    char dash[] = "-";
    char *standard[] = {dash};
    if (n_files == 0) {
        n_files = 1;
        files = standard;
    }
    ir_status_t status = IR_OK;
    for (int i = 0; i < n_files && status == IR_OK; i++) {
        status = ir_annotate_file(annotate, files[i], error);
    }
    return status == IR_OK ? ir_annotate_finish(annotate, error) : status;
}

static bool list_sensor(void *context, const ir_sensor_t *sensor) {
    (void)context;
    printf("%s,%s,%s,%s\n", sensor->mote->id, sensor->name, sensor->property->key,
           sensor->unit != NULL ? sensor->unit->senml : "");
    return true;
}

/* Prints data of the registry, without reading packs. */
static int show(const ir_annotate_options_t *options) {
    ir_registry_t *registry = NULL;
    ir_error_t error = {.status = IR_OK};
    ir_status_t status = ir_registry_load(options->registry, &registry, &ir_program_teller, &error);
    if (status == IR_OK && options->list) {
        puts("mote,name,property,unit");
        ir_registry_each_sensor(registry, list_sensor, NULL);
    } else if (status == IR_OK) {
        status = ir_registry_explain(registry, options->explain, stdout, &error);
    }
    if (status == IR_OK) {
        status = ir_program_flush(stdout, &error);
    }
    ir_registry_unref(registry);
    return status == IR_OK ? IR_EXIT_DONE : ir_program_refuse(&program, &error);
}

static int run(const ir_annotate_options_t *options, int n_files, char **files) {
    ir_annotate_t *annotate = NULL;
    ir_error_t error = {.status = IR_OK};
    ir_status_t status = ir_annotate_open(options, stdout, stderr, &annotate, &error);
    if (status == IR_OK) {
        status = read_all(annotate, n_files, files, &error);
    }
    int code = IR_EXIT_DONE;
    if (status != IR_OK) {
        code = ir_program_refuse(&program, &error);
    } else if (ir_annotate_rejected(annotate) > 0) {
        code = IR_EXIT_FAILED;
    }
    ir_annotate_close(annotate);
    return code;
}

int main(int argc, char **argv) {
    ir_annotate_options_t options = {0};
    int first = argc;
    int code = IR_EXIT_DONE;
    if (ir_program_begin(&program, argc, argv, &options, &first, &code)) {
        code = options.list || ir_setting_text(options.explain) != NULL
                   ? show(&options)
                   : run(&options, argc - first, argv + first);
    }
    ir_settings_free(&program, &options);
    return code;
}
