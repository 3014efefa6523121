#include "common/program.h"
#include "stations/table.h"
#include "stations/turtle.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct ir_registry_options {
    IR_PROGRAM_SETTINGS(IR_SETTING_MEMBER, core_dumps)
} ir_registry_options_t;

#define IR_OPTIONS ir_registry_options_t
static const ir_setting_t settings[] = {IR_PROGRAM_SETTINGS(IR_SETTING_ROW, core_dumps)};

static const ir_program_t program = {
    .name = "ir-registry",
    .purpose = "Writes a registry of motes and sensors from a table of stations.",
    .usage = "from-csv FILE",
    .notes =
        "Reads a CSV file, or standard input when FILE is -, and writes Turtle to standard\n"
        "output. A row is a sensor. The first row names the columns, in any order: mote,\n"
        "sensor, property, unit; optionally latitude, longitude, low, high (the bounds of\n"
        "plausible values), label, feature, interval (in seconds). See\n"
        "docs/reference/registry.md.\n"
        "When a row has a fault, every fault is reported as FILE:LINE: reason, and nothing is\n"
        "written.\n"
        "Exit status: 0 done, 1 the file has faults, 2 wrong usage.\n"
        "Example: ir-registry from-csv stations.csv > river.ttl\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
};

static ir_status_t write_registry(const char *file, ir_error_t *error) {
    static ir_fault_list_t faults;
    ir_stations_t stations;
    if (!ir_stations_open(&stations, strcmp(file, "-") == 0 ? "stdin" : file, &faults)) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory");
    }
    ir_status_t status = ir_stations_read(&stations, file, &ir_program_teller, error);
    if (status == IR_OK) {
        status = ir_fault_list_conclude(&faults, stations.path, &ir_program_teller, error);
    }
    if (status == IR_OK) {
        ir_stations_write(&stations, stdout);
        status = ir_program_flush(stdout, error);
    }
    ir_stations_close(&stations);
    return status;
}

static ir_status_t run(char *const *arguments, int count, ir_error_t *error) {
    if (count != 2 || strcmp(arguments[0], "from-csv") != 0) {
        return ir_error_set(error, IR_ERR_USAGE, "%s; see --help",
                            count > 0 && strcmp(arguments[0], "from-csv") == 0
                                ? "from-csv needs one FILE"
                                : "needs a command and a file: from-csv FILE");
    }
    return write_registry(arguments[1], error);
}

int main(int argc, char **argv) {
    ir_registry_options_t options = {0};
    ir_error_t error = {.status = IR_OK};
    int first = argc;
    int code = IR_EXIT_DONE;
    if (ir_program_begin(&program, argc, argv, &options, &first, &code) &&
        run(argv + first, argc - first, &error) != IR_OK) {
        code = ir_program_refuse(&program, &error);
    }
    ir_settings_free(&program, &options);
    return code;
}
